"""The state as it changes, over WebSockets: nothing is missed, and nobody's slowness costs others anything."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import resource
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from core.talk import Talk
from lightning_apps.base import messages as m
from lightning_apps.web.board import Board
from lightning_apps.web.feed import BYTES, ENTRIES, Feed
from web.test_board import Root, follow

APP = """
import time
import lightning as L

class Work(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.n, self.table = 0, {}

    def run(self, go):
        for n in range(1, 201):
            self.n = n
            self.table[n % 7] = [n]
            time.sleep(0.005)

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.w, self.go, self.seen, self.late = Work(), 0, 0, None

    def run(self):
        if self.go:
            self.w.run(self.go)
        self.seen = self.w.n
        if self.seen > 20 and self.late is None:
            self.late = Work()

app = L.LightningApp(Root())
"""


class Copy:
    """What a program has that reads a stream."""

    def __init__(self) -> None:
        self.state: Any = None
        self.version, self.kinds = "", []
        self.places: dict[str, Any] = {}
        self.numbers: list[int] = []

    def hear(self, text: str) -> None:
        told = json.loads(text)
        self.version = told["version"]
        self.kinds.append(told["type"])
        if told["type"] == "snapshot":
            self.state = told["state"]
            self.places = {"root": []}
            for name in ("w", "late"):
                if name in self.state["works"]:
                    self.places[f"root.{name}"] = ["works", name]
            return
        for each in told["changes"]:
            if each["op"] == "stage":
                self.state["app_state"]["stage"] = each["value"]
            follow(self.state, self.places, each)
            if each["op"] == "set" and each["path"] == ["n"]:
                self.numbers.append(each["value"])


def start(app: Any) -> None:
    app.http.patch("/api/v1/state", json=[{"op": "replace", "path": "/vars/go", "value": 1}])


@contextlib.contextmanager
def stream(app: Any, path: str = "/api/v1/stream") -> Iterator[Any]:
    with connect(app.address.replace("http", "ws") + path, max_size=None) as socket:
        yield socket


def test_a_snapshot_and_every_change_after_it_make_the_state(serve: Any) -> None:
    app, copy = serve(APP), Copy()

    with stream(app) as socket:
        copy.hear(socket.recv())
        start(app)
        while copy.state["vars"]["seen"] < 200:
            copy.hear(socket.recv(timeout=20))
        app.until(lambda state: state["vars"]["seen"] == 200)
        with contextlib.suppress(TimeoutError):
            while True:
                copy.hear(socket.recv(timeout=0.3))

    assert copy.kinds[0] == "snapshot" and set(copy.kinds[1:]) == {"changes"}
    assert copy.state == app.state()
    assert copy.numbers == sorted(copy.numbers) and copy.numbers[-1] == 200


def test_a_reader_that_comes_back_is_told_what_it_missed_and_no_more(serve: Any) -> None:
    app, copy = serve(APP), Copy()
    with stream(app) as socket:
        copy.hear(socket.recv())
        start(app)
        while copy.state["vars"]["seen"] < 50:
            copy.hear(socket.recv(timeout=20))
    app.until(lambda state: state["vars"]["seen"] == 200)

    with stream(app, f"/api/v1/stream?from={copy.version}") as socket:
        copy.hear(socket.recv(timeout=20))
        while copy.state["vars"]["seen"] < 200:
            copy.hear(socket.recv(timeout=20))

    assert copy.kinds.count("snapshot") == 1
    assert copy.state["works"]["w"]["vars"] == app.state()["works"]["w"]["vars"]
    with stream(app, "/api/v1/stream?from=9.9") as socket:
        assert json.loads(socket.recv())["type"] == "snapshot"


def test_the_older_counter_grows_with_the_state(serve: Any) -> None:
    app = serve(APP)

    with stream(app, "/api/v1/ws") as socket:
        first = int(socket.recv(timeout=20))
        start(app)
        assert int(socket.recv(timeout=20)) > first


def test_more_streams_than_allowed_are_told_to_try_later(serve: Any) -> None:
    app = serve(APP, env={"LIGHTNING_STREAMS": "2"})

    with stream(app) as one, stream(app) as two:
        one.recv(), two.recv()
        with pytest.raises(Exception, match=r"403|1013"), stream(app) as three:
            three.recv(timeout=5)
    with stream(app) as again:
        assert json.loads(again.recv())["type"] == "snapshot"


def test_streams_end_with_the_app(serve: Any) -> None:
    app = serve(APP)

    with stream(app) as socket:
        socket.recv()
        app.process.interrupt()
        with pytest.raises(ConnectionClosed):
            while True:
                socket.recv(timeout=10)
    assert app.process.wait() == 130


@pytest.mark.slow
def test_two_thousand_readers_all_see_the_end(serve: Any) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip(f"only {hard} files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    app = serve(APP)
    app.until(lambda state: state["works"]["w"]["vars"]["_internal_ip"])
    url = app.address.replace("http", "ws") + "/api/v1/stream"

    async def read(ready: asyncio.Semaphore, open_now: list[int]) -> Any:
        async with ready, connect_async(url, max_size=None, open_timeout=60, compression=None) as socket:
            copy = Copy()
            copy.hear(await socket.recv())
            open_now.append(1)
            ready.release()  # the next may come while this one stays
            while copy.state["vars"]["seen"] < 200:
                copy.hear(await asyncio.wait_for(socket.recv(), 60))
            await ready.acquire()
            return copy.state["works"]["w"]["vars"]["n"]

    async def all_of_them() -> list[Any]:
        ready, open_now = asyncio.Semaphore(50), []
        tasks = [asyncio.create_task(read(ready, open_now)) for _ in range(2000)]
        while len(open_now) < 2000:
            await asyncio.sleep(0.05)
            for task in tasks:
                if task.done():
                    task.result()
        await asyncio.to_thread(start, app)
        return await asyncio.gather(*tasks)

    assert asyncio.run(all_of_them()) == [200] * 2000
    assert app.get("/healthz") == {"status": "ok"}
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# the feed alone ------------------------------------------------------------------------------------------------------


def fed(turns: int, value: Any = 0, spent: Any = time.thread_time) -> tuple[Feed, Board, int]:
    """A feed that saw so many turns of a flow that counts, and where a reader began."""
    talk = Talk(Root())
    board = Board(deque([talk.core.show_all()]), 1)
    feed = Feed(board, asyncio.new_event_loop(), spent)
    feed.follow()
    number = feed.now
    for n in range(turns):
        talk.now += 0.001
        talk.tell(m.Asked(str(n), "root", "do", (lambda root, n=n: setattr(root, "n", [n, value]),)))
        board._incoming.append(talk.outcome.published)
    board.catch_up()
    return feed, board, number


def test_a_slow_reader_gets_the_changes_it_missed_in_one_message() -> None:
    feed, board, number = fed(5)

    told = json.loads(feed.since(number) or "")

    assert [each["value"][0] for each in told["changes"] if each.get("path") == ["n"]] == [0, 1, 2, 3, 4]
    assert told["version"] == board.version


def test_a_very_slow_reader_gets_the_whole_state_instead() -> None:
    feed, _, number = fed(300, "x" * 1000)

    assert feed.since(number) is None
    assert feed.since(feed.now - 2) is not None


def test_what_is_kept_for_readers_is_bounded() -> None:
    feed, _, number = fed(ENTRIES + 10)
    assert len(feed._entries) <= ENTRIES and feed.since(number) is None

    feed, _, _ = fed(40, "x" * (BYTES // 10))
    assert sum(len(entry.changes) for entry in feed._entries) <= BYTES


@pytest.mark.parametrize(("cost", "waits"), [(0.0, False), (60.0, True)])
def test_a_delivery_is_followed_by_a_pause_only_for_what_it_cost(cost: float, waits: bool) -> None:
    feed, _, _ = fed(1, spent=itertools.count(0.0, cost).__next__)

    async def deliver_twice() -> None:
        for _ in range(2):
            feed._news = True
            feed.deliver()
            await asyncio.sleep(0)  # those whom it woke

    feed._loop.run_until_complete(deliver_twice())

    assert (feed._timer is not None) == waits


def test_readers_are_told_how_far_a_transfer_is_and_the_state_stays_what_it_was() -> None:
    feed, board, _ = fed(1)
    number, before = feed.now, (board.version, board.state())

    board._incoming.append(m.Transferred("root@1", m.Transfer("fetching", "big", 1 << 30, 1 << 31, 1.5)))
    board._incoming.append(m.Transferred("root.nobody@1", m.Transfer("fetching", "big", 1, 2, 1.5, True)))
    board.catch_up()

    told = json.loads(feed.since(number) or "")
    value = {"doing": "fetching", "what": "big", "done": 1 << 30, "size": 1 << 31, "seconds": 1.5, "over": False}
    assert told["changes"] == [{"component": "root", "op": "transfer", "value": value}]
    assert (board.version, board.state()) == before


def test_a_version_is_found_as_long_as_it_is_kept() -> None:
    feed, board, number = fed(3)
    versions = [entry.version for entry in feed._entries]

    assert feed.after(versions[0]) == number + 1
    assert feed.after(board.version) == feed.now
    assert feed.after("1.0") is None
    feed.rest()
    assert feed.after(versions[0]) is None and not feed._entries
