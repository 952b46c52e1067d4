"""The built wheel in fresh environments, alone and beside the training library, in every order of coming and going.

A stand-in with the training library's shape takes its place where the order is what matters; the real one is tried
where pip can get it.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import lightning as lightning_face
import pytest

from lightning_apps import finder

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NEEDED = ("click", "cronsim", "msgspec")
STAND_IN = {
    "lightning/__init__.py": """
from lightning.__version__ import version as __version__
from lightning.fabric.fabric import Fabric
from lightning.pytorch.trainer import Trainer
__all__ = ["Fabric", "Trainer", "__version__"]
loaded_as = __name__
""",
    "lightning/__version__.py": "version = '9.8.7'\n",
    "lightning/app/__init__.py": "raise RuntimeError('an older release had its own, not to be found')\n",
    "lightning/fabric/__init__.py": "from lightning.fabric.fabric import Fabric\n",
    "lightning/fabric/fabric.py": "class Fabric: ...\n",
    "lightning/pytorch/__init__.py": "from lightning.pytorch.trainer import Trainer\n",
    "lightning/pytorch/trainer.py": "class Trainer: ...\n",
    "lightning/data/__init__.py": "shards = 3\n",
    "lightning-9.8.7.dist-info/METADATA": "Metadata-Version: 2.1\nName: lightning\nVersion: 9.8.7\n",
    "lightning-9.8.7.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "lightning-9.8.7.dist-info/entry_points.txt": "[console_scripts]\nlightning = lightning.pytorch.trainer:Trainer\n",
}
APPS_WORK = """
import lightning as L, lightning_app, lightning.app
class Root(L.LightningFlow):
    def run(self): self.stop()
