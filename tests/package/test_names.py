"""`import lightning` in this environment: what it gives, what it costs, and what it says of what is not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FACES = Path(__file__).parents[2] / "src" / "lightning_apps" / "faces" / "lightning"


def python(code: str, *, cwd: Path | None = None) -> str:
    """What a fresh interpreter prints for `code`; its errors go to the output as well."""
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=cwd, timeout=60
    )
    return (done.stdout + done.stderr).strip()


def modules_of_faces() -> list[str]:
    names = [".".join(("lightning", *path.relative_to(FACES).with_suffix("").parts)) for path in FACES.rglob("*.py")]
    return sorted(name.removesuffix(".__init__") for name in names)


def training_is_here() -> bool:
    return python("import importlib.util as u; print(u.find_spec('lightning.training_') is not None)") == "True"


needs_no_training = pytest.mark.skipif(training_is_here(), reason="the training library is installed here")


@pytest.mark.parametrize("name", ["LightningApp", "LightningFlow", "LightningWork", "CloudCompute", "BuildConfig"])
def test_a_name_is_the_same_object_under_every_path(name: str) -> None:
    code = (
        f"import lightning as L, lightning_app, lightning_apps, lightning.app; from lightning.app import {name} as a; "
        f"from lightning import {name} as b; print(L.{name} is lightning_app.{name} is lightning_apps.{name} is a is b)"
    )

    assert python(code) == "True"


@pytest.mark.parametrize("module", [name for name in modules_of_faces() if name != "lightning"])
def test_a_face_is_one_module_under_both_names_and_what_it_exports_exists(module: str) -> None:
    older = module.replace("lightning.app", "lightning_app", 1)
    code = f"""
import importlib
older, newer = importlib.import_module({older!r}), importlib.import_module({module!r})
print(older is newer, newer.__name__ == newer.__spec__.name == {module!r})
print([name for name in getattr(newer, "__all__", ()) if not hasattr(newer, name)])
"""

    assert python(code) == "True True\n[]"


def test_parts_are_attributes_without_being_imported() -> None:
    code = """
import lightning as L
print(L.app.structures.Dict is L.structures.Dict, L.app.core.work.LightningWork is L.LightningWork)
print(L.app.utilities.enum.WorkStageStatus.RUNNING)
"""

    assert python(code) == "True True\nrunning"


def test_early_spellings_on_the_top_level_are_the_same_modules() -> None:
    code = """
import lightning.structures, lightning.utilities.enum, lightning.app.structures, lightning.app.utilities.enum
print(lightning.structures is lightning.app.structures, lightning.utilities.enum is lightning.app.utilities.enum)
"""

    assert python(code) == "True True"


def test_a_component_unpickles_to_the_same_class_whatever_it_was_imported_through() -> None:
    code = """
import pickle, lightning_app.core.work, lightning as L
print(pickle.loads(pickle.dumps(lightning_app.core.work.LightningWork)) is L.LightningWork)
"""

    assert python(code) == "True"


def test_importing_is_quick_and_loads_nothing_heavy() -> None:
    code = """
import sys
before = set(sys.modules)
import lightning as L
L.LightningApp, L.LightningFlow, L.LightningWork, L.CloudCompute, L.structures
heavy = "torch numpy asyncio fastapi click multiprocessing concurrent logging".split()
print(sorted(set(heavy) & (set(sys.modules) - before)))
"""

    assert python(code) == "[]"


def test_an_interpreter_that_never_imports_us_loads_two_small_files() -> None:
    code = "import sys; print(sorted(n for n in sys.modules if n.startswith(('lightning', 'msgspec'))))"

    assert python(code) == "['lightning_apps', 'lightning_apps.finder']"


def test_star_import_gives_what_all_names() -> None:
    assert (
        python("from lightning import *; print(LightningFlow.__name__, CloudCompute.__name__)")
        == "LightningFlow CloudCompute"
    )


def test_an_unknown_name_is_an_attribute_error_and_an_unknown_module_a_module_not_found_error() -> None:
    assert python("import lightning.app as a; print(hasattr(a, 'nonsense'))") == "False"
    assert python("import lightning.app.nonsense").endswith("No module named 'lightning.app.nonsense'")
    assert python("import lightning_app.nonsense").endswith("No module named 'lightning_app.nonsense'")
    assert "cannot import name 'nonsense'" in python("from lightning.app import nonsense")


def test_a_file_of_the_users_called_lightning_hides_ours_as_it_would_any_other_package(tmp_path: Path) -> None:
    (tmp_path / "lightning.py").write_text("strikes = 2")

    assert python("import lightning; print(lightning.strikes)", cwd=tmp_path) == "2"


@needs_no_training
def test_a_folder_of_the_users_called_lightning_goes_on_working_beside_ours(tmp_path: Path) -> None:
    (tmp_path / "lightning").mkdir()
    (tmp_path / "lightning" / "weather.py").write_text("strikes = 2")

    assert (
        python(
            "import lightning.weather as w, lightning as L; print(w.strikes, L.LightningFlow.__name__)", cwd=tmp_path
        )
        == "2 LightningFlow"
    )


@needs_no_training
@pytest.mark.parametrize(
    "code",
    [
        "import lightning.pytorch",
        "from lightning import Trainer",
        "import lightning as L; L.Trainer",
        "from lightning.fabric import Fabric",
    ],
)
def test_what_belongs_to_the_training_library_says_which_package_to_install(code: str) -> None:
    last = python(code).splitlines()[-1]

    assert "belongs to the training library" in last
    assert "pip install lightning" in last


@needs_no_training
def test_the_training_librarys_names_can_be_asked_for_without_an_error() -> None:
    assert (
        python("import lightning; print(hasattr(lightning, 'Trainer'), hasattr(lightning, 'nonsense'))")
        == "False False"
    )


@needs_no_training
def test_the_standalone_training_packages_are_found_under_the_common_name(tmp_path: Path) -> None:
    for package, content in {
        "pytorch_lightning": "class Trainer: ...",
        "lightning_fabric": "class Fabric: ...",
    }.items():
        (tmp_path / package / "callbacks").mkdir(parents=True)
        (tmp_path / package / "__init__.py").write_text(content)
        (tmp_path / package / "callbacks" / "__init__.py").write_text("")
    code = """
import lightning as L, lightning.pytorch as pl, pytorch_lightning, lightning_fabric
from lightning.pytorch.callbacks import __name__ as name
print(L.Trainer is pytorch_lightning.Trainer, L.Fabric is lightning_fabric.Fabric)
print(pl is pytorch_lightning is L.pytorch, name)
"""

    assert python(code, cwd=tmp_path) == "True True\nTrue pytorch_lightning.callbacks"
