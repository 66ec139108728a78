"""A way to a server through this machine, which a test can shut, or which speaks TLS where the server does not."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit


class Door:
    """Passes bytes on to the server at `url`. tls: (certificate, key) files; callers speak TLS then."""

    def __init__(self, url, address="127.0.0.1", tls=None):
        server = urlsplit(url)
        self._server = (server.hostname, server.port or 80)
        self._context = None
        if tls is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*tls)
        self._open, self._passing, self.refused = threading.Event(), set(), 0
        self._open.set()
        self._listener = socket.create_server((address, 0))
        scheme = server.scheme if tls is None else "https"
        self.url = server._replace(scheme=scheme, netloc=f"{address}:{self._listener.getsockname()[1]}").geturl()
        threading.Thread(target=self._listen, daemon=True).start()

    @contextmanager
    def shut(self):
        """Whoever calls is refused, and calls that are under way are broken off."""
        self._open.clear()
        for each in list(self._passing):
            _end(each)
        try:
            yield
        finally:
            self._open.set()

    def close(self):
        self._open.clear()
        _end(self._listener)
        for each in list(self._passing):
            _end(each)

    def _listen(self):
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            if self._open.is_set():
                threading.Thread(target=self._serve, args=(caller,), daemon=True).start()
            else:
                self.refused += 1
                caller.close()

    def _serve(self, caller):
        with contextlib.suppress(OSError):
            if self._context is not None:
                caller = self._context.wrap_socket(caller, server_side=True)
            server = socket.create_connection(self._server, timeout=10)
            server.settimeout(None)
            self._passing |= {caller, server}
            back = threading.Thread(target=self._pass, args=(server, caller), daemon=True)
            back.start()
            self._pass(caller, server)
            back.join()
            self._passing -= {caller, server}
            server.close()
        caller.close()

    @staticmethod
    def _pass(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        _end(source)
        _end(target)


def _end(each):
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)


def certificate(folder, address):
    """(certificate, key): files for an address, good for a day; the certificate is its own authority."""
    files = (folder / "door.crt", folder / "door.key")
    kind = "IP" if address.replace(".", "").isdigit() else "DNS"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "1", "-subj", f"/CN={address}", "-addext", f"subjectAltName={kind}:{address}"),
            *("-out", str(files[0]), "-keyout", str(files[1])),
        ],
        check=True,
        capture_output=True,
    )
    return files
