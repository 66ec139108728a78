"""Model stores: which versions are complete under one model's address, in folders and in the clouds' buckets.

`promoter.adapters.publishing` writes into folders; `publication` in here writes into buckets.
"""

from promoter.adapters.stores.allowed import AllowedStores
from promoter.adapters.stores.folders import FileStore

__all__ = ["AllowedStores", "FileStore"]
