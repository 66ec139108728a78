"""The agent's command line, parsed and checked."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network
from pathlib import Path

from promoter.domain.duration import parse_duration
from promoter.errors import InvalidInput, InvalidSettings

# What runs in the place of a container's program: TensorFlow Serving has no package.
_STAND_INS = {"tensorflow_model_server": (sys.executable, "-m", "promoter.sandbox.model_server")}


@dataclass(frozen=True, slots=True)
class Options:
    """Where the agent finds and puts everything. Folders are absolute; addresses are host and port."""

    repository: str
    branch: str
    run_directory: Path
    listen: tuple[str, int]
    token: str
    envoy_directory: Path
    envoy_listen: tuple[str, int]
    envoy_admin: tuple[str, int]
    prometheus_directory: Path
    prometheus_url: str
    pod_network: IPv4Network
    poll: timedelta
    programs: Mapping[str, tuple[str, ...]]


def parse_options(arguments: Sequence[str]) -> Options:
    """The options of a command line. Raises InvalidInput; ends the program for --help and unknown options."""
    parser = argparse.ArgumentParser(prog="python -m promoter.sandbox.agent", description=__doc__)
    parser.add_argument("--repository", required=True, help="path or file:// address of the bare remote")
    parser.add_argument("--branch", default="main", help="the branch to follow")
    parser.add_argument("--run-directory", required=True, type=Path, help="pods' folders, logs and records")
    parser.add_argument("--listen", required=True, help="HOST:PORT of the REST API")
    parser.add_argument("--token-file", required=True, type=Path, help="the bearer token that requests must carry")
    parser.add_argument("--envoy-directory", required=True, type=Path, help="where Envoy's files are written")
    parser.add_argument("--envoy-listen", required=True, help="HOST:PORT on which Envoy takes requests")
    parser.add_argument("--envoy-admin", required=True, help="HOST:PORT of Envoy's admin page")
    parser.add_argument("--prometheus-directory", required=True, type=Path, help="where Prometheus' files are written")
    parser.add_argument("--prometheus-url", required=True, help="where Prometheus is told to reload")
    parser.add_argument("--pod-network", default="127.64.0.0/16", help="where pods get their addresses from")
    parser.add_argument("--poll", default="3s", help="how often Git is looked at")
    parser.add_argument(
        "--program",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="what to run where a container's command is NAME; may be given more than once",
    )
    given = parser.parse_args(arguments)
    return Options(
        repository=given.repository,
        branch=given.branch,
        run_directory=given.run_directory.resolve(),
        listen=_host_port(given.listen),
        token=_token(given.token_file),
        envoy_directory=given.envoy_directory.resolve(),
        envoy_listen=_host_port(given.envoy_listen),
        envoy_admin=_host_port(given.envoy_admin),
        prometheus_directory=given.prometheus_directory.resolve(),
        prometheus_url=given.prometheus_url,
        pod_network=_network(given.pod_network),
        poll=parse_duration(given.poll),
        programs=_STAND_INS | dict(_program(text) for text in given.program),
    )


def _host_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise InvalidSettings(f"{text!r} is not an address: write HOST:PORT, like 127.0.0.1:8080")
    return host, int(port)


def _network(text: str) -> IPv4Network:
    try:
        network = IPv4Network(text)
    except ValueError as error:
        raise InvalidSettings(f"{text!r} is not a network: write it like 127.64.0.0/16") from error
    if not network.is_loopback:
        raise InvalidSettings(f"{text} is not within 127.0.0.0/8: pods must not be reachable from elsewhere")
    return network


def _token(path: Path) -> str:
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"the token file {path} cannot be read: {error}") from error
    if not token:
        raise InvalidSettings(f"the token file {path} is empty")
    return token


def _program(text: str) -> tuple[str, tuple[str, ...]]:
    name, _, command = text.partition("=")
    if not name or not command:
        raise InvalidInput(f"{text!r} is not of the form NAME=COMMAND")
    return name, tuple(shlex.split(command))
