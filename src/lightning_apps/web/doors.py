"""The front door: every frontend (`/f/NAME/`) and every work's server (`/w/NAME/`) under the app's one port.

Knows which address is behind a name, because it is told; starts nothing and looks for nothing.
"""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from .access import OPERATOR, SAFE
from .behind import Behind, Doors
from .context import Context
from .crossing import LOCAL_NAMES, Door, Secrets
from .folder import Folder
from .inner import Pool, Unreachable, keep_room
from .proxy import Proxy
from .relay import relay
from .waiting import waiting

KINDS = {b"f": "f", b"w": "w"}


def routes(context: Context) -> list[BaseRoute]:
    """`/f/…` and `/w/…`, whatever the method."""
    doors = context.extra.get("doors")
    if not isinstance(doors, Doors):
        return []
    keep_room()
    front = FrontDoor(doors, context.secrets, context.root_path)
    return [Mount("/f", app=front), Mount("/w", app=front)]


class FrontDoor:
    """The ASGI application at `/f/` and `/w/`.

    Args:
        doors: which of them there are.
        secrets: what is not told to servers inside.
        root_path: the prefix under which a proxy in front shows the app, as frontends have to know it.
    """

    def __init__(self, doors: Doors, secrets: Secrets | None = None, root_path: str = "") -> None:
        self._doors, self._secrets, self._root_path = doors, secrets or Secrets(), root_path.rstrip("/")
        self._pool = Pool()
        self._proxy = Proxy(self._pool, self._secrets)
        self._folders: dict[str, Folder] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind, name, rest = _parts(scope)
        behind = self._doors.get(f"{kind}/{name}")
        if behind is None:
            sentence = f"The app has no {'page' if kind == 'f' else 'server'} of the name {name!r} now."
            await self._say(scope, receive, send, waiting(scope, "Nothing here", sentence, again=False, status=404))
        elif not (behind.viewers or _reads(scope, behind) or _scope(scope) == OPERATOR):
            sentence = f"What runs at {name!r} can do more than show, so a link to look at the app does not lead there."
            await self._say(scope, receive, send, waiting(scope, "Not for viewers", sentence, again=False, status=403))
        elif rest is None:
            await self._say(scope, receive, send, _to_the_folder(scope, name))
        elif not behind.ready:
            await self._say(scope, receive, send, _not_yet(scope, name, behind))
        elif behind.folder:
            await self._folder(behind.folder)(scope, receive, send, rest)
        else:
            await self._carry(scope, receive, send, behind, f"/{kind}/{quote(name)}", rest)

    async def _carry(self, scope: Scope, receive: Receive, send: Send, behind: Behind, path: str, rest: bytes) -> None:
        door = Door(
            address=behind.address,
            base=self._root_path + path,
            inside=self._root_path + path if behind.inside is None else behind.inside,
            names=_names(behind.address),
        )
        try:
            if scope["type"] == "websocket":
                await relay(scope, receive, send, door, rest, self._secrets)
            else:
                await self._proxy.forward(scope, receive, send, door, rest)
        except Unreachable:
            self._pool.forget(behind.address)
            answer = waiting(scope, path.rpartition("/")[2], "Its server does not answer at the moment.")
            await self._say(scope, receive, send, answer)

    def _folder(self, path: str) -> Folder:
        found = self._folders.get(path)
        if found is None:
            found = self._folders[path] = Folder(path)
        return found

    async def _say(self, scope: Scope, receive: Receive, send: Send, answer: Response) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1013})
        else:
            app: ASGIApp = answer
            await app(scope, receive, send)

    def close(self) -> None:
        """Let go of all connections; on the server's thread."""
        self._pool.close()


def _scope(scope: Scope) -> str:
    """What whoever asks may do; the gate says it."""
    return str(scope.get("state", {}).get("scope", OPERATOR))


def _reads(scope: Scope, behind: Behind) -> bool:
    return bool(behind.folder) and scope["type"] == "http" and scope["method"] in SAFE


def _parts(scope: Scope) -> tuple[str, str, bytes | None]:
    """Kind, name and the raw rest of the path, None where not even a slash follows the name."""
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    root = quote(scope.get("app_root_path", scope.get("root_path", ""))).encode()
    path = raw[len(root) :] if root and raw.startswith(root + b"/") else raw
    parts: list[bytes] = path.split(b"/", 3)
    kind, name = parts[1], parts[2] if len(parts) > 2 else b""
    plain = unquote_to_bytes(name).decode("utf-8", "replace")
    return KINDS.get(kind, ""), plain, b"/" + parts[3] if len(parts) > 3 else None


def _to_the_folder(scope: Scope, name: str) -> Response:
    """A relative link, as nobody knows what is in front of us."""
    query = scope.get("query_string", b"").decode("latin-1")
    return RedirectResponse(f"{quote(name)}/{'?' + query if query else ''}", 307)


def _not_yet(scope: Scope, name: str, behind: Behind) -> Response:
    return waiting(scope, name, behind.waits or "It has not begun.", again=not behind.failed)


def _names(address: str) -> tuple[str, ...]:
    if address.startswith("unix:"):
        return ()
    port = address.rpartition(":")[2]
    return (address, *(f"{name}:{port}" for name in LOCAL_NAMES))
