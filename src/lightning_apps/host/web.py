"""The host's web: a port that listens from the start, and a thread that serves it from the first connection on.

Until somebody connects nothing of the web is imported; what is published is kept, and taken in now and then.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from ..base.errors import PortInUse
from ..base.log import Log
from ..base.messages import Event, Reply, Transferred
from ..base.published import Published
from ..base.settings import Settings, as_prefix, browser_wanted, of_component, page_elsewhere
from ..model.app import LightningApp
from ..storage.drive import Drive
from ..web.access import component_token
from ..web.board import Board
from ..web.postbox import Postbox
from . import distant, entry
from .run_folder import RunFolder, write_json

USUAL = 7501
TURN_TAKING = 0.0005  # seconds after which the flow's thread gets the interpreter from a busy web (Python's own: 0.005)
UPLOADED, FILE_SERVER = "lit://uploaded_files", "file_server"
FILE = "web.json"
BACKLOG = 2048
GOODBYE = 3.0  # seconds that its thread has to end


class Address(msgspec.Struct):
    """Where a run is served, for the next host of it and for its user's other terminals.

    Attributes:
        url: as this machine reaches it.
        token: lets its user in; "" where none is asked for.
        certificate: the file it shows, with HTTPS.
    """

    host: str
    port: int
    url: str = ""
    token: str = ""
    certificate: str = ""


class Web:
    """Bound and listening as soon as it is made.

    Args:
        put: gives an event to the flow's thread; may be called from any.

    Attributes:
        address: "http://127.0.0.1:7501".
        extra: what other parts of the host hand to their own routes.

    Raises:
        PortInUse: the port that was asked for is taken.
    """

    def __init__(
        self,
        app: LightningApp,
        settings: Settings,
        folder: RunFolder,
        log: Log,
        generation: int,
        put: Callable[[Event], None],
    ) -> None:
        self._app, self._settings, self._folder, self._log, self._put = app, settings, folder, log, put
        entry.check_certificate(settings)
        self._socket = _listen(settings, folder)
        self.port: int = self._socket.getsockname()[1]
        root_path = as_prefix(settings.root_path or app.root_path)
        self.access = entry.access_of(settings, folder, self.port, root_path)
        self._plain = _for_other_machines(settings, folder)
        if self._plain is not None:
            self.access = self.access._replace(asking=self._plain.getsockname()[1])
        self._links = entry.links(settings, self.access, self.port, root_path)
        self.address = self._links.address
        self._certificate = os.path.abspath(settings.tls_cert) if settings.tls_cert else ""
        token = self.access.operator if self.access.everybody or self.access.basic else ""
        known = Address(settings.host, self.port, self.address, token, self._certificate)
        write_json(os.path.join(folder.path, FILE), known)
        self.extra: dict[str, Any] = {"keep_upload": _keep_upload}
        self._postbox = Postbox()
        self._board = Board(self._postbox.items, generation)
        self._stage = ""
        self._service: Any = None
        self._closed = self._ending = False
        self._wake_out, self._wake_in = os.pipe()
        for end in (self._wake_out, self._wake_in):
            os.set_blocking(end, False)
        self._thread = threading.Thread(target=self._run, name="lightning-web", daemon=True)

    # -- the flow's thread ---------------------------------------------------------------------------------

    def open(self, whole: Published, shows: bool) -> None:
        """Begin to serve, now that there is something to show.

        Args:
            shows: whether there is more to see than what every app has; then a browser is opened.
        """
        self.publish(whole, self._app.stage)
        self._postbox.wake = self._nudge
        self._thread.start()
        self._log.info(f"Your app has started. View it in your browser: {self._links.operator}")
        if self._links.elsewhere:
            self._log.info(self._links.elsewhere)
        if self._links.viewer:
            self._log.info(f"Whoever shall only look at it: {self._links.viewer}")
        if shows and self._settings.open_ui and browser_wanted():
            url = page_elsewhere() or entry.to_open(self._folder, self._links)
            threading.Thread(target=_open_browser, args=(url,), name="lightning-browser", daemon=True).start()

    def surroundings(self, component: str, placed: bool = False) -> dict[str, str]:
        """What tells a component's process where its app is, and lets it in; `placed`: it may be on another machine."""
        token = component_token(self.access, component or "root")
        if placed and self.access.asking:
            return of_component(f"http://127.0.0.1:{self.access.asking}", token, component)
        return of_component(self.address, token, component, self._certificate)

    def publish(self, published: Published | None, stage: str) -> None:
        """After a turn: what readers will see."""
        if stage != self._stage:
            self._stage = stage
            self._postbox.put(stage)
        if published is not None:
            self._postbox.put(published)

    def tell(self, event: Transferred) -> None:
        """What readers of the stream may see, and nobody keeps; on any thread."""
        self._postbox.put(event)

    def answer(self, reply: Reply) -> bool:
        """Whether it was the web that had asked; it is told."""
        if self._service is None or not reply.id.startswith("web "):
            return False
        self._service.desk.answer(reply)
        return True

    def ending(self, stage: str) -> None:
        """The flow has run for the last time: requests are refused from here on, and the state can still be read."""
        self.publish(None, stage)
        self._ending = True
        if self._service is not None:
            self._service.no_more()

    def close(self) -> None:
        """Let go of everything; answers under way are finished."""
        self._closed = True
        if self._service is not None:
            self._service.stop()
        self._nudge()
        if self._thread.is_alive():
            self._thread.join(GOODBYE)
        self._socket.close()
        if self._plain is not None:
            self._plain.close()
        os.close(self._wake_in)
        os.close(self._wake_out)

    def _nudge(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._wake_in, b".")

    # -- its own thread ------------------------------------------------------------------------------------

    def _run(self) -> None:
        self._until_somebody_comes()
        if self._closed:
            return
        try:
            module = importlib.import_module("lightning_apps.web.serve")  # takes long, so only now
        except ImportError as error:
            self._log.error(
                f"The app cannot be served: {error}. Install what is missing with: pip install lightning-apps"
            )
            return
        service = module.Service(
            self._app, self._settings, self._log, self._board, self._postbox, self._put, self.access,
            self._folder.path, self.address, self.extra,
        )  # fmt: skip
        self._service = service
        if self._ending:
            service.no_more()
        if self._closed:
            service.stop()
        before = sys.getswitchinterval()
        sys.setswitchinterval(TURN_TAKING)
        try:
            service.run(self._socket, lambda: None, self._plain)
        finally:
            sys.setswitchinterval(before)

    def _until_somebody_comes(self) -> None:
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        poll.register(self._wake_out, select.POLLIN)
        doors = [each.fileno() for each in (self._socket, self._plain) if each is not None]
        for door in doors[1:]:
            poll.register(door, select.POLLIN)
        while not self._closed:
            ready = [descriptor for descriptor, _ in poll.poll()]
            if set(doors) & set(ready):
                return
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_out, 4096)
            self._postbox.heard()
            self._board.catch_up()


