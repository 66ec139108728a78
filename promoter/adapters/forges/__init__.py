"""Forges behind one port: Gitea and Forgejo, GitHub, GitLab."""

from promoter.adapters.forges.gitea import GiteaForge
from promoter.adapters.forges.github import GitHubForge
from promoter.adapters.forges.gitlab import GitLabForge
from promoter.adapters.forges.place import ForgePlace

__all__ = ["ForgePlace", "GitHubForge", "GitLabForge", "GiteaForge"]
