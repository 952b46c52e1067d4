"""`lightning run app`: what each option does to the settings, and one sentence for each that cannot be used."""

from __future__ import annotations

import os
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from lightning_apps.base.settings import Settings
from lightning_apps.cli.main import cli


class Recorder:
    """A runner that runs nothing: it keeps what it was asked for and answers with a code."""

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.asked: list[tuple[str, Settings]] = []

    def __call__(self, path: str, settings: Settings) -> int:
        self.asked.append((path, settings))
        return self.code


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("LIGHTNING_"):
            monkeypatch.delenv(name)
    (tmp_path / "app.py").write_text("")
    return "app.py"


def invoke(*words: str, code: int = 0, env: dict[str, str] | None = None) -> tuple[Result, Recorder]:
    recorder = Recorder(code)
    result = CliRunner().invoke(cli, ["run", "app", *words], obj=recorder, env=env)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result, recorder


def settings_for(*words: str, env: dict[str, str] | None = None) -> Settings:
    result, recorder = invoke(*words, env=env)
    assert result.exit_code == 0, result.stderr
    return recorder.asked[0][1]


def refused(*words: str, code: int = 2, env: dict[str, str] | None = None) -> str:
    """The sentence on stderr; nothing was run, and there is no traceback."""
    result, recorder = invoke(*words, env=env)
    assert result.exit_code == code, result.stderr
    assert recorder.asked == []
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


class TestOptions:
    def test_the_file_and_the_runners_code_pass_through(self, file: str) -> None:
        result, recorder = invoke(file, code=130)

        assert recorder.asked[0][0] == file
        assert result.exit_code == 130
        assert result.stdout == ""

    def test_without_options_the_settings_are_the_defaults(self, file: str) -> None:
        assert settings_for(file) == Settings().portable_ways()

    @pytest.mark.parametrize(
        ("words", "field", "value"),
        [
            ("--name demo", "name", "demo"),
            ("--engine inline", "engine", "inline"),
            ("--run-dir there", "run_dir", "there"),
            ("--tick 0.5", "tick", 0.5),
            ("--log-level debug", "log_level", "debug"),
            ("--log-format json", "log_format", "json"),
            ("--log-prefix always", "log_prefix", "always"),
            ("--host 0.0.0.0", "host", "0.0.0.0"),
            ("--port 0", "port", 0),
            ("--open-ui=false", "open_ui", False),
            ("--open-ui False", "open_ui", False),
            ("--open-ui 1", "open_ui", True),
            ("--blocking False", "blocking", False),
            ("--blocking yes", "blocking", True),
            ("--without-server", "with_server", False),
            ("--env A=b=c", "env", (("A", "b=c"),)),
            ("--env A= --env B=2", "env", (("A", ""), ("B", "2"))),
            ("--no-cache", "engine", "local"),
            ("--enable-basic-auth me:pass:word", "engine", "local"),
        ],
    )
    def test_an_option_becomes_a_setting(self, file: str, words: str, field: str, value: Any) -> None:
        assert getattr(settings_for(file, *words.split()), field) == value

    def test_options_may_stand_before_the_file(self, file: str) -> None:
        assert settings_for("--name", "x", file).name == "x"

    @pytest.mark.parametrize(
        ("words", "argv"),
        [
            (["--app_args", "--use_gpu", "--app_args", "--lr=1"], ("--use_gpu", "--lr=1")),
            (["--app-args", "two words"], ("two words",)),
            (["--", "--lr", "1", "--name", "x"], ("--lr", "1", "--name", "x")),
            (["--app_args", "a", "--name", "n", "--", "b"], ("a", "b")),
        ],
    )
    def test_arguments_of_the_app_are_passed_on_as_they_stand(
        self, file: str, words: list[str], argv: tuple[str, ...]
    ) -> None:
        assert settings_for(file, *words).argv == argv

    def test_an_option_comes_before_its_variable(self, file: str) -> None:
        assert settings_for(file, env={"LIGHTNING_ENGINE": "inline"}).engine == "inline"
        assert settings_for(file, "--engine", "local", env={"LIGHTNING_ENGINE": "inline"}).engine == "local"

    def test_a_secret_is_resolved_and_not_printed(self, file: str) -> None:
        result, recorder = invoke(file, "--secret", "TOKEN=MY_TOKEN", env={"MY_TOKEN": "sk-123"})

        assert recorder.asked[0][1].secrets == (("TOKEN", "sk-123"),)
        assert "sk-123" not in result.output

    def test_the_secrets_file_comes_first(self, file: str, tmp_path: Path) -> None:
        secrets = tmp_path / "secrets"
        secrets.touch(mode=0o600)
        secrets.write_text("MY_TOKEN=from the file\n")

        settings = settings_for(
            file, "--secret", "T=MY_TOKEN", "--secrets-file", str(secrets), env={"MY_TOKEN": "variable"}
        )

        assert settings.secrets == (("T", "from the file"),)

    def test_setup_commands_run_only_when_asked_for(self, file: str, tmp_path: Path) -> None:
        Path(file).write_text('# !echo "$FROM_ENV" > out\n')

        settings_for(file)
        assert not (tmp_path / "out").exists()

        settings_for(file, "--setup", "--env", "FROM_ENV=seen")
        assert (tmp_path / "out").read_text() == "seen\n"

    def test_setup_can_be_declined(self, file: str, tmp_path: Path) -> None:
        Path(file).write_text("# !touch out\n")

        settings_for(file, "--setup", "--no-setup")

        assert not (tmp_path / "out").exists()


