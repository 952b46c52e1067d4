"""`lightning ls`, `cp`, `cat` and `rm` on runs that go on and on runs that have ended."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

APP = """
import os, time
import lightning as L
from lightning.app.storage import Drive, Path, Payload

class Make(L.LightningWork):
    def __init__(self):
        super().__init__()
        self.out, self.one, self.value, self.drive = Path("out"), Path("o ne.txt"), None, Drive("lit://d")

    def run(self):
        os.makedirs("out/deep", exist_ok=True)
        for name in ("a", "deep/b"):
            with open(f"out/{name}", "w") as file:
                file.write(name)
        self.one.write_text("one")
        self.value = Payload([1])
        self.drive.put("out")

class Wait(L.LightningWork):
    def run(self):
        print("waits", flush=True)
        while not os.path.exists("end"):
            time.sleep(0.01)

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.make, self.wait = Make(), Wait()

    def run(self):
        self.make.run()
        self.wait.run()
        self.stop()

app = L.LightningApp(Root())
"""


@pytest.fixture(params=["going on", "ended"])
def run(request: pytest.FixtureRequest, command_line: Any) -> Any:
    """A run with files, and what the command line says of it."""
    line, app = command_line, command_line.app(APP)
    if request.param == "ended":
        (line.folder / "end").touch()
        line.run("run", "app", app)
    else:
        line.start("run", "app", app).wait_for("waits")

    def say(*words: str, code: int = 0) -> str:
        ran = line.run(*words)
        assert ran.process.returncode == code, ran.report()
        return str(ran.stderr if code else ran.stdout)

    say.folder = line.folder  # type: ignore[attr-defined]
    return say


def names(run: Any, *words: str) -> list[str]:
    return [each["name"] for each in json.loads(run("ls", "--json", *words))]


@pytest.mark.slow
def test_everything_can_be_listed_read_copied_and_removed(run: Any) -> None:
    folder: Path = run.folder

    assert names(run) == ["root.make/", "lit://d/"]
    assert names(run, "make") == ["o ne.txt", "out/", "value"]
    assert names(run, "root.make/out") == ["a", "deep"] and names(run, "last:make/out/deep") == ["b"]
    assert names(run, "lit://d") == ["root.make/"] and names(run, "lit://d/root.make/out") == ["a", "deep/"]
    assert run("cat", "make/out/deep/b") == "deep/b" and run("cat", "lit://d/root.make/out/a") == "a"

    run("cp", "make/out", "./copy")
    run("cp", "make/out/a", str(folder / "copy"))
    run("cp", "lit://d/root.make", "./drive")
    assert (folder / "copy" / "deep" / "b").read_text() == "deep/b" and (folder / "copy" / "a").read_text() == "a"
    assert (folder / "drive" / "out" / "a").read_text() == "a"

    run("cp", "./copy", "make/more")
    run("cp", "./copy/a", "lit://d/me/a")
    assert run("cat", "make/more/deep/b") == "deep/b" and run("cat", "lit://d/me/a") == "a"

    run("rm", "make/more", "make/o ne.txt", "lit://d/me")
    assert names(run, "make") == ["out/", "value"] and names(run, "lit://d") == ["root.make/"]
    assert run("cat", "make/out/a") == "a"


@pytest.mark.slow
def test_what_is_not_there_is_said_in_a_sentence(run: Any) -> None:
    assert "root.make has handed over no 'nothing' in the run" in run("cat", "make/nothing", code=1)
    assert "it has o ne.txt, out, value." in run("ls", "make/nothing", code=1)
    assert "has no 'x'" in run("cat", "make/out/x", code=1)
    assert "is a folder" in run("cat", "make/out", code=1)
    assert "no work with files 'other'" in run("ls", "other", code=1)
    assert "leads out of" in run("cat", "lit://d/../../../secret", code=1)
    assert "does not exist" in run("cp", "./no", "make/no", code=1)
    assert "part of the folder out" in run("rm", "make/out/a", code=1)
    assert "has to be a local path" in run("cp", "./a", "./b", code=2)


@pytest.mark.slow
def test_a_fork_keeps_the_files_it_needs_when_the_run_it_came_from_is_pruned(command_line: Any) -> None:
    line = command_line
    (line.folder / "end").touch()
    line.run("run", "app", line.app(APP))
    runs = next(line.folder.rglob("app.json")).parent.parent
    source = next(each for each in runs.iterdir() if each.is_dir())
    line.run("fork", "last", "--at", "last")
    (forked,) = [each for each in runs.iterdir() if each.is_dir() and each != source]

    assert line.run("runs", "rm", source.name).process.returncode == 0

    assert not source.exists() and line.run("cat", f"{forked.name}:make/out/a").stdout == "a"
    assert line.run("cat", f"{forked.name}:lit://d/root.make/out/deep/b").stdout == "deep/b"
    objects = list((forked / "files" / "objects").rglob("b?-*"))
    assert objects and all(os.stat(each).st_nlink == 1 for each in objects)
