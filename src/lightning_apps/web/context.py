"""What every group of routes is given.  Knows nothing of routes."""

from __future__ import annotations

from typing import Any

from ..base.log import Log
from ..base.settings import Settings, as_prefix
from ..model.app import LightningApp
from ..ports import Desk
from .access import Access
from .board import Board
from .crossing import Secrets
from .feed import Feed
from .postbox import Postbox


class Context:
    """One for a server.

    Attributes:
        app: for what never changes while it runs (its info, its classes); its state is on the board.
        board: to read; call `board.catch_up()` before.
        feed: what changed lately; `postbox.eager` while somebody waits for it.
        desk: to ask the flow's thread.
        access: who may enter.
        folder: the run's folder.
        address: "http://127.0.0.1:7501".
        secrets: what servers behind its doors neither see nor set, beside what the gate takes off.
        extra: what other parts of the host hand to their own routes, by name.
    """

    def __init__(
        self,
        app: LightningApp,
        settings: Settings,
        log: Log,
        board: Board,
        feed: Feed,
        postbox: Postbox,
        desk: Desk,
        access: Access,
        folder: str,
        address: str,
        extra: dict[str, Any],
    ) -> None:
        self.app, self.settings, self.log = app, settings, log
        self.board, self.feed, self.postbox, self.desk, self.access = board, feed, postbox, desk, access
        self.folder, self.address, self.extra = folder, address, extra
        self.secrets = Secrets(cookies=frozenset({access.cookie}))

    @property
    def root_path(self) -> str:
        """The prefix under which a proxy in front shows this app; "" for none, and without a slash at its end."""
        return as_prefix(self.settings.root_path or self.app.root_path)

    @property
    def debug(self) -> bool:
        """Whether answers may tell tracebacks."""
        return self.settings.tell_tracebacks
