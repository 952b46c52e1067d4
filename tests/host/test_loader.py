"""The loader: which app a file gives, and the one sentence for every file that gives none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lightning_apps.base.errors import AppLoadError
from lightning_apps.host.loader import find_file, load_app, loaded_app
from lightning_apps.model.app import LightningApp
from lightning_apps.model.flow import LightningFlow

HEAD = """\
import lightning as L
class Root(L.LightningFlow):
    def run(self):
        pass
"""
Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "app.py", head: str = HEAD) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(head + text)
        return str(path)

    return write


@pytest.fixture(autouse=True)
def surroundings() -> Iterator[None]:
    main, argv, path, loading = sys.modules["__main__"], sys.argv, list(sys.path), LightningApp.loading
    yield
    sys.modules["__main__"], sys.argv, sys.path[:] = main, argv, path
    assert LightningApp.loading is loading


def sentence_of(path: str) -> str:
    with pytest.raises(AppLoadError) as caught:
        load_app(path)
    return str(caught.value)


class TestFindingTheApp:
    def test_an_app_at_module_level_is_found_whatever_its_name(self, write: Write) -> None:
        app = load_app(write("whatever = L.LightningApp(Root())"))

        assert isinstance(app, LightningApp)
        assert type(app.root).__name__ == "Root"

    def test_an_app_under_the_main_guard_is_found(self, write: Write) -> None:
        assert load_app(write("if __name__ == '__main__':\n    app = L.LightningApp(Root())"))

    def test_one_app_with_two_names_counts_once(self, write: Write) -> None:
        assert load_app(write("app = L.LightningApp(Root())\nother = app"))

    def test_an_instance_of_a_subclass_is_an_app(self, write: Write) -> None:
        app = load_app(write("class Mine(L.LightningApp):\n    pass\napp = Mine(Root())"))

        assert type(app).__name__ == "Mine"

    def test_an_app_that_another_module_built_is_found(self, write: Write) -> None:
        write("built = L.LightningApp(Root())", name="elsewhere_built.py")

        with loaded_app(write("from elsewhere_built import built", head="")) as app:
            assert type(app.root).__module__ == "elsewhere_built"

    def test_a_file_that_runs_its_app_gives_that_one_and_ends_there(self, write: Write) -> None:
        text = "first = L.LightningApp(Root())\nsecond = L.LightningApp(Root())\nsecond.run()\nraise SystemExit(3)"

        app = load_app(write(text))

        assert app is sys.modules["__main__"].second

    def test_an_app_that_only_a_function_knows_is_found_when_it_runs(self, write: Write) -> None:
        text = (
            "def main():\n    try:\n        L.LightningApp(Root()).run()\n    except Exception:\n        pass\nmain()"
        )

        assert load_app(write(text))

    def test_a_global_that_lies_about_its_class_does_no_harm(self, write: Write) -> None:
        text = "class Proxy:\n    __class__ = property(lambda self: 1 / 0)\np = Proxy()\napp = L.LightningApp(Root())"

        assert load_app(write(text))


class TestSurroundings:
    def test_the_file_is_executed_as_main_in_its_own_folder_with_its_arguments(self, write: Write) -> None:
        path = write("import sys\nseen = (__name__, __file__, sys.argv, sys.path[0])\napp = L.LightningApp(Root())")

        app = load_app(path, ["--lr", "0.1"])

        assert sys.modules["__main__"].seen == ("__main__", path, [path, "--lr", "0.1"], os.path.dirname(path))
        assert type(app.root).__module__ == "__main__"

    def test_modules_beside_the_file_can_be_imported(self, write: Write) -> None:
        write("NUMBER = 7", name="beside_the_app.py", head="")

        with loaded_app(write("from beside_the_app import NUMBER\napp = L.LightningApp(Root())")):
            assert sys.modules["__main__"].NUMBER == 7

    def test_classes_of_the_file_pickle_by_the_name_main(self, write: Write) -> None:
        import pickle

        load_app(write("class Thing:\n    pass\nthing = Thing()\napp = L.LightningApp(Root())"))
        main = sys.modules["__main__"]

        assert type(pickle.loads(pickle.dumps(main.thing))) is main.Thing

    def test_the_source_of_a_class_in_the_file_can_be_read(self, write: Write) -> None:
        import inspect

        load_app(write("app = L.LightningApp(Root())"))

        assert "def run(self)" in inspect.getsource(sys.modules["__main__"].Root)

    def test_our_own_future_imports_do_not_change_the_file(self, write: Write) -> None:
        load_app(write("def f(x: int): ...\nkind = f.__annotations__['x']\napp = L.LightningApp(Root())"))

        assert sys.modules["__main__"].kind is int

    def test_the_restoring_variant_leaves_no_trace(self, write: Write) -> None:
        main, argv, search = sys.modules["__main__"], sys.argv, list(sys.path)
        write("", name="left_behind.py", head="")

        with loaded_app(write("import left_behind\napp = L.LightningApp(Root())"), ["x"]) as app:
            assert app is sys.modules["__main__"].app

        assert (sys.modules["__main__"], sys.argv, sys.path) == (main, argv, search)
        assert "left_behind" not in sys.modules


class TestFilesThatAreNone:
    def test_a_missing_file_is_named_with_those_it_could_have_been(self, write: Write, tmp_path: Path) -> None:
        write("", name="train.py")

        said = sentence_of(str(tmp_path / "trian.py"))

        assert "doesn't exist" in said
        assert "train.py" in said
        assert "\n" not in said

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        assert "there is no folder" in sentence_of(str(tmp_path / "nowhere" / "app.py"))

    def test_a_link_to_nothing_is_called_one(self, tmp_path: Path) -> None:
        (tmp_path / "app.py").symlink_to("gone.py")

        assert "link" in sentence_of(str(tmp_path / "app.py"))

    def test_a_folder_is_not_an_app_file(self, tmp_path: Path) -> None:
        assert "is a folder" in sentence_of(str(tmp_path))

    def test_a_notebook_is_not_a_python_file(self, write: Write) -> None:
        assert "not a Python file" in sentence_of(write("{}", name="app.ipynb", head=""))

    def test_a_file_without_an_ending_may_be_python(self, write: Write) -> None:
        find_file(write("", name="app"))

    def test_bytes_that_are_no_text_are_not_python(self, tmp_path: Path) -> None:
        (tmp_path / "app.py").write_bytes(b"\x00\xff\x00")

        assert "\n" not in sentence_of(str(tmp_path / "app.py")).split(".py")[0]

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_a_file_that_may_not_be_read_says_so(self, write: Write) -> None:
        path = write("")
        os.chmod(path, 0)

        assert "Permission denied" in sentence_of(path)

    def test_a_syntax_error_shows_line_and_caret_and_no_traceback(self, write: Write) -> None:
        said = sentence_of(write("x = = 1\n", head=""))

        assert "line 1" in said
        assert "x = = 1" in said
        assert "^" in said
        assert "Traceback" not in said


class TestFilesWithoutExactlyOneApp:
    def test_a_file_without_an_app_is_told_how_to_build_one(self, write: Write) -> None:
        said = sentence_of(write(""))

        assert "does not contain a LightningApp" in said
        assert "app = LightningApp(flow)" in said

    def test_two_apps_are_named(self, write: Write) -> None:
        said = sentence_of(write("one = L.LightningApp(Root())\ntwo = L.LightningApp(Root())"))

        assert "multiple apps" in said
        assert "`one` and `two`" in said

    def test_a_flow_called_app_is_not_an_app(self, write: Write) -> None:
        said = sentence_of(write("app = Root()"))

        assert "`app`" in said
        assert "of type Root, not a LightningApp" in said

    def test_a_class_called_app_is_not_an_app(self, write: Write) -> None:
        assert "is the class Root" in sentence_of(write("app = Root"))


class TestFilesThatFail:
    def test_an_exception_shows_the_users_frames_only(self, write: Write) -> None:
        said = sentence_of(write("def f():\n    return 1 / 0\nf()\n"))

        assert said.startswith("Found an exception when loading your application from ")
        assert "Please, resolve it to run your app." in said
        assert "return 1 / 0" in said
        assert "ZeroDivisionError" in said
        assert "loader.py" not in said
        assert "importlib" not in said

    def test_frames_of_causes_are_the_users_too(self, write: Write) -> None:
        text = "class Bad(L.LightningFlow):\n    def __init__(self):\n        super().__init__(nonsense=1)\n"
        text += "try:\n    Bad()\nexcept Exception as error:\n    raise ValueError('no') from error\n"

        said = sentence_of(write(text))

        assert "direct cause" in said
        assert f"{os.sep}lightning_apps{os.sep}" not in said

    def test_an_error_in_an_imported_module_shows_both_files(self, write: Write) -> None:
        write("1 / 0", name="breaks_at_import.py", head="")

        said = sentence_of(write("import breaks_at_import"))

        assert "breaks_at_import.py" in said
        assert "frozen" not in said

    def test_a_missing_package_points_to_the_setup_commands_of_the_file(self, write: Write) -> None:
        said = sentence_of(write("import not_there_at_all", head="# !pip install not-there-at-all\n"))

        assert "--setup" in said

    def test_a_file_named_as_the_package_is_pointed_out(self, write: Write) -> None:
        said = sentence_of(write("L.nothing_of_this_name", name="lightning.py"))

        assert "give that file another name" in said

    @pytest.mark.parametrize("body", ["self.x = object()", "self.x = open"])
    def test_a_check_of_ours_is_one_sentence_and_the_users_line(self, write: Write, body: str) -> None:
        text = f"class Bad(Root):\n    def __init__(self):\n        super().__init__()\n        {body}\nBad()\n"

        sentence, place = sentence_of(write(text)).split("\n")

        assert "app.py:8" in place
        assert body in place
        assert "Traceback" not in sentence

    def test_forgetting_super_init_is_one_sentence(self, write: Write) -> None:
        said = sentence_of(write("class Bad(Root):\n    def __init__(self):\n        self.x = 1\nBad()\n"))

        assert "super().__init__()" in said
        assert "Traceback" not in said

    def test_a_root_without_run_is_one_sentence(self, write: Write) -> None:
        said = sentence_of(write("class Bad(L.LightningFlow):\n    pass\napp = L.LightningApp(Bad())\n"))

        assert "run()" in said
        assert "app = L.LightningApp(Bad())" in said
        assert "Traceback" not in said

    def test_the_same_component_attached_twice_is_one_sentence(self, write: Write) -> None:
        text = "class Bad(Root):\n    def __init__(self):\n        super().__init__()\n"
        text += "        self.a = Root()\n        self.b = self.a\napp = L.LightningApp(Bad())\n"

        assert "Traceback" not in sentence_of(write(text))

    def test_an_error_that_is_no_exception_is_explained_as_well(self, write: Write) -> None:
        said = sentence_of(write("class Odd(BaseException):\n    pass\nraise Odd('x')\n"))

        assert "Found an exception" in said
        assert "Odd: x" in said

    def test_the_files_own_exit_keeps_its_code(self, write: Write) -> None:
        with pytest.raises(SystemExit) as caught:
            load_app(write("raise SystemExit(5)"))

        assert caught.value.code == 5

    def test_ctrl_c_passes_through(self, write: Write) -> None:
        with pytest.raises(KeyboardInterrupt):
            load_app(write("raise KeyboardInterrupt"))

    def test_a_file_is_only_built_by_plain_python(self, write: Write) -> None:
        path = write("app = L.LightningApp(Root())\nprint('built')")

        done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=60, check=False)

        assert (done.returncode, done.stdout) == (0, "built\n")


def test_the_package_has_flows_under_one_class_object(write: Write) -> None:
    app = load_app(write("app = L.LightningApp(Root())"))

    assert isinstance(app.root, LightningFlow)