def _keep_upload(folder: str, name: str) -> None:
    """A file that somebody sent goes into a drive, where works find it."""
    Drive(UPLOADED, allow_duplicates=True, component_name=FILE_SERVER, root_folder=folder).put(name)


def _open_browser(url: str) -> None:
    with contextlib.suppress(Exception):  # it is a service, and the URL was printed
        webbrowser = importlib.import_module("webbrowser")
        webbrowser.open(url)


def _listen(settings: Settings, folder: RunFolder) -> socket.socket:
    """The port that was asked for, or the one that an earlier host of this run had, or the usual one, or any."""
    path = os.path.join(folder.path, FILE)
    former = _former(path, settings.host)
    wanted = {None: [former, USUAL, 0], 0: [former, 0]}.get(settings.port, [settings.port])
    error: OSError | None = None
    for port in dict.fromkeys(port for port in wanted if port is not None):
        try:
            bound = _bind(settings.host, port)
        except OSError as failure:
            error = failure
            continue
        return bound
    where = f"{settings.host}:{settings.port}" if settings.port else settings.host
    raise PortInUse(f"The app cannot be served on {where}: {error.strerror if error else 'no such address'}.")


def _for_other_machines(settings: Settings, folder: RunFolder) -> socket.socket | None:
    """Where the desk passes on what works on other machines ask; a later host has the same port."""
    if settings.link != "tls":
        return None
    port = distant.port_of(folder, "web.port")
    try:
        return _bind("127.0.0.1", port)
    except OSError as error:
        raise PortInUse(
            f"Works on other machines cannot reach the app at 127.0.0.1:{port}: {error.strerror}."
        ) from None


def _former(path: str, host: str) -> int | None:
    try:
        with open(path, "rb") as file:
            found = msgspec.json.decode(file.read(), type=Address)
    except (OSError, msgspec.DecodeError):
        return None
    return found.port if found.host == host else None


def _bind(host: str, port: int) -> socket.socket:
    name = host or "0.0.0.0"
    known = name.encode() if name.isascii() else name  # of text, the codec for international names would be loaded
    family, kind, protocol, _, address = socket.getaddrinfo(known, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
        bound.setblocking(False)
    except OSError:
        bound.close()
        raise
    return bound
