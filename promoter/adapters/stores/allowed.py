"""The stores that a policy may name, and no others."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from promoter.domain.completeness import Completeness
from promoter.domain.store_address import StoreAddress
from promoter.domain.version import IncompleteVersion, Listing, ModelVersion, StoredVersion, Sweep, Wanted
from promoter.errors import InvalidInput, InvalidSettings
from promoter.ports import ModelStore

_EVERYTHING = Wanted()


class AllowedStores:
    """`promoter.ports.ModelStore` for the addresses below `prefixes`; each scheme has a store of its own.

    A policy names addresses in a file that a pull request can change; the prefixes come from the
    promoter's own settings. Raises InvalidSettings for a prefix that is malformed or that no store serves.
    """

    def __init__(self, prefixes: Iterable[str], stores: Mapping[str, ModelStore]) -> None:
        try:
            self._prefixes = tuple(StoreAddress.from_text(prefix) for prefix in prefixes)
        except InvalidInput as error:
            raise InvalidSettings(f"the allowed stores are not all addresses: {error}") from error
        unserved = sorted({prefix.scheme for prefix in self._prefixes} - stores.keys())
        if unserved:
            raise InvalidSettings(f"no store serves {unserved[0]}://: use one of {_schemes(stores)}")
        self._stores = dict(stores)

    def listing(self, address: str, wanted: Wanted = _EVERYTHING) -> Listing:
        return self._store(address).listing(address, wanted)

    def version(self, address: str, version: ModelVersion, complete: Completeness) -> StoredVersion | IncompleteVersion:
        return self._store(address).version(address, version, complete)

    def sweep(self, addresses: Mapping[str, Completeness]) -> Sweep:
        """Asked only of places that are allowed themselves: the folder around an address may be more than it is."""
        by_scheme: dict[str, dict[str, Completeness]] = {}
        for address, complete in addresses.items():
            with suppress(InvalidInput):
                place = StoreAddress.from_text(address)
                if place.segments and self._is_allowed(replace(place, segments=place.segments[:-1])):
                    by_scheme.setdefault(place.scheme, {})[address] = complete
        sweeps = [self._stores[scheme].sweep(asked) for scheme, asked in by_scheme.items()]
        return Sweep(dict(ChainMap(*(dict(done.marks) for done in sweeps))), sum(done.calls for done in sweeps))

    def check(self, address: str) -> StoreAddress:
        """Raises InvalidInput for an address that is malformed or not allowed."""
        parsed = StoreAddress.from_text(address)
        if not self._is_allowed(parsed):
            raise InvalidInput(
                f"the store {address} is not allowed: use an address below one of the prefixes in the promoter's "
                "settings, or have its prefix added there"
            )
        return parsed

    def _store(self, address: str) -> ModelStore:
        return self._stores[self.check(address).scheme]

    def _is_allowed(self, address: StoreAddress) -> bool:
        return any(address.is_within(prefix) for prefix in self._prefixes)


def _schemes(stores: Mapping[str, ModelStore]) -> str:
    return ", ".join(f"{scheme}://" for scheme in sorted(stores))
