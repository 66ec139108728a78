"""A stand-in for the model server, without TensorFlow: `python agent_pod.py --port=8500 --rest_api_port=8501 …`.

It serves gRPC health, and answers every HTTP request with its address and version. Versions from 900 up end at
once with status 3, those from 800 up never become healthy. SIGTERM is ignored, as TensorFlow Serving does.
"""

import json
import os
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

METRICS = "/monitoring/prometheus/metrics"


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Whole answers in one segment: otherwise each waits for a delayed acknowledgement.
    wbufsize = -1
    body = b""

    def do_GET(self):
        page = b":tensorflow:serving:request_count{} 1\n" if self.path == METRICS else self.body
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass


def main():
    flags = dict(argument.removeprefix("--").split("=", 1) for argument in sys.argv[1:])
    version = int(re.search(r"versions: (\d+)", Path(flags["model_config_file"]).read_text()).group(1))
    if version >= 900:
        sys.exit(3)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    address = os.environ["SANDBOX_POD_IP"]
    Answers.body = json.dumps({"address": address, "version": version}).encode()
    server = grpc.server(ThreadPoolExecutor(4))
    servicer = health.HealthServicer()
    if version >= 800:
        servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(f"{address}:{flags['port']}")
    http = ThreadingHTTPServer((address, int(flags["rest_api_port"])), Answers)
    server.start()
    http.serve_forever()


if __name__ == "__main__":
    main()
