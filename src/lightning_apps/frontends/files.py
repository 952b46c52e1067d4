"""Serves a folder outside of an app, as `StaticWebFrontend.start_server` does.  Knows no more than paths."""

from __future__ import annotations

import functools
import http.server
import os
import socketserver

NOWHERE = "\1"  # the name of no file


def serve(host: str, port: int, base: str, folder: str) -> None:
    """Serve until the process ends."""
    with _Server((host, port), functools.partial(_Handler, base, folder)) as server:
        server.serve_forever()


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = allow_reuse_address = True


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Files below a path, and whether it is alive."""

    def __init__(self, base: str, folder: str, *args: object) -> None:
        self._base = base
        super().__init__(*args, directory=folder)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if self.path == f"{self._base}/healthz":
            body = b'{"status":"ok"}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        else:
            super().do_GET()

    def translate_path(self, path: str) -> str:
        root, base = os.path.realpath(self.directory), self._base
        if not path.startswith(f"{base}/") or "%00" in path:
            return os.path.join(root, NOWHERE)
        found = super().translate_path(path.removeprefix(base))
        inside = (os.path.realpath(found) + os.sep).startswith(root + os.sep)
        return found if inside else os.path.join(root, NOWHERE)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""
