"""BuildConfig: plain or as a dataclass, and the files beside a work."""

from __future__ import annotations

import sys
import types
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from lightning_apps.model.compute import BuildConfig


class Plain(BuildConfig):
    def build_commands(self) -> list[str]:
        return ["apt-get install -y git"]


@dataclass
class AsDataclass(BuildConfig):
    drivers: str = "none"

    def build_commands(self) -> list[str]:
        return ["install " + self.drivers]


def test_it_has_no_commands_of_its_own() -> None:
    assert BuildConfig().build_commands() == []
    assert (BuildConfig().requirements, BuildConfig().dockerfile, BuildConfig().image) == ([], None, None)


@pytest.mark.parametrize("kind", [BuildConfig, Plain, AsDataclass])
def test_every_way_of_subclassing_keeps_the_arguments(kind: type[BuildConfig]) -> None:
    config = kind(requirements=["numpy"], image="base:1")

    assert (config.requirements, config.image, config.dockerfile) == (["numpy"], "base:1", None)
    assert kind(["a"], "Dockerfile").dockerfile == "Dockerfile"


def test_a_dataclass_of_it_adds_fields() -> None:
    config = AsDataclass(["x"], drivers="cuda")

    assert config.build_commands() == ["install cuda"]
    assert asdict(config) == {"requirements": ["x"], "dockerfile": None, "image": None, "drivers": "cuda"}
    assert config == AsDataclass(["x"], drivers="cuda")


def test_instances_do_not_share_their_list() -> None:
    AsDataclass().requirements.append("x")

    assert AsDataclass().requirements == []


def test_one_line_is_a_list_of_one() -> None:
    assert BuildConfig("requirements.txt").requirements == ["requirements.txt"]


def test_it_comes_back_from_its_dictionary() -> None:
    config = Plain(["a"], Path("Dockerfile"), "image")

    shape = config.to_dict()

    assert shape == {"__build_config__": {"requirements": ["a"], "dockerfile": "Dockerfile", "image": "image"}}
    assert Plain.from_dict(shape).to_dict() == shape


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    module = types.ModuleType("beside")
    module.__file__ = str(tmp_path / "beside.py")
    monkeypatch.setitem(sys.modules, "beside", module)
    return type("Work", (), {"__module__": "beside"})()


def test_files_beside_the_work_are_taken(work: object, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("# comment\nnumpy>=1  # why\n\nlightning\n")
    (tmp_path / "Dockerfile").write_text("FROM x")
    config = BuildConfig()

    config.on_work_init(work, None)

    assert (config.requirements, config.dockerfile) == (["numpy>=1"], str(tmp_path / "Dockerfile"))


def test_what_was_passed_goes_first_and_a_file_in_it_is_read(work: object, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("numpy\n")
    (tmp_path / "more.txt").write_text("torch\n")
    config = BuildConfig(["pandas", "more.txt"], dockerfile="Mine")

    config.on_work_init(work)

    assert (config.requirements, config.dockerfile) == (["pandas", "torch"], "Mine")


def test_a_work_without_a_file_changes_nothing() -> None:
    config = BuildConfig()

    config.on_work_init(type("Work", (), {"__module__": "nowhere"})())

    assert config == BuildConfig()
