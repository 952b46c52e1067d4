"""Serves the files of one folder: ranges, validators, an index; nothing outside of it.  Knows nothing of doors."""

from __future__ import annotations

import os
import stat
from urllib.parse import unquote_to_bytes

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.staticfiles import NotModifiedResponse
from starlette.types import Receive, Scope, Send

from .waiting import waiting


class Folder:
    """A folder of files; it need not be there yet."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, rest: bytes) -> None:
        """Answer a request for `rest`, the raw path inside the folder, which begins with a slash."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["method"] not in ("GET", "HEAD"):
            answer: Response = PlainTextResponse("Files can only be read.\n", 405, {"allow": "GET, HEAD"})
        else:
            answer = await anyio.to_thread.run_sync(self._answer, scope, rest)
        await answer(scope, receive, send)

    def _answer(self, scope: Scope, rest: bytes) -> Response:
        wanted = unquote_to_bytes(rest)
        if not os.path.isdir(self.path):
            return waiting(
                scope, "Not there yet", f"The folder {self.path} does not exist; as soon as it does, it is shown here."
            )
        found = self.find(wanted)
        if found is None:
            return self._missing(scope, wanted)
        path, status = found
        if stat.S_ISDIR(status.st_mode):
            return RedirectResponse(os.path.basename(path) + "/", 307)
        return _file(scope, path, status)

    def find(self, wanted: bytes) -> tuple[str, os.stat_result] | None:
        """The file (or the folder, where the slash is missing) of this path; None if it is not in here."""
        if b"\0" in wanted or b"\\" in wanted:
            return None
        parts = [os.fsdecode(part) for part in wanted.split(b"/") if part]
        if any(part in (os.curdir, os.pardir) or os.path.isabs(part) for part in parts):
            return None
        path = os.path.join(self.path, *parts)
        if wanted.endswith(b"/"):
            path = os.path.join(path, "index.html")
        root, real = os.path.realpath(self.path), os.path.realpath(path)
        if real != root and not real.startswith(root.rstrip(os.sep) + os.sep):
            return None  # a link that leads out
        try:
            status = os.stat(real)
        except (OSError, ValueError):
            return None
        if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
            return (path if stat.S_ISDIR(status.st_mode) else real), status
        return None

    def _missing(self, scope: Scope, wanted: bytes) -> Response:
        if wanted == b"/":
            return waiting(
                scope,
                "Not there yet",
                f"The folder {self.path} has no index.html; as soon as it has, it is shown here.",
            )
        if (own := self.find(b"/404.html")) is not None and stat.S_ISREG(own[1].st_mode):
            return FileResponse(own[0], 404, stat_result=own[1])
        return PlainTextResponse("There is no such file.\n", 404)


def _file(scope: Scope, path: str, status: os.stat_result) -> Response:
    answer = FileResponse(path, stat_result=status)
    answer.headers["cache-control"] = "no-cache"  # asked again each time, and answered with 304
    answer.headers["x-content-type-options"] = "nosniff"
    if _not_modified(Headers(scope=scope), answer):
        return NotModifiedResponse(answer.headers)
    return answer


def _not_modified(request: Headers, answer: FileResponse) -> bool:
    wanted = request.get("if-none-match")
    if wanted is not None:
        return answer.headers["etag"] in [tag.strip().removeprefix("W/") for tag in wanted.split(",")] or wanted == "*"
    return request.get("if-modified-since") == answer.headers["last-modified"]