assert L.LightningApp(Root()).root is not None
assert lightning_app is L.app and L.CloudCompute("gpu") and lightning_app.structures.List is L.structures.List
"""
TRAINING_WORKS = """
import importlib.metadata, sys, lightning as L
assert "lightning.training_" not in sys.modules
assert importlib.metadata.version("lightning") == L.__version__ == "9.8.7"
from lightning import Trainer
from lightning.pytorch.trainer import Trainer as again
from lightning import *
import lightning.__version__, lightning.data, lightning.fabric as fabric
assert L.Trainer is Trainer is again is L.pytorch.Trainer and L.loaded_as == "lightning"
assert L.Fabric is Fabric is fabric.Fabric and L.data.shards == 3 and L.__version__ == "9.8.7"
"""


class Environment:
    """A fresh virtual environment that shares nothing with ours but the dependencies of the wheel."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.folder, self.interpreter = folder, folder / "bin" / "python"
        site = self.python("import sysconfig; print(sysconfig.get_paths()['purelib'])")
        for name in NEEDED:
            spec = importlib.util.find_spec(name)
            assert spec is not None and spec.submodule_search_locations is not None
            os.symlink(spec.submodule_search_locations[0], Path(site) / name)

    def python(self, code: str) -> str:
        """What `code` prints; fails the test if it fails."""
        return self._checked([str(self.interpreter), "-c", code])

    def pip(self, *words: str) -> str:
        """Run pip on this environment."""
        return self._checked([sys.executable, "-m", "pip", "--python", str(self.interpreter), *words])

    def install(self, *wheels: object) -> None:
        self.pip("install", "--quiet", "--no-deps", "--no-index", "--find-links", str(self.folder), *map(str, wheels))

    def uninstall(self, name: str) -> None:
        self.pip("uninstall", "--quiet", "--yes", name)

    def _checked(self, command: list[str]) -> str:
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=self.folder, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, timeout=120)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel with the training library's name and shape."""
    path = tmp_path_factory.mktemp("training") / "lightning-9.8.7-py3-none-any.whl"
    record = "".join(f"{name},,\n" for name in [*STAND_IN, "lightning-9.8.7.dist-info/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**STAND_IN, "lightning-9.8.7.dist-info/RECORD": record}.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    yield Environment(tmp_path / "environment")


def test_the_wheel_holds_the_line_that_claims_the_name_and_a_stub_for_each_face(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    faces = ROOT / "src" / "lightning_apps" / "faces" / "lightning"
    stubs = {
        f"lightning-stubs/{path.relative_to(faces).with_suffix('.pyi').as_posix()}" for path in faces.rglob("*.py")
    }

    assert {"lightning-apps.pth", "lightning-stubs/py.typed", "lightning_apps/py.typed"} <= names
    assert stubs <= names
    assert {str(path.relative_to(ROOT / "src")) for path in faces.rglob("*.py")} <= names
    assert not {name for name in names if name.startswith(("lightning/", "lightning_app/", "names/", "tests/"))}
    assert zipfile.ZipFile(wheel).read("lightning-stubs/py.typed") == b"partial\n"


def test_alone_the_wheel_gives_the_apps_and_takes_them_with_it(environment: Environment, wheel: Path) -> None:
    environment.install(wheel)
    environment.python(APPS_WORK)
    environment.python("import lightning, lightning_apps; assert lightning.__version__ == lightning_apps.__version__")
    for command in ("lightning", "lightning_app"):
        assert (environment.folder / "bin" / command).exists()

    environment.uninstall("lightning-apps")

    environment.python(
        "import importlib.util as u; assert not u.find_spec('lightning') and not u.find_spec('lightning_app')"
    )


@pytest.mark.parametrize("first", ["apps", "training"])
@pytest.mark.parametrize("leaves", ["apps", "training"])
def test_both_work_whichever_came_first_and_either_goes_on_working_when_the_other_leaves(
    environment: Environment, wheel: Path, training: Path, first: str, leaves: str
) -> None:
    for path in [wheel, training] if first == "apps" else [training, wheel]:
        environment.install(path)
    environment.python(APPS_WORK + TRAINING_WORKS)
    environment.python(TRAINING_WORKS + APPS_WORK)

    environment.uninstall("lightning-apps" if leaves == "apps" else "lightning")

    if leaves == "training":
        environment.python(APPS_WORK)
        environment.python("import lightning as L; assert not hasattr(L, 'Trainer')")
    else:
        environment.python("import lightning as L; assert L.Trainer and not hasattr(L, 'LightningFlow')")


def test_without_the_dependencies_of_the_apps_training_is_not_disturbed(
    environment: Environment, wheel: Path, training: Path
) -> None:
    environment.install(wheel, training)
    for name in NEEDED:
        next(environment.folder.glob(f"lib/*/site-packages/{name}")).unlink()

    environment.python(TRAINING_WORKS.replace("from lightning import *", "from lightning import Fabric"))


def test_beside_the_real_training_library(environment: Environment, wheel: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(tmp_path), "lightning"]
    if subprocess.run(command, check=False, capture_output=True, timeout=120).returncode:
        pytest.skip("pip cannot get the training library here")
    real = next(tmp_path.glob("lightning-*.whl"))
    environment.install(real)
    environment.install(wheel)

    environment.python(APPS_WORK)
    environment.python("""
import importlib.metadata, importlib.util, lightning as L
assert L.__version__ == importlib.metadata.version("lightning")
assert len(L.__path__) == 2
assert importlib.util.find_spec("lightning.training_").origin.startswith(L.__path__[1])
for name in ("lightning.pytorch", "lightning.fabric"):
    assert importlib.util.find_spec(name).origin.startswith(L.__path__[1])
""")

    environment.uninstall("lightning")

    environment.python(APPS_WORK)


def test_where_torch_is_a_trainer_can_be_imported_and_made() -> None:
    for needed in ("torch", "lightning.training_"):
        pytest.importorskip(needed)
    code = "import lightning as L; L.LightningFlow; print(type(L.Trainer(accelerator='cpu', logger=False)).__module__)"

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=300)

    assert done.stdout.splitlines()[-1] == "lightning.pytorch.trainer.trainer"


def test_type_checkers_see_the_names_through_the_stubs(environment: Environment, wheel: Path, tmp_path: Path) -> None:
    environment.install(wheel)
    (tmp_path / "app.py").write_text("""
import lightning as L
from lightning.app.structures import Dict
class Root(L.LightningFlow):
    def run(self) -> None: ...
app = L.LightningApp(Root())
reveal_type(app)
reveal_type(Dict)
reveal_type(L.app.structures.List)
L.app.core.work.LightningWork
L.nonsense
""")
    command = [sys.executable, "-m", "mypy", "--python-executable", str(environment.interpreter), "app.py"]

    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path, timeout=300)

    assert 'Revealed type is "lightning_apps.model.app.LightningApp"' in done.stdout
    assert done.stdout.count("lightning_apps.model.containers.") >= 2
    assert 'Module has no attribute "nonsense"' in done.stdout
    assert "Found 1 error" in done.stdout


def test_the_stub_of_the_top_level_names_what_is_there() -> None:
    stub = ast.parse((ROOT / "src" / "names" / "lightning-stubs" / "__init__.pyi").read_text())
    imported = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    own = [node for node in imported if node.level or (node.module or "").startswith("lightning_apps.")]
    ours = {alias.name for node in own for alias in node.names}
    theirs = {alias.name for node in imported if node not in own for alias in node.names}

    parts = {module.removeprefix("lightning.") for module in finder.ALIASES if importlib.util.find_spec(module)}

    assert ours == set(lightning_face.NAMES) | parts - {"lightning_app"} | {"app"}
    assert theirs == set(finder.TRAINING_NAMES)
