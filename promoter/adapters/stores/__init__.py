"""Model stores: which versions are complete under one model's address, in folders and in the clouds' buckets.

What knows a cloud's library (`gs`, `s3`) is imported by whoever needs it: each takes a third of a second.
"""

from promoter.adapters.stores.allowed import AllowedStores
from promoter.adapters.stores.buckets import BucketStore
from promoter.adapters.stores.folders import FileStore

__all__ = ["AllowedStores", "BucketStore", "FileStore"]
