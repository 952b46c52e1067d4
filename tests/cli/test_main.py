"""The command `lightning` as a whole: its version, its help, its ends, and `lightning doctor`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import lightning_apps
from lightning_apps.base.settings import Settings
from lightning_apps.cli import doctor
from lightning_apps.cli.main import cli


def lightning(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lightning_apps", *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_version_is_one_line_on_stdout() -> None:
    done = lightning("--version")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"lightning, version {lightning_apps.__version__}\n"


def test_bad_input_leaves_a_real_process_with_one_sentence_and_its_code() -> None:
    done = lightning("run", "app", "no_such_file.py")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1


def test_a_usage_error_leaves_a_real_process_with_two() -> None:
    done = lightning("run", "app", "app.py", "--nonsense")

    assert done.returncode == 2
    assert "--nonsense" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_and_version_load_neither_the_model_nor_the_host() -> None:
    program = (
        "import sys; from lightning_apps.cli.main import cli; cli(['run', 'app', '--help'], standalone_mode=False); "
        "print(sorted(m for m in sys.modules if m.startswith(('lightning_apps.host', 'lightning_apps.model', "
        "'lightning_apps.core', 'asyncio', 'socket'))), file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("words", [["--help"], ["run", "-h"], ["run", "app", "--help"], ["doctor", "-h"]])
def test_help_fits_a_terminal_of_eighty_columns(words: list[str]) -> None:
    result = CliRunner().invoke(cli, words, terminal_width=80)

    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_the_help_of_run_app_names_every_option_people_write() -> None:
    text = CliRunner().invoke(cli, ["run", "app", "--help"]).stdout

    for option in (
        "--name --env --secret --secrets-file --open-ui --without-server --host --port --blocking --no-cache --setup "
        "--app_args --engine --run-dir --tick --log-format --log-level --log-prefix --enable-basic-auth"
    ).split():
        assert option in text
    assert "--cloud" not in text


def test_the_doctor_finds_this_machine_fit() -> None:
    result = CliRunner().invoke(cli, ["doctor"])

    assert result.exit_code == 0
    assert sys.executable in result.stdout
    assert "\x1b" not in result.stdout
    assert all(line.split()[0] in (doctor.GOOD, doctor.NOTE) for line in result.stdout.splitlines())


class TestFindings:
    def test_a_run_folder_that_cannot_be_made_is_bad(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        finding = doctor.run_folder(str(tmp_path / "file" / "below"))

        assert finding.verdict == doctor.BAD
        assert "--run-dir" in finding.sentence

    def test_a_run_folder_that_is_still_to_be_made_is_fine(self, tmp_path: Path) -> None:
        assert doctor.run_folder(str(tmp_path / "new" / "newer")).verdict == doctor.GOOD

    def test_a_console_script_of_ours_is_known_by_what_it_imports(self, tmp_path: Path) -> None:
        script = tmp_path / "lightning"
        script.write_text("#!/bin/python\nfrom lightning_apps.cli.main import main\n")

        assert doctor.console_script(str(script)).verdict == doctor.GOOD

    def test_another_programs_console_script_is_named_with_the_way_out(self, tmp_path: Path) -> None:
        script = tmp_path / "lightning"
        script.write_text("#!/bin/python\nfrom lightning.fabric.cli import main\n")

        finding = doctor.console_script(str(script))

        assert finding.verdict == doctor.NOTE
        assert "lightning_app" in finding.sentence

    def test_no_console_script_at_all_leaves_the_module(self) -> None:
        assert "python -m lightning_apps" in doctor.console_script(None).sentence

    def test_forced_portable_ways_are_said(self) -> None:
        sentences = [finding.sentence for finding in doctor.examine(Settings(portable=True, gpus=""))]

        assert any("portable" in sentence for sentence in sentences)
