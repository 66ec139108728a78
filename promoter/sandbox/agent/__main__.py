"""The sync agent as a program: `python -m promoter.sandbox.agent --help`."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from promoter.errors import PromoterError
from promoter.sandbox.agent.addresses import PodNetwork
from promoter.sandbox.agent.agent import Parts, SyncAgent
from promoter.sandbox.agent.board import Board
from promoter.sandbox.agent.deployments import Ground
from promoter.sandbox.agent.options import Options, parse_options
from promoter.sandbox.agent.pods import Tools
from promoter.sandbox.agent.processes import ProcessTable
from promoter.sandbox.agent.prometheus import PrometheusFiles
from promoter.sandbox.agent.proxy import EnvoyProxy
from promoter.sandbox.agent.render import Renderer
from promoter.sandbox.agent.repository import BareRemote
from promoter.sandbox.agent.server import ArgoApi
from promoter.sandbox.agent.workloads import Workloads

log = logging.getLogger("promoter.sandbox.agent")

_PROBES_AT_ONCE = 16


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT. Exit status 0 then, 2 where the options are wrong or an address is taken."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    # One line for each request to Envoy's admin page would drown the rest.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        options = parse_options(arguments)
        _run(options)
    except (PromoterError, OSError) as error:
        log.critical("agent.failed: %s", error)
        return 2
    return 0


def _run(options: Options) -> None:
    processes = ProcessTable(options.run_directory / "processes")
    log.info("agent.started orphans_killed=%d", processes.sweep())
    with (
        ThreadPoolExecutor(_PROBES_AT_ONCE, "probe") as probing,
        ThreadPoolExecutor(1, "reload") as reloading,
    ):
        board = Board()
        proxy = EnvoyProxy(options.envoy_directory, options.envoy_listen, options.envoy_admin)
        host, port = options.envoy_admin
        remote = BareRemote(options.repository, options.branch)
        tools = Tools(processes, probing, options.programs)
        parts = Parts(
            remote=remote,
            renderer=Renderer(remote, options.run_directory / "charts"),
            workloads=Workloads(Ground(PodNetwork(options.pod_network), options.run_directory, tools)),
            proxy=proxy,
            prometheus=PrometheusFiles(
                options.prometheus_directory, options.prometheus_url, f"{host}:{port}", reloading
            ),
            board=board,
        )
        server = ArgoApi(board, options.token, proxy.live_weights).serve(options.listen)
        stop = _stop_on_signals(board)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        SyncAgent(parts, options.poll).run(stop.is_set)
        server.shutdown()
        server.server_close()
    log.info("agent.stopped")


def _stop_on_signals(board: Board) -> threading.Event:
    """An event that SIGTERM and SIGINT set; they also end the board's wait."""
    stop = threading.Event()

    def ask(_number: int, _frame: object) -> None:
        stop.set()
        board.wake()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
