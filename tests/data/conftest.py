"""No test sees the machine's own data; some have a mirror on this machine."""

import http.server
import threading

import pytest
from small_mnist import Handler, whole

from minigrad.datasets import MNIST


@pytest.fixture(autouse=True)
def sealed(monkeypatch, tmp_path):
    """Neither the machine's data nor its cache."""
    monkeypatch.delenv("MINIGRAD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that hangs up in the middle is what some tests are about."""


@pytest.fixture
def server():
    """A mirror on this machine: set `answer`, read `asked`."""
    with Server(("127.0.0.1", 0), Handler) as server:
        server.answer, server.asked, server.lock = whole, [], threading.Lock()
        server.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def mirrored(server, monkeypatch):
    monkeypatch.setattr(MNIST, "mirrors", (server.url,))
    return server
