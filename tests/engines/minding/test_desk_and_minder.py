"""A desk and real minders on one machine: who is admitted, what is heard, and that nothing is left when something dies."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import socket
import sys
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from conftest import eventually, marked
from lightning_apps.engines import process_tree
from lightning_apps.engines.minding import words
from lightning_apps.engines.minding.desk import Desk
from lightning_apps.engines.minding.minder import Assignment, Started, dial, start_minder
from lightning_apps.host import distant
from lightning_apps.host.run_folder import RunFolder
from lightning_apps.model.binding import free_port
from lightning_apps.ports import Placement
from web.inside import served

MARK = "LIGHTNING_TEST_MARK"


class Bench:
    """A desk that has every worker run a piece of Python."""

    def __init__(self, folder: RunFolder, code: str, patience: float | None) -> None:
        self.mark, self.port, self.folder = uuid.uuid4().hex, free_port(), folder
        self.heard: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        out, err = folder.log_files("root.w")
        self.order = Placement(
            place="root.w@1",
            work="root.w",
            address="",
            token="",
            out=out,
            err=err,
            env={MARK: self.mark},
            patience=patience,
        )
        self.address = f"127.0.0.1:{self.port}#{distant.fingerprint(folder)}"
        self.entry = ("-c", code)
        self.started: list[Started] = []
        self.desk = self.make_desk()

    def make_desk(self) -> Desk:
        desk = Desk(distant.context(self.folder), self, lambda digest: "")
        desk.open("127.0.0.1", self.port)
        ready = threading.Event()
        desk.soon(lambda: (desk.expect(self.order, "token", self.order.patience), ready.set()))
        assert ready.wait(5.0)
        return desk

    def start(
        self, token: str = "token", orphan_limit: float = 20.0, address: str = "", mark: str = "no mark"
    ) -> Started:
        mine = Assignment("root.w@1", token, address or self.address, "n1", mark, orphan_limit, self.entry)
        self.started.append(start_minder(mine))
        return self.started[-1]

    # what the desk tells

    def here(self, place: str, word: words.Here) -> words.Begin | None:
        self.heard.put(("here", word))
        return words.Begin(self.order, "", self.order.patience, 5.0) if not word.pid else None

    def running(self, place: str, pid: int, began: str) -> None:
        self.heard.put(("running", pid))

    def ended(self, place: str, word: words.Ended) -> None:
        self.heard.put(("ended", word))
        self.desk.forget(place)

    def failed(self, place: str, reason: str) -> None:
        self.heard.put(("failed", reason))

    def until(self, what: str, timeout: float = 15.0) -> Any:
        """What came with the next word of this kind."""
        while True:
            kind, value = self.heard.get(timeout=timeout)
            if kind == what:
                return value

    def nothing_left(self) -> None:
        eventually(lambda: not marked(self.mark), 5.0, what=lambda: str(marked(self.mark)))

    def close(self) -> None:
        self.desk.close()
        for each in self.started:
            each.lifeline.close()
            each.wait()


@pytest.fixture
def bench(tmp_path) -> Iterator[Any]:
    folder = RunFolder(str(tmp_path / "run"))
    os.makedirs(folder.logs)
    distant._certificate(folder, "ray")
    made: list[Bench] = []

    def make(code: str, patience: float | None = None) -> Bench:
        made.append(Bench(folder, code, patience))
        return made[-1]

    yield make
    for each in made:
        each.close()


SLEEP = "import time; print('up', flush=True); time.sleep(1000)"
FAMILY = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    time.sleep(1000)
print("up", flush=True)
time.sleep(1000)
"""


def read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ""


def test_a_worker_runs_its_output_is_kept_and_its_exit_code_told(bench):
    scene = bench("import sys; print('hello'); print('oh', file=sys.stderr); sys.exit(7)")
    scene.start()

    assert scene.until("ended") == words.Ended(7)
    assert (read(scene.order.out), read(scene.order.err)) == ("hello\n", "oh\n")


