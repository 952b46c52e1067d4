"""The board: what was published last, for any number of readers, without asking the core.  Belongs to the web's thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ..base.encoding import decode, decode_change
from ..base.messages import Change, Transferred
from ..base.published import Arranged, Came, Part, Published, Went
from ..base.showing import encode
from ..base.status import AppStage
from .node import Node

Listener = Callable[[str, list[bytes]], None]


class Board:
    """Catches up with what the host published whenever it is read.

    Args:
        incoming: the host appends to it, on its own thread.
        generation: which host of this run publishes; with the turn it makes a version that only grows.

    Attributes:
        turn: the turn that was published last; 0: none yet.
        at: when that was, in wall time.
        listener: is told of everything that changes, as programs that have only the JSON understand it.
    """

    def __init__(self, incoming: deque[Published | Transferred | str], generation: int) -> None:
        self._incoming, self.generation = incoming, generation
        self.nodes: dict[str, Node] = {}
        self.turn, self.at = 0, 0.0
        self.stage, self.is_ready = AppStage.RUNNING, False
        self.listener: Listener | None = None
        self._state: bytes | None = None

    # -- reading -------------------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Take in what was published since the last time."""
        incoming = self._incoming
        while incoming:
            published = incoming.popleft()
            if isinstance(published, str):
                self._to_stage(published)
            elif isinstance(published, Transferred):
                self._transferred(published)
            else:
                self._take(published)

    @property
    def version(self) -> str:
        """Names what is here: "2.117", the host's number and the turn's."""
        return f"{self.generation}.{self.turn}"

    def version_of(self, node: Node) -> str:
        """Names what one component is, without what is below it."""
        return f"{self.generation}.{node.version}"

    def state(self) -> bytes:
        """Everything, in the shape of `app.state_vars`, as JSON."""
        if self._state is None:
            root = self.nodes.get("root")
            if root is None:
                return b"{}"
            self._state = root.json()[:-1] + b',"app_state":{"stage":' + encode(self.stage) + b"}}"
        return self._state

    def status(self) -> dict[str, Any]:
        """As `app.status`: whether the page can be shown, and the last status of every work."""
        works = {node.name: node.statuses[-1] for node in self.nodes.values() if node.statuses}
        return {"is_ui_ready": self.is_ready, "work_statuses": works}

    # -- taking in -----------------------------------------------------------------------------------------

    def _take(self, published: Published) -> None:
        self.turn, self.at, self._state = published.turn, published.at, None
        news: list[bytes] = []
        if published.whole:
            self.nodes = {}
        for move in published.moves:
            MOVES[type(move)](self, move, news)
        for name, parts in published.changes.items():
            self._changed(name, parts, news)
        for name, statuses in published.statuses.items():
            if (node := self.nodes.get(name)) is not None:
                node.statuses = statuses
                news.append(encode({"component": name, "op": "status", "value": statuses}))
        if published.ready is not None:
            self.is_ready = published.ready
            news.append(encode({"op": "ready", "value": self.is_ready}))
        self._tell(news)

    def _to_stage(self, stage: str) -> None:
        self.stage, self._state = stage, None
        self._tell([encode({"op": "stage", "value": stage})])

    def _transferred(self, event: Transferred) -> None:
        told = {name: getattr(event.message, name) for name in event.message.__struct_fields__}
        component = event.place.rpartition("@")[0]
        if component in self.nodes:
            self._tell([encode({"component": component, "op": "transfer", "value": told})])

    def _tell(self, news: list[bytes]) -> None:
        if self.listener is not None and news:
            self.listener(self.version, news)

    def _came(self, move: Came, news: list[bytes]) -> None:
        node = Node(move.name, move.place, move.is_flow, decode(move.values), self.turn)
        node.kind, node.options = move.kind, move.options
        node.structures = {key: {"works": {}, "flows": {}} for key in move.structures}
        if move.place:
            node.parent = self.nodes[move.parent]
            node.parent.holder_of(move.place[len(node.parent.place) :])[move.place[-1]] = node
            node.parent.outdated()
        self.nodes[move.name] = node
        if self.listener is not None:
            value = {"place": move.place, "is_flow": move.is_flow, "vars": node.values, "structures": move.structures}
            news.append(encode({"component": move.name, "op": "came", "value": value}))

    def _went(self, move: Went, news: list[bytes]) -> None:
        if move.name not in self.nodes:  # it came and went within one turn
            return
        for name in [name for name in self.nodes if name == move.name or name.startswith(f"{move.name}.")]:
            node = self.nodes.pop(name)
            if name == move.name and node.parent is not None:
                _take_out(node.parent, node)
                node.parent.outdated()
        news.append(encode({"component": move.name, "op": "went"}))

    def _arranged(self, move: Arranged, news: list[bytes]) -> None:
        node = self.nodes.get(move.flow)
        if node is None:
            return
        if move.there:
            node.structures.setdefault(move.key, {"works": {}, "flows": {}})
        else:
            node.structures.pop(move.key, None)
        node.stale(move.key, self.turn)
        news.append(encode({"component": move.flow, "op": "structure", "path": [move.key], "value": move.there}))

    def _changed(self, name: str, parts: dict[str, Part | list[Part]], news: list[bytes]) -> None:
        node = self.nodes.get(name)
        if node is None:
            return
        for attribute, part in parts.items():
            for each in part if isinstance(part, list) else (part,):
                change = each if isinstance(each, Change) else decode_change(each)
                told = node.apply(change)
                if told is not None and self.listener is not None:
                    news.append(encode({"component": name, **told}))  # at once: what is in it goes on changing
            node.stale(attribute, self.turn)


MOVES: dict[type, Callable[[Board, Any, list[bytes]], None]] = {
    Came: Board._came,
    Went: Board._went,
    Arranged: Board._arranged,
}


def _take_out(parent: Node, node: Node) -> None:
    holders = [parent.flows, parent.works, *[held for each in parent.structures.values() for held in each.values()]]
    for holder in holders:
        for key in [key for key, child in holder.items() if child is node]:
            del holder[key]
