"""Where one sandbox keeps its files, and which addresses it uses. A value: nothing is created or opened here."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from promoter.domain.names import ServedModel
from promoter.errors import InvalidSettings
from promoter.sandbox.cloud_storage.bucket import Bucket

HOST = "127.0.0.1"
DEFAULT_PORT_BASE = 28100

# What every sandbox serves.
SERVED = ServedModel("production", "resnet50")
BRANCH = "main"

# Ten ports belong to a sandbox, so that bases are easy to choose; five of them are spare.
PORTS_EACH = 10


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders and ports of one sandbox.

    directory: absolute, without symbolic links. bucket: where versions are kept; None for a folder.
    """

    directory: Path
    port_base: int
    bucket: Bucket | None = None

    @classmethod
    def at(cls, directory: Path, port_base: int = DEFAULT_PORT_BASE, bucket: Bucket | None = None) -> Layout:
        """The layout of the sandbox in `directory`.

        Raises InvalidSettings for a base outside 1024 to 65526, and for a folder that a URL has to spell otherwise.
        """
        if not 1024 <= port_base <= 65536 - PORTS_EACH:
            raise InvalidSettings(
                f"{port_base} is not a port base: use a whole number from 1024 to {65536 - PORTS_EACH}, "
                "or 0 for ports that are free"
            )
        directory = directory.resolve()
        if directory.as_uri() != f"file://{directory}":
            # One spelling in every file, so that nobody has to ask whether a path is still quoted.
            raise InvalidSettings(
                f"A sandbox cannot live in {str(directory)!r}: choose a folder whose path has only letters "
                "(a to z), digits and -._~/ in it"
            )
        return cls(directory, port_base, bucket)

    @property
    def envoy_port(self) -> int:
        """Where Envoy accepts requests, gRPC and REST alike."""
        return self.port_base

    @property
    def envoy_admin_port(self) -> int:
        return self.port_base + 1

    @property
    def prometheus_port(self) -> int:
        return self.port_base + 2

    @property
    def agent_port(self) -> int:
        """Where the sync agent answers as Argo CD."""
        return self.port_base + 3

    @property
    def storage_port(self) -> int:
        """Where the sandbox's own Cloud Storage emulator listens, if it has one."""
        return self.port_base + 4

    @property
    def pod_network(self) -> IPv4Network:
        """Every pod listens on an address of its own in here.

        One of 64 networks, by the port base: sandboxes whose bases are neighbours never share one.
        """
        return IPv4Network(f"127.{64 + self.port_base // PORTS_EACH % 64}.0.0/16")

    @property
    def envoy_address(self) -> str:
        return f"{HOST}:{self.envoy_port}"

    @property
    def envoy_admin_url(self) -> str:
        return f"http://{HOST}:{self.envoy_admin_port}"

    @property
    def prometheus_url(self) -> str:
        return f"http://{HOST}:{self.prometheus_port}"

    @property
    def agent_url(self) -> str:
        return f"http://{HOST}:{self.agent_port}"

    @property
    def emulator(self) -> str | None:
        """The URL of the Cloud Storage emulator, whoever runs it; None where versions are kept in a folder."""
        if self.bucket is None:
            return None
        return self.bucket.emulator or f"http://{HOST}:{self.storage_port}"

    @property
    def authority(self) -> str:
        """The host name by which requests ask for the model."""
        return f"{SERVED.model}.{SERVED.environment}"

    @property
    def remote(self) -> Path:
        """The bare Git repository that is the remote."""
        return self.directory / "remote.git"

    @property
    def clone(self) -> Path:
        """The promoter's own bare clone."""
        return self.directory / "clone.git"

    @property
    def clone_by_hand(self) -> Path:
        """The bare clone of whoever runs the promoter's commands by hand."""
        return self.directory / "by-hand.git"

    @property
    def store(self) -> Path:
        """The folder that is the model store, or in which the sandbox's own emulator keeps it."""
        return self.directory / "store"

    @property
    def model_store(self) -> Path:
        """The model's versions, where they lie in a folder."""
        return self.store / SERVED.model

    @property
    def store_url(self) -> str:
        return self.store.as_uri() if self.bucket is None else self.bucket.url

    @property
    def model_store_url(self) -> str:
        return f"{self.store_url}/{SERVED.model}"

    @property
    def remote_url(self) -> str:
        return self.remote.as_uri()

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def run(self) -> Path:
        """What the parts keep while they run."""
        return self.directory / "run"

    @property
    def agent_directory(self) -> Path:
        return self.run / "agent"

    @property
    def envoy_directory(self) -> Path:
        return self.run / "envoy"

    @property
    def prometheus_directory(self) -> Path:
        return self.run / "prometheus"

    @property
    def token_file(self) -> Path:
        """The bearer token that the agent asks for and the promoter sends."""
        return self.run / "argocd-token"

    @property
    def traffic_results(self) -> Path:
        """Where the traffic source writes down what became of its requests."""
        return self.directory / "traffic.jsonl"

    @property
    def record(self) -> Path:
        return self.directory / "sandbox.json"

    @property
    def lock(self) -> Path:
        return self.directory / "sandbox.lock"

    @property
    def environment_file(self) -> Path:
        """The promoter's settings, as `export` lines for a shell."""
        return self.directory / "promoter.env"

    def log(self, part: str) -> Path:
        return self.logs / f"{part}.log"

    def exit_status(self, part: str) -> Path:
        """Where a part's exit status is left when it ends."""
        return self.run / f"{part}.exit"