def test_a_minder_with_a_wrong_token_starts_nothing(bench):
    scene = bench("print('never')")

    scene.start(token="wrong").wait()

    assert scene.heard.empty()
    assert read(scene.order.out) == ""


def test_a_minder_does_not_speak_with_somebody_elses_certificate(bench):
    scene = bench("print('never')")

    scene.start(address=f"127.0.0.1:{scene.port}#{'0' * 64}", orphan_limit=1.0).wait()

    assert scene.heard.empty()


def test_whoever_says_nothing_sensible_is_hung_up_on(bench):
    scene = bench("")
    for data in (b"\xff\xff\xff\xff", (4).to_bytes(4, "little") + b"what", b"GET / HTTP/1.1\r\n\r\n"):
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(socket.create_connection(("127.0.0.1", scene.port))) as sock:
            sock.sendall(data)
            sock.settimeout(15.0)
            assert sock.recv(100) == b""


def test_all_that_a_worker_started_ends_with_it_on_request(bench):
    scene = bench(FAMILY)
    scene.start()
    eventually(lambda: "up" in read(scene.order.out))

    scene.desk.soon(lambda: scene.desk.tell("root.w@1", words.End(5.0)))

    assert scene.until("ended") == words.Ended(None, signal.SIGTERM)
    scene.nothing_left()


def test_all_ends_and_is_lost_when_the_launcher_goes_away(bench):
    scene = bench(FAMILY)
    minder = scene.start()
    eventually(lambda: "up" in read(scene.order.out))

    minder.lifeline.close()

    assert scene.until("ended").lost
    scene.nothing_left()


def test_the_worker_dies_with_a_minder_that_is_killed(bench):
    scene = bench(SLEEP)
    scene.start()
    worker = scene.until("running")
    with open(f"/proc/{worker}/stat") as file:
        minder = int(file.read().rpartition(")")[2].split()[1])

    os.kill(minder, signal.SIGKILL)

    scene.nothing_left()


def test_a_worker_that_ignores_sigterm_is_killed_after_its_grace(bench):
    scene = bench("import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(1000)")
    scene.start()
    eventually(lambda: "up" in read(scene.order.out))

    scene.desk.soon(lambda: scene.desk.tell("root.w@1", words.End(0.2)))

    assert scene.until("ended") == words.Ended(None, signal.SIGKILL)


def test_a_worker_with_patience_ends_when_the_desk_is_not_heard_any_more(bench):
    scene = bench(SLEEP, patience=1.0)
    minder = scene.start()
    eventually(lambda: "up" in read(scene.order.out))

    scene.desk.close()
    minder.wait()

    scene.nothing_left()


def test_one_without_patience_goes_on_and_tells_the_next_desk_all_that_was_printed_meanwhile(bench):
    scene = bench("import time\nfor n in range(1000):\n    print(n, flush=True); time.sleep(0.01)")
    scene.start()
    eventually(lambda: "3\n" in read(scene.order.out))

    scene.desk.close()
    scene.desk = scene.make_desk()

    assert scene.until("here").pid == 0
    assert scene.until("here").pid != 0
    eventually(lambda: "300\n" in read(scene.order.out))
    lines = read(scene.order.out).splitlines()
    assert lines == [str(n) for n in range(len(lines))]


def test_an_end_that_nobody_heard_is_told_to_the_next_desk(bench):
    scene = bench("import sys; sys.stdin.close(); import time; time.sleep(0.5); sys.exit(3)")
    scene.start()
    scene.until("running")

    scene.desk.close()
    eventually(lambda: not marked(scene.mark))
    scene.desk = scene.make_desk()

    assert scene.until("ended") == words.Ended(3)


def test_an_orphan_ends_after_its_limit(bench):
    scene = bench(SLEEP)
    minder = scene.start(orphan_limit=0.5)
    eventually(lambda: "up" in read(scene.order.out))

    scene.desk.close()
    minder.wait()

    scene.nothing_left()


