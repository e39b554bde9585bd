"""A proxy that notes whoever comes, and serves nobody."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
FIRST_BYTES_MAX = 4096
SECONDS_MAX = 5.0
REFUSAL = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@contextmanager
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Name a proxy in every variable that programs read; yield what each connection to it began with."""
    seen: list[bytes] = []

    class Noting(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            asked: socket.socket = self.request
            asked.settimeout(SECONDS_MAX)
            seen.append(asked.recv(FIRST_BYTES_MAX))
            asked.sendall(REFUSAL)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Noting) as proxy:
        serving = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        address = f"http://127.0.0.1:{proxy.server_address[1]}"
        for name in VARIABLES:
            monkeypatch.setenv(name, address)
            monkeypatch.setenv(name.upper(), address)
        for name in ("no_proxy", "no_grpc_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        try:
            yield seen
        finally:
            proxy.shutdown()
            serving.join()
