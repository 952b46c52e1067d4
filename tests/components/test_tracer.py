"""The tracer: methods are watched and changed while a script runs, and all is as before afterwards."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from lightning_apps.components.tracer import Tracer


class Base:
    def __init__(self, rate: float = 0.1) -> None:
        self.rate = rate

    @classmethod
    def kind(cls, word: str = "x") -> str:
        return cls.__name__ + word


class Trainer(Base):
    def fit(self, steps: int) -> int:
        return steps


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(sys.modules, "beside", None)  # so that what the script imports is gone again afterwards
    del sys.modules["beside"]
    (tmp_path / "beside.py").write_text("here = True\n")
    path = tmp_path / "train.py"
    path.write_text(
        "import sys\nfrom beside import here\nt = Trainer()\nresult = t.fit(3)\nargv = sys.argv\nname = __name__\n"
    )
    return str(path)


def test_the_scripts_globals_come_back_and_its_surroundings_are_its_own(script: str) -> None:
    argv, path = sys.argv, list(sys.path)

    found = Tracer().trace(script, "--epochs=3", init_globals={"Trainer": Trainer})

    assert (found["result"], found["name"], found["argv"], found["here"]) == (
        3,
        "__main__",
        [script, "--epochs=3"],
        True,
    )
    assert (sys.argv, sys.path) == (argv, path)


def test_hooks_change_the_call_and_its_result(script: str) -> None:
    tracer = Tracer()
    tracer.add_traced(Trainer, "__init__", pre_fn=lambda self, *args, **kwargs: ({"seen": 1}, args, {"rate": 0.5}))
    tracer.add_traced(Trainer, "fit", post_fn=lambda self, result: ({"was": result}, result * 2))

    found = tracer.trace(script, init_globals={"Trainer": Trainer})

    (instance,) = found["tracer_res"]["Trainer"]
    assert (found["t"].rate, found["result"], instance["id"]) == (0.5, 6, id(found["t"]))
    assert instance["__init__"][0]["pre"] == {"seen": 1}
    assert instance["__init__"][0]["default_args"] == {"rate": 0.1}
    assert instance["fit"][0]["post"] == {"was": 3}
    assert instance["fit"][0]["frame"]["lineno"] == 4
    assert instance["fit"][0]["call"]["end"] >= instance["fit"][0]["call"]["start"]
    assert tracer.res is found["tracer_res"]


def test_afterwards_the_classes_are_as_before_also_after_an_error(tmp_path: Path) -> None:
    failing = tmp_path / "failing.py"
    failing.write_text("Trainer().fit(1)\nraise KeyError('x')\n")
    before = (dict(vars(Trainer)), dict(vars(Base)))
    tracer = Tracer()
    tracer.add_traced(Trainer, "__init__")
    tracer.add_traced(Trainer, "fit")
    tracer.add_traced(Trainer, "fit")

    with pytest.raises(KeyError):
        tracer.trace(str(failing), init_globals={"Trainer": Trainer})

    assert (dict(vars(Trainer)), dict(vars(Base))) == before
    assert len(tracer.res["Trainer"][0]["fit"]) == 2


def test_class_methods_are_watched_too(tmp_path: Path) -> None:
    path = tmp_path / "s.py"
    path.write_text("said = Trainer.kind('!')\n")
    tracer = Tracer()
    given: list[Any] = []
    tracer.add_traced(Trainer, "kind", pre_fn=lambda cls, *args: (given.append(cls), args, {}))

    found = tracer.trace(str(path), init_globals={"Trainer": Trainer})

    assert (found["said"], given) == ("Trainer!", [Trainer])
    assert "kind" not in vars(Trainer)
