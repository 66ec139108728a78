"""Addresses for pods: each gets one of its own, so that all can listen on the same ports."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterable
from ipaddress import IPv4Network

from promoter.errors import ClusterUnavailable


class PodNetwork:
    """Hands out addresses of a network in 127.0.0.0/8, none twice at a time, and late again after its release."""

    def __init__(self, network: IPv4Network) -> None:
        self._network = network
        self._taken: set[str] = set()
        # Two sandboxes on one machine may share a network: they should not reach for the same end of it.
        self._next = secrets.randbelow(network.num_addresses)

    def take(self, ports: Iterable[int]) -> str:
        """A free address on which nobody listens on any of `ports`. Raises ClusterUnavailable where none is left."""
        wanted = tuple(ports)
        for _ in range(self._network.num_addresses):
            self._next = (self._next + 1) % self._network.num_addresses
            address = str(self._network[self._next])
            # The first and last of a block of 256 look like a network's and a broadcast's.
            if self._next % 256 in {0, 255} or address in self._taken:
                continue
            if all(_free(address, port) for port in wanted):
                self._taken.add(address)
                return address
        raise ClusterUnavailable(f"no free address is left in the pod network {self._network}")

    def release(self, address: str) -> None:
        """Give an address back."""
        self._taken.discard(address)


def _free(address: str, port: int) -> bool:
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((address, port))
        except OSError:
            return False
    return True
