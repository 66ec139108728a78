"""Which ports are taken, by whom, and which are free. What uses them is not known here."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from promoter.errors import InvalidSettings
from promoter.sandbox.layout import PORTS_EACH

# Below the ports that Linux gives to outgoing connections (32768 and up), which come and go by themselves.
_FREE_BASES = range(20000, 32000, PORTS_EACH)


@dataclass(frozen=True, slots=True)
class Claim:
    """`part` is about to listen on `host`:`port`."""

    part: str
    host: str
    port: int


def refuse_taken(claims: Iterable[Claim]) -> None:
    """Raises InvalidSettings where a claim cannot be met, naming port, part and holder of each such claim."""
    problems = [problem for claim in claims if (problem := _problem(claim)) is not None]
    if problems:
        raise InvalidSettings("\n".join([*problems, "Stop what listens there, or choose others with --port-base"]))


def free_port_base() -> int:
    """A port base none of whose ports is taken now, and in whose pod network nobody listens."""
    for base in random.sample(_FREE_BASES, len(_FREE_BASES)):
        if all(_problem(Claim("", "127.0.0.1", port)) is None for port in range(base, base + PORTS_EACH)):
            return base
    raise InvalidSettings(f"No ten ports in a row are free between {_FREE_BASES.start} and {_FREE_BASES.stop}")


def _problem(claim: Claim) -> str | None:
    """Why a claim cannot be met, as a sentence; None where it can."""
    with socket.socket() as probe:
        # As every server does: connections that linger after an earlier sandbox are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((claim.host, claim.port))
        except OSError as error:
            wanted = f"Port {claim.port} on {claim.host}, which {claim.part} needs,"
            holder = _holder(claim)
            return f"{wanted} is held by {holder}" if holder else f"{wanted} cannot be had: {error.strerror}"
    return None


def _holder(claim: Claim) -> str | None:
    """The process that listens where `claim` wants to, None where that cannot be known."""
    try:
        listening = [
            connection
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == claim.port
            and connection.laddr.ip in {claim.host, "0.0.0.0", "::"}
        ]
        pid = next((connection.pid for connection in listening if connection.pid), None)
        return None if pid is None else f"process {pid} ({psutil.Process(pid).name()})"
    except psutil.Error:
        # Other people's processes may be hidden from us, and a process may be gone by now.
        return None
