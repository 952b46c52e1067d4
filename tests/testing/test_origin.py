"""Apps in files, for whom the file is `__main__`, beside tests for whom it is not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from lightning.testing import AppTest

from lightning_apps.base.errors import AppLoadError, KitError

FILE = """
import sys
import lightning as L
from beside import NAME

class Note:
    pass

class Work(L.LightningWork):
    def __init__(self):
        super().__init__()
        self._note = Note()
    def run(self):
        import later
        return f"{NAME} {later.NAME} {type(self._note).__module__} {sys.argv[1:]}"

class Root(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.work = Work()
        self.made = None
    def run(self):
        said = self.work.run()
        if self.made is None:
            self.made = Work()
        self.stop(self.made.run() + said)

if __name__ == "__main__":
    app = L.LightningApp(Root())
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(FILE)
    (tmp_path / "beside.py").write_text("NAME = 'beside'")
    (tmp_path / "later.py").write_text("NAME = 'later'")
    return tmp_path / "app.py"


def test_an_app_file_runs_as_main_with_its_folder_and_arguments(file: Path) -> None:
    app = AppTest(file, inline=True, argv=["--fast"])

    assert app.finish() == 0
    assert app.output == 2 * "beside later __main__ ['--fast']" + "\n"


def test_nothing_of_it_is_left_in_the_tests_process(file: Path) -> None:
    main, path, argv = sys.modules["__main__"], list(sys.path), sys.argv

    AppTest(str(file), inline=True).finish()

    assert (sys.modules["__main__"], sys.path, sys.argv) == (main, path, argv)
    assert not {"beside", "later"} & set(sys.modules)


def test_two_files_with_modules_of_the_same_name_do_not_disturb_each_other(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "app.py").write_text(FILE)
    (other / "beside.py").write_text("NAME = 'elsewhere'")
    (other / "later.py").write_text("NAME = 'too'")

    first, second = AppTest(file, inline=True), AppTest(other / "app.py", inline=True)
    second.finish()
    first.finish()

    assert first.output.startswith("beside later") and second.output.startswith("elsewhere too")


def test_a_file_is_loaded_again_for_the_next_host(file: Path) -> None:
    app = AppTest(file, inline=["made"]).settle()
    app.crash()

    app.works["work"].run()

    assert app.finish() == 0 and app.output.endswith("beside later __main__ []beside later __main__ []\n")


def test_a_file_without_an_app_is_refused_as_the_command_line_does(tmp_path: Path) -> None:
    (tmp_path / "none.py").write_text("x = 1")

    with pytest.raises(AppLoadError, match=r"none\.py"):
        AppTest(tmp_path / "none.py")


def test_something_that_is_no_app_is_refused() -> None:
    with pytest.raises(KitError, match="was expected, not int"):
        AppTest(3)
