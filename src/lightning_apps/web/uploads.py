"""Files that people send: streamed to disk under a name that cannot leave its folder.  Knows not where they are kept in the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import tempfile
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from .answers import guarded, json_answer
from .bodies import BadBody, in_time
from .context import Context
from .multipart import NotMultipart, Reader, boundary_of

Keep = Callable[[str, str], None]
LONGEST = 200  # bytes of a name
FIELD = "uploaded_file"
BAD = re.compile(r"[\x00-\x1f\x7f/\\]")


def routes(context: Context) -> list[BaseRoute]:
    """`PUT /api/v1/upload_file/{filename}`."""
    keep: Keep | None = context.extra.get("keep_upload")
    if keep is None:
        return []
    limit = context.settings.upload_bytes

    async def upload(request: Request) -> Response:
        name = checked(request.path_params["filename"])
        with tempfile.TemporaryDirectory(prefix="upload-", dir=context.folder) as folder:
            path = os.path.join(folder, name)
            await save(request, path, limit)
            await asyncio.to_thread(keep, folder, name)
        return json_answer(f"Successfully uploaded '{name}' to the Drive")

    return [Route("/api/v1/upload_file/{filename:path}", guarded(context.log, context.debug)(upload), methods=["PUT"])]


def checked(name: str) -> str:
    """A name for a file that leads nowhere else.

    Raises:
        BadBody: it is none.
    """
    fits = name not in ("", ".", "..") and not BAD.search(name) and not name.startswith(".")
    try:
        fits = fits and len(name.encode()) <= LONGEST
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise BadBody(422, f"{name[:80]!r} is no name for a file: it may hold no slashes, and not begin with a dot.")
    return name


async def save(request: Request, path: str, limit: int) -> None:
    """Write the file in the request's body, whole or as the field of a form.

    Raises:
        BadBody: it is too long, or a form without such a field.
    """
    with open(path, "xb") as file:
        total = 0
        with contextlib.closing(file):
            async for part in _parts(request):
                total += len(part)
                if total > limit:
                    raise BadBody(413, f"The file is longer than the {limit} bytes that are taken here.")
                file.write(part)


async def _parts(request: Request) -> AsyncIterator[bytes]:
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/"):
        async for part in in_time(request.stream()):
            yield part
        return
    try:
        reader = Reader(boundary_of(kind), FIELD)
        async for part in in_time(request.stream()):
            yield reader.feed(part)
        reader.close()
    except NotMultipart as error:
        raise BadBody(422, str(error)) from None
