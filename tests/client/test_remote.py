"""What comes from an app that one does not know: listings of any shape, words that would steer a terminal."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lightning_apps.client.address import parse
from lightning_apps.client.remote import CommandFailed, RemoteApp

COMMAND = {"name": "a\x1b[2Jb", "path": "ab", "description": "says\n\x07hello", "parameters": [], "client": None}


class Stranger(http.server.BaseHTTPRequestHandler):
    """Answers everything with the same."""

    status: int = 200
    said: bytes = b""

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.said)))
        self.end_headers()
        self.wfile.write(self.said)

    do_POST = do_GET

    def log_message(self, *args: Any) -> None:
        """Nobody reads it."""


@pytest.fixture
def stranger() -> Iterator[Any]:
    """`stranger(status, said)`: an app as a client sees it, which answers so."""
    servers = []

    def start(status: int, said: Any) -> RemoteApp:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        kind = type("Kind", (Stranger,), {"status": status, "said": body})
        server = http.server.HTTPServer(("127.0.0.1", 0), kind)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return RemoteApp(parse(f"http://127.0.0.1:{server.server_port}"))

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_what_a_listing_says_cannot_steer_the_terminal(stranger: Any) -> None:
    (command,) = stranger(200, {"commands": [COMMAND]}).commands()

    assert (command["name"], command["description"]) == ("a[2Jb", "says\nhello")


@pytest.mark.parametrize(
    "said",
    [b"", b"<html>", [], {}, {"commands": 5}, {"commands": [5]}, {"commands": [{"name": 5}]}, {"commands": [{**COMMAND, "client": 1}]},
     {"commands": [{**COMMAND, "parameters": [{"name": "x", "place": "nowhere", "required": True}]}]}],
)  # fmt: skip
def test_what_is_no_listing_is_no_app(stranger: Any, said: Any) -> None:
    with pytest.raises(CommandFailed, match="no app"):
        stranger(200, said).commands()


@pytest.mark.parametrize(("status", "code"), [(500, 1), (404, 1), (422, 2), (401, 1), (302, 1)])
@pytest.mark.parametrize("said", [b"", b"\xff\x1b[2J", {"detail": "no\x1b[2J"}, {"detail": [5]}, [1], "text"])
def test_a_refusal_of_any_shape_is_one_failure(stranger: Any, status: int, code: int, said: Any) -> None:
    with pytest.raises(CommandFailed) as failure:
        stranger(status, said).call("x", {})

    assert failure.value.exit_code == code
    assert "\x1b" not in str(failure.value)


def test_code_without_its_parts_is_none(stranger: Any) -> None:
    with pytest.raises(CommandFailed, match="no app"):
        stranger(200, {"source": "harm"}).code("x")
