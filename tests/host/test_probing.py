"""The prober: asks until somebody answers, the right path, and lets go."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lightning_apps.host.probing import Answer, Prober

Eventually = Callable[..., Any]


class Server:
    """Answers each path as it is told to; keeps what it was asked."""

    def __init__(self, answers: dict[str, bytes], listener: socket.socket) -> None:
        self.answers, self.listener, self.asked = answers, listener, list[str]()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self.listener.accept()
                with line:
                    path = line.recv(4096).split(b" ")[1].decode()
                    self.asked.append(path)
                    line.sendall(self.answers.get(path, b"HTTP/1.1 404 Not Found\r\n\r\n") + bytes(1 << 18))
            except (OSError, IndexError):
                if self.listener.fileno() < 0:
                    return


def ok(status: int = 200) -> bytes:
    return b"HTTP/1.1 %d X\r\n\r\n" % status


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        yield found


@pytest.fixture
def prober() -> Iterator[Prober]:
    made = Prober(sometimes=0.05)
    yield made
    made.close()


def address(listener: socket.socket) -> str:
    return f"127.0.0.1:{listener.getsockname()[1]}"


def test_it_is_told_once_somebody_answers(prober: Prober, eventually: Eventually) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        where = found.getsockname()
    told: list[Answer] = []
    prober.watch("a", f"127.0.0.1:{where[1]}", ["/"], told.append)

    with socket.create_server(where) as listener:
        Server({"/": ok()}, listener)
        eventually(lambda: told)

    assert told == [Answer("/", 200)]


def test_a_server_that_is_not_ready_yet_is_asked_again(
    prober: Prober, listener: socket.socket, eventually: Eventually
) -> None:
    server = Server({"/": ok(503)}, listener)
    told: list[Answer] = []
    prober.watch("a", address(listener), ["/"], told.append)
    eventually(lambda: len(server.asked) > 2)
    assert not told

    server.answers["/"] = ok(401)

    assert eventually(lambda: told) == [Answer("/", 401)]


def test_the_first_path_that_is_there_counts_and_else_the_first(
    prober: Prober, listener: socket.socket, eventually: Eventually
) -> None:
    Server({"/b": ok()}, listener)
    told: list[Answer] = []
    prober.watch("a", address(listener), ["/a", "/b"], told.append)
    eventually(lambda: told)
    prober.watch("a", address(listener), ["/c", "/d"], told.append)
    eventually(lambda: len(told) == 2)

    assert told == [Answer("/b", 200), Answer("/c", 404)]


def test_words_of_another_kind_are_an_answer_too(
    prober: Prober, listener: socket.socket, eventually: Eventually
) -> None:
    Server({"/": b"-ERR unknown command\r\n"}, listener)
    told: list[Answer] = []
    prober.watch("a", address(listener), ["/"], told.append)

    assert eventually(lambda: told) == [Answer("/", 0)]


def test_a_server_on_a_unix_socket_is_found(prober: Prober, tmp_path: Path, eventually: Eventually) -> None:
    told: list[Answer] = []
    prober.watch("a", f"unix:{tmp_path}/s", ["/"], told.append)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/s")
        listener.listen()
        Server({"/": ok()}, listener)

        assert eventually(lambda: told) == [Answer("/", 200)]


def test_what_is_dropped_is_asked_no_more(prober: Prober, listener: socket.socket, eventually: Eventually) -> None:
    server = Server({"/": ok(503), "/other": ok()}, listener)
    told: list[Answer] = []
    prober.watch("a", address(listener), ["/"], told.append)
    eventually(lambda: server.asked)

    prober.drop("a")
    prober.watch("b", address(listener), ["/other"], told.append)
    eventually(lambda: told)
    asked = server.asked.count("/")
    server.answers["/"] = ok()
    prober.watch("b", address(listener), ["/other"], told.append)
    eventually(lambda: len(told) == 2)

    assert server.asked.count("/") == asked


def test_closing_ends_its_thread_even_while_somebody_does_not_answer(
    listener: socket.socket, eventually: Eventually
) -> None:
    prober = Prober()
    prober.watch("a", address(listener), ["/"], lambda answer: None)
    line, _ = listener.accept()
    prober.close()

    assert not any(thread.name == "lightning-probes" for thread in threading.enumerate())
    line.close()
