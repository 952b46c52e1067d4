"""Setup commands: found at the top of the file only, run in this interpreter's environment, ended with us."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from lightning_apps.base.errors import UsageError
from lightning_apps.host.comment_commands import commands_of
from lightning_apps.host.setup_commands import run_setup


def write(folder: Path, text: str) -> str:
    path = folder / "app.py"
    path.write_text(text)
    return str(path)


def run(path: str) -> list[str]:
    said: list[str] = []
    run_setup(path, dict(os.environ), said.append)
    return said


def test_commands_are_the_comments_with_a_bang_before_the_first_code(tmp_path: Path) -> None:
    path = write(tmp_path, "#!zero\n# ! one\n# a remark\n\n#!two\nimport os\n# !three\n")

    assert commands_of(path) == [(1, "zero"), (2, "one"), (5, "two")]


def test_a_shebang_is_not_a_setup_command(tmp_path: Path) -> None:
    assert commands_of(write(tmp_path, "#!/usr/bin/env python3\n# !true\n")) == [(2, "true")]


def test_a_file_without_commands_runs_nothing(tmp_path: Path) -> None:
    assert run(write(tmp_path, "import os\n")) == []


def test_each_command_is_announced_and_run_in_order(tmp_path: Path) -> None:
    out = tmp_path / "out"

    said = run(write(tmp_path, f"# !echo 1 >> {out}\n# !echo 2 >> {out}\n"))

    assert out.read_text() == "1\n2\n"
    assert said[1] == f"Running setup command 2 of 2: echo 2 >> {out}"


def test_python_is_this_interpreter(tmp_path: Path) -> None:
    out = tmp_path / "out"

    run(write(tmp_path, f"# !python -c 'import sys; print(sys.prefix)' > {out}\n"))

    assert out.read_text().strip() == sys.prefix


def test_pip_is_this_interpreters_pip(tmp_path: Path) -> None:
    out = tmp_path / "out"

    run(write(tmp_path, f"# !pip --version > {out}\n"))

    assert f"python {sys.version_info[0]}.{sys.version_info[1]}" in out.read_text()


def test_what_commands_print_stays_off_stdout(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(write(tmp_path, "# !echo visible\n"))

    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "visible\n")


def test_a_failing_command_is_one_sentence_and_the_last(tmp_path: Path) -> None:
    out = tmp_path / "out"

    with pytest.raises(UsageError, match=r"`exit 7` in line 1 of .* ended with exit code 7"):
        run(write(tmp_path, f"# !exit 7\n# !touch {out}\n"))

    assert not out.exists()


def test_a_command_that_asks_gets_no_answer_and_does_not_hang(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exit code"):
        run(write(tmp_path, "# !read answer\n"))


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_command_is_ended_with_the_command_line(command_line: Any, eventually: Any, number: str, code: int) -> None:
    import signal

    started = command_line.folder / "started"
    path = command_line.app(f"# !touch {started}; sleep 1000 | sleep 1000\n")

    process = command_line.start("run", "app", path, "--setup")
    eventually(started.exists)
    process.signal(getattr(signal, number))

    assert process.wait() == code
    process.assert_nothing_left()
