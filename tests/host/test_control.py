"""Questions to a host from another terminal: who may ask, and what."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightning_apps.base import messages as m
from lightning_apps.base.errors import RunError
from lightning_apps.base.settings import Settings
from lightning_apps.host import control, run_folder
from lightning_apps.host.control import Control, Question
from lightning_apps.wire.link import dial
from lightning_apps.wire.pump import Pump


class Listening:
    """A host that does nothing but answer: `retry` is done, `stop` cannot be, of the work root.w."""

    def __init__(self, settings: Settings, folder: Any) -> None:
        self.asked: list[m.Asked] = []
        self.abandoned: list[str] = []
        self.pump, self.over = Pump(), False
        self.control = Control(
            settings, folder, self.pump, self.pump.put, lambda name: name == "root.w", lambda: {"turn": 3}, self.abandon
        )
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def abandon(self, name: str) -> str:
        self.abandoned.append(name)
        return "" if len(self.abandoned) == 1 else "it is running"

    def serve(self) -> None:
        while not self.over:
            for asked in self.pump.take(None):
                if asked is None:
                    return
                self.asked.append(asked)
                error = ValueError("cannot be stopped") if asked.method == "stop" else None
                assert self.control.answer(asked.id, error)

    def end(self) -> None:
        self.pump.put(None)
        self.thread.join()
        self.control.close()
        self.pump.close()


@pytest.fixture(params=["unix", "tcp"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    settings = Settings(run_dir=str(tmp_path), link=request.param)
    folder = run_folder.create(settings)
    listening = Listening(settings, folder)
    yield listening, folder
    listening.end()


def test_what_is_asked_becomes_an_event_and_its_reply_the_answer(host: Any) -> None:
    listening, folder = host

    assert control.ask(folder, Question("retry", "root.w")) == {}

    (asked,) = listening.asked
    assert (asked.component, asked.method, asked.args) == ("root.w", "retry", ())


def test_how_the_host_is_needs_no_turn(host: Any) -> None:
    listening, folder = host

    assert control.ask(folder, Question("status")) == {"turn": 3}
    assert control.answers(folder)
    assert listening.asked == []


def test_a_work_is_abandoned_without_a_turn_or_a_sentence_says_why_not(host: Any) -> None:
    listening, folder = host

    control.ask(folder, Question("abandon", "root.w"))
    with pytest.raises(RunError, match="it is running"):
        control.ask(folder, Question("abandon", "root.w"))
    with pytest.raises(RunError, match="no work"):
        control.ask(folder, Question("abandon", "root"))

    assert (listening.abandoned, listening.asked) == (["root.w", "root.w"], [])


def test_what_cannot_be_done_is_a_sentence(host: Any) -> None:
    with pytest.raises(RunError, match="cannot be stopped"):
        control.ask(host[1], Question("stop", "root.w"))


@pytest.mark.parametrize(
    ("method", "component"), [("run", "root.w"), ("stop", "root"), ("__init__", "root.w"), ("retry", "root.v")]
)
def test_only_a_few_methods_of_works_can_be_asked_for(host: Any, method: str, component: str) -> None:
    listening, folder = host

    with pytest.raises(RunError, match="cannot be asked for from outside"):
        control.ask(folder, Question(method, component))

    assert listening.asked == []


def test_who_does_not_know_the_secret_gets_no_answer(host: Any) -> None:
    listening, folder = host
    Path(folder.path, "secret").write_bytes(b"another" * 4)

    with pytest.raises(RunError, match="does not answer"):
        control.ask(folder, Question("retry", "root.w"))

    assert listening.asked == []


def test_a_question_that_was_overheard_cannot_be_put_again(host: Any) -> None:
    listening, folder = host
    content = '{"method":"retry","component":"root.w"}'
    line = control._encode(control.Sealed(content, control.seal(folder.secret(), b"0" * 16, content, b"ask")))

    with dial(listening.control.address) as sock:
        sock.recv(100)
        sock.sendall(line + b"\n")
        assert sock.recv(100) == b""

    assert listening.asked == []


def test_only_its_owner_can_reach_the_socket(host: Any) -> None:
    address = host[0].control.address
    if address.startswith("unix:"):
        assert stat.S_IMODE(os.stat(address.partition(":")[2]).st_mode) == 0o600


def test_too_many_callers_are_turned_away(host: Any) -> None:
    listening, folder = host
    silent: list[socket.socket] = []
    for _ in range(control.CALLERS):
        silent.append(dial(listening.control.address))
        assert silent[-1].recv(100)

    with pytest.raises(RunError, match="does not answer"):
        control.ask(folder, Question("status"))

    for sock in silent:
        sock.close()


def test_nobody_answers_for_a_host_that_is_gone(tmp_path: Path) -> None:
    settings = Settings(run_dir=str(tmp_path))
    folder = run_folder.create(settings)
    listening = Listening(settings, folder)
    listening.end()

    assert not control.answers(folder)
    assert not os.path.exists(os.path.join(folder.path, "control"))
