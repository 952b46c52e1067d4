"""`lightning connect`: an app's commands in the terminal, and whose code may run there."""

from __future__ import annotations

import os
import pty
import sys
from pathlib import Path
from typing import Any

import pytest

from lightning_apps.client import connections
from lightning_apps.client.connections import Connection
from web.conftest import serve  # noqa: F401  (a fixture)

APP = """
import argparse
import lightning as L
from lightning.app.utilities.commands import ClientCommand
from pydantic import BaseModel

class Config(BaseModel):
    name: str

class Train(ClientCommand):
    description = "Train here."
    requirements = ["pydantic>=2"]

    def run(self):
        parser = argparse.ArgumentParser()
        parser.add_argument("--name", required=True)
        name = parser.parse_args().name
        print("answer", self.invoke_handler(config=Config(name=name)), self.state.names)

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.names = []

    def run(self):
        pass

    def add(self, name: str, times: int = 1):
        "Add a user."
        self.names += [name] * times
        return self.names

    def train(self, config: Config):
        self.names.append(config.name)
        return {"got": config.name}

    def fail(self):
        raise ValueError("a secret")

    def configure_commands(self):
        return [{"add user": self.add}, {"train": Train(self.train)}, {"fail": self.fail}]

app = L.LightningApp(Root())
"""


@pytest.fixture
def lightning(command_line: Any) -> Any:
    """`lightning(*words)` as typed into one terminal; (code, stdout, stderr)."""

    def run(*words: str, home: str = "home") -> tuple[int, str, str]:
        folder = command_line.folder
        done = command_line.run(
            *words, env={"LIGHTNING_HOME": str(folder / home), "LIGHTNING_RUN_DIR": str(folder / home)}
        )
        return done.process.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def app(serve: Any, command_line: Any) -> Any:  # noqa: F811
    home = str(command_line.folder / "home")
    return serve(APP, env={"LIGHTNING_HOME": home, "LIGHTNING_RUN_DIR": home})


def test_commands_of_ones_own_app_are_there_after_connecting(app: Any, lightning: Any) -> None:
    assert lightning("connect", "app", "localhost")[:2] == (
        0,
        "You are connected to the local Lightning App.\n"
        "The lightning CLI now responds to app commands. Use 'lightning --help' to see them.\n",
    )

    assert "add user  Add a user." in lightning("--help")[1]
    assert "--times INTEGER" in lightning("add", "user", "--help")[1]
    assert lightning("add", "user", "--name=ada", "--times", "2")[:2] == (0, '[\n  "ada",\n  "ada"\n]\n')
    assert lightning("train", "--name=eve")[:2] == (0, "answer {'got': 'eve'} ['ada', 'ada', 'eve']\n")
    assert lightning("disconnect")[1] == "You are disconnected from the local Lightning App.\n"
    assert lightning("add", "user")[0] == 2


def test_failures_and_misuse_have_their_own_codes_and_no_traceback(app: Any, lightning: Any) -> None:
    assert lightning("connect", "ap-p") == (
        1,
        "",
        "Error: There is no app 'ap-p' here, and no machine of that name serves one; did you mean 'app'? "
        f"Running here: app ({app.address}).\n",
    )
    assert lightning("connect", "app", "app")[0] == 0  # what the file is called

    assert lightning("fail") == (1, "", "Error: Failed with status code 500. Detail: Internal Server Error\n")
    code, _, errors = lightning("add", "user", "--name=a", "--times=x")
    assert (code, "'x' is not a valid integer" in errors) == (2, True)
    assert lightning("train")[0] == 2
    for words in (["add_user"], ["add"], ["ad", "usr", "--name=a"]):
        code, _, errors = lightning(*words)
        assert (code, "Did you mean 'add user'?" in errors) == (2, True)
    app.process.interrupt()
    app.process.wait()
    code, _, errors = lightning("add", "user", "--name=a")
    assert (code, "Is the app running?" in errors, "Traceback" in errors) == (1, True, False)


def test_code_of_others_runs_only_where_it_was_trusted(app: Any, lightning: Any) -> None:
    code, said, warned = lightning("connect", app.address, home="stranger")

    assert (code, said.splitlines()[0]) == (0, f"You are connected to the Lightning App at {app.address}.")
    assert "would run on this machine with your rights. It was left out; connect with --trust" in warned
    assert "was not trusted" in lightning("train", "--name=a", home="stranger")[2]
    assert lightning("add", "user", "--name=b", home="stranger")[0] == 0
    lightning("connect", app.address, "--trust", home="stranger")
    assert lightning("train", "--name=c", home="stranger")[1].startswith("answer")


def test_code_that_changed_since_it_was_trusted_does_not_run(app: Any, lightning: Any, command_line: Any) -> None:
    lightning("connect", app.address, "--trust", home="stranger")

    path = Path(command_line.folder / "app.py")
    path.write_text(path.read_text() + "\nopen('harm', 'w')\n")

    assert "has changed since it was trusted" in lightning("train", "--name=c", home="stranger")[2]
    assert not (command_line.folder / "harm").exists()


def test_at_a_terminal_one_is_asked(app: Any, command_line: Any) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, b"n\n")
    environ = {**command_line.environ(), "LIGHTNING_HOME": str(command_line.folder / "stranger")}
    pid = os.fork()
    if not pid:
        os.dup2(theirs, 0)
        os.dup2(theirs, 2)
        os.execve(sys.executable, [sys.executable, "-m", "lightning_apps", "connect", app.address], environ)

    os.waitpid(pid, 0)

    assert b"Do you trust it? [y/N]" in os.read(ours, 4096)


def test_an_app_that_is_not_there_is_one_sentence(lightning: Any) -> None:
    code, _, errors = lightning("connect", "http://127.0.0.1:1")

    assert (code, errors.count("\n"), "Is the app running?" in errors) == (1, 1, True)
    assert "aren't connected" in lightning("disconnect")[1]


def test_a_connection_is_kept_for_its_user_and_its_terminal_alone(tmp_path: Path) -> None:
    home, here = str(tmp_path), connections.terminal(os.getpid())
    gone = "1-17"

    connections.save(home, gone, Connection(url="http://a"))
    connections.save(home, here, Connection(url="http://b", token="t"))

    path = tmp_path / "connections" / f"{here}.json"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert connections.load(home, here) == Connection(url="http://b", token="t")
    assert connections.load(home, gone) is None
    assert connections.forget(home, here) == Connection(url="http://b", token="t")
    assert connections.load(home, here) is None


def test_the_longest_name_is_meant() -> None:
    connection = Connection(url="", commands=[{"name": "add"}, {"name": "add user"}])

    assert connection.find(["add", "user", "--x"]) == ({"name": "add user"}, 2)
    assert connection.find(["add", "--x"]) == ({"name": "add"}, 1)
    assert connection.find(["remove"]) is None