class TestBadInput:
    def test_a_missing_file_ends_with_one(self, file: str) -> None:
        assert "`ap.py` doesn't exist. Did you mean `app.py`?" in refused("ap.py", code=1)

    def test_no_file_at_all_shows_how_to_call(self, file: str) -> None:
        assert "Missing argument 'FILE'" in refused()

    def test_a_file_without_the_word_app_is_understood(self, file: str) -> None:
        result = CliRunner().invoke(cli, ["run", file, "--name", "x"])

        assert result.exit_code == 2
        assert "lightning run app app.py --name x" in result.stderr

    def test_an_unknown_engine_names_the_known_ones(self, file: str) -> None:
        said = refused(file, "--engine", "lokal")

        assert "`lokal`" in said
        assert "local, inline" in said

    def test_an_engine_in_a_variable_is_checked_as_well(self, file: str) -> None:
        assert "no engine `x`" in refused(file, env={"LIGHTNING_ENGINE": "x"})

    @pytest.mark.skipif(find_spec("ray") is not None, reason="ray is installed here")
    def test_an_engine_whose_extra_is_missing_gives_the_pip_line(self, file: str) -> None:
        assert "pip install 'lightning-apps[ray]'" in refused(file, "--engine", "ray", code=1)

    def test_the_cloud_is_gone_and_engines_are_there(self, file: str) -> None:
        said = refused(file, "--cloud")

        assert "no cloud" in said
        assert "--engine" in said

    @pytest.mark.parametrize(
        ("words", "told"),
        [
            ("--env NOVALUE", "KEY=VALUE"),
            ("--env 1A=x", "`1A`"),
            ("--env A=1 --env A=2", "twice"),
            ("--env A=1 --secret A=n", "--secret"),
            ("--secret A", "KEY=VALUE"),
            ("--log-level loud", "debug, info"),
            ("--log-format xml", "text, json"),
            ("--log-prefix maybe", "auto, always, never"),
            ("--tick 0", "--tick"),
            ("--tick -1", "--tick"),
            ("--tick nan", "--tick"),
            ("--tick often", "--tick"),
            ("--port 70000", "--port"),
            ("--open-ui perhaps", "--open-ui"),
            ("--enable-basic-auth me", "USER:PASSWORD"),
            ("--enable-basic-auth :secretword", "USER:PASSWORD"),
            ("--nonsense", "--nonsense"),
        ],
    )
    def test_a_bad_value_is_a_sentence_with_the_way_out(self, file: str, words: str, told: str) -> None:
        said = refused(file, *words.split())

        assert told in said
        assert "secretword" not in said

    def test_an_unknown_secret_stops_before_anything_starts(self, file: str, tmp_path: Path) -> None:
        Path(file).write_text("# !touch started\n")

        said = refused(file, "--setup", "--secret", "TOKEN=sk-typed-by-mistake", code=1)

        assert "--secret TOKEN=…" in said
        assert "sk-typed" not in said
        assert not (tmp_path / "started").exists()

    def test_a_port_in_use_is_named(self, file: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]

            said = refused(file, "--port", str(port), code=1)

        assert f"Port {port} on 127.0.0.1 is in use" in said

    def test_a_host_of_another_machine_is_named(self, file: str) -> None:
        assert "--host 192.0.2.1" in refused(file, "--host", "192.0.2.1", "--port", "7501", code=1)

    def test_a_failing_setup_command_is_named(self, file: str) -> None:
        Path(file).write_text("# !exit 3\n")

        assert "`exit 3`" in refused(file, "--setup", code=1)
