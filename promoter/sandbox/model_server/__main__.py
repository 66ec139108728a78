"""`python -m promoter.sandbox.model_server`: takes the arguments of `tensorflow_model_server` and serves.

The address to listen on is the environment's SANDBOX_POD_IP, every address where it is not set.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

from promoter.errors import InvalidInput
from promoter.sandbox.model_server import grpc_services, loading, rest
from promoter.sandbox.model_server.flags import Flags, parse
from promoter.sandbox.model_server.metrics import ServingMetrics
from promoter.sandbox.model_server.model_config import read_metrics_path, read_model_config
from promoter.sandbox.model_server.servable import Servable
from promoter.saved_model.statuses import ServingError

_FAILED = 255

_log = logging.getLogger("server")


def main() -> None:
    """Serve until killed; exit with status 255 where that is not possible."""
    # As the first process of a container, the original is shielded by the kernel from signals that it has no handler
    # for: it keeps answering until SIGKILL. Ctrl-C at a terminal still ends it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # TensorFlow reads it when its library is loaded: errors only, a failed request is the caller's to report.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(format="%(asctime)s: %(levelname).1s %(name)s] %(message)s", level=logging.INFO)
    try:
        flags, unknown = parse(sys.argv[1:])
        for argument in unknown:
            sys.stdout.write(f"unknown argument: {argument}\n")
        sys.stdout.flush()
        _serve(flags, os.environ.get("SANDBOX_POD_IP", "0.0.0.0"))
    except (InvalidInput, ServingError) as error:
        _report(error)
        sys.exit(_FAILED)


def _serve(flags: Flags, address: str) -> None:
    model = read_model_config(Path(flags.model_config_file))
    servable = loading.load(model, flags, ServingMetrics())
    server = grpc_services.start(servable, address, flags)
    _log.info("Running gRPC ModelServer at %s:%d ...", address, flags.port)
    try:
        _start_rest(servable, address, flags)
    except InvalidInput as error:
        # The original finds this fault only now, and its gRPC server keeps the process alive: no REST, no metrics.
        _report(error)
    server.wait_for_termination()


def _start_rest(servable: Servable, address: str, flags: Flags) -> None:
    if flags.rest_api_port == 0:
        return
    if flags.rest_api_port == flags.port:
        _log.error("--rest_api_port cannot be same as --port. Skipped exporting HTTP/REST API.")
        return
    file = flags.monitoring_config_file
    metrics_path = read_metrics_path(Path(file)) if file else None
    try:
        rest.start(rest.RestApi(servable, metrics_path, flags.rest_api_timeout_in_ms), address, flags)
    except OSError as error:
        _log.error("Failed to start HTTP Server at %s:%d: %s", address, flags.rest_api_port, error.strerror)
        return
    _log.info("Exporting HTTP/REST API at:%s:%d ...", address, flags.rest_api_port)


def _report(error: Exception) -> None:
    sys.stderr.write(f"Failed to start server. Error: {error}\n")


if __name__ == "__main__":
    main()