SERVER = """
import socket
server = socket.create_server(("127.0.0.1", {port}))
print("up", flush=True)
while True:
    sock, _ = server.accept()
    with sock:
        data = b""
        while more := sock.recv(65536):
            data += more
        sock.sendall(data[::-1])  # only when the other side has said all
"""


def test_a_tunnel_carries_both_ways_and_its_halves_close_one_by_one(bench):
    port = free_port()
    scene = bench(SERVER.format(port=port))
    scene.start()
    eventually(lambda: "up" in read(scene.order.out))
    content = os.urandom(1 << 20)

    door = scene.desk.call(scene.desk.door("root.w@1", port)).result(5.0)
    with socket.create_connection(("127.0.0.1", door), timeout=10.0) as sock:
        sender = threading.Thread(target=lambda: (sock.sendall(content), sock.shutdown(socket.SHUT_WR)))
        sender.start()
        found = b""
        while data := sock.recv(1 << 16):
            found += data
        sender.join()

    assert found == content[::-1]


ASKS = """
import os, urllib.request
print(urllib.request.urlopen(os.environ["LIGHTNING_APP_STATE_URL"] + "/x", timeout=10).read().decode(), flush=True)
print(os.environ["LIGHTNING_APP_STATE_URL"], flush=True)
"""


def test_a_worker_reaches_the_apps_server_by_a_port_of_its_own_machine(bench):
    with served(app) as address:
        scene = bench(ASKS)
        there = msgspec.structs.replace(
            scene.order, env={**scene.order.env, "LIGHTNING_APP_STATE_URL": f"http://{address}"}
        )
        scene.order = scene.desk.places["root.w@1"].order = there
        scene.start()
        eventually(lambda: read(scene.order.out).count("\n") == 2)

    said, url = read(scene.order.out).splitlines()
    assert said == "the app, asked for /x" and url.startswith("http://127.0.0.1:") and not url.endswith(address)


async def app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"the app, asked for {scope['path']}".encode()})


def test_a_stranger_is_not_passed_on_to_the_app(bench):
    scene = bench(SLEEP)

    async def knock(token: str) -> bytes:
        reader, writer = await dial(scene.address)
        writer.write(words.frame(words.ToApp("root.w@1", token)))
        data = await reader.read()
        writer.close()
        return data

    assert asyncio.run(knock("wrong")) == asyncio.run(knock("token")) == b""  # nor anybody to where no app is


def test_a_tunnel_to_where_nobody_listens_is_closed(bench):
    scene = bench(SLEEP)
    scene.start()
    scene.until("running")

    door = scene.desk.call(scene.desk.door("root.w@1", free_port())).result(5.0)
    with socket.create_connection(("127.0.0.1", door), timeout=15.0) as sock:
        assert sock.recv(1) == b""


def test_the_words_survive_their_encoding():
    order = Placement(place="a@1", work="a", address="tls:x:1#f", token="t", env={"A": "b"}, patience=2.0)
    for word in (words.Begin(order, "p", 2.0, 5.0, ("x",)), words.GoOn(1, 2), words.Beaten(3, 4, 5), words.Part(b"x")):
        assert words.to_minder(words.frame(word)[4:]) == word
    with pytest.raises(msgspec.DecodeError):
        words.from_minder(b"\x00")


def test_the_interpreter_is_this_one_where_nothing_is_asked_for():
    from lightning_apps.engines.minding import surroundings

    assert surroundings.interpreter(()) == sys.executable


def test_what_a_minder_left_that_was_killed_with_its_launcher_is_ended_by_the_next_one_there(
    bench, monkeypatch, tmp_path
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    scene = bench(FAMILY)
    scene.order = msgspec.structs.replace(scene.order, exchange="127.0.0.1:1")
    scene.start(mark="first")
    worker = scene.until("running")
    eventually(lambda: "up" in read(scene.order.out))

    os.kill(process_tree.look(worker).parent, signal.SIGKILL)
    eventually(lambda: process_tree.look(worker) is None)
    left = marked(scene.mark)
    scene.entry = ("-c", "pass")
    scene.start(mark="second")

    assert len(left) == 2
    scene.nothing_left()
