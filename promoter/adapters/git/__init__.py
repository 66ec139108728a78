"""The Git repository that is the only memory: a bare clone, read by trees and blobs, never checked out."""

from promoter.adapters.git.journal import GitJournal
from promoter.adapters.git.repository import GitRepository
from promoter.adapters.git.settings import GitSettings

__all__ = ["GitJournal", "GitRepository", "GitSettings"]
