"""The documentation is true: whole apps in it run and print what it says, links work, settings are complete."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from lightning_apps.base.settings import FROM_ENVIRONMENT, Settings
from lightning_apps.cli.run import app as run_app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md"), *ROOT.glob("benchmarks/*.md")]
)
BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:```text\n(?P<output>.*?)^```)?", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")
ROW = re.compile(r"^\| `(LIGHTNING_\w+)` \| (?:`([^`]*)`|\*unset\*) \|", re.MULTILINE)


class WholeApp(NamedTuple):
    code: str
    output: str | None


def whole_apps() -> list[object]:
    found = []
    for page in PAGES:
        blocks = [match for match in BLOCK.finditer(page.read_text()) if "LightningApp(" in match["code"]]
        for number, match in enumerate(blocks, 1):
            name = f"{page.relative_to(ROOT)}#{number}"
            found.append(pytest.param(WholeApp(match["code"], match["output"]), id=name))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("app", whole_apps())
def test_an_app_in_the_documentation_runs_ends_with_0_and_prints_what_the_page_says(command_line, app):
    file = command_line.app(app.code)

    run = command_line.run("run", "app", file, "--open-ui=false")

    assert run.process.returncode == 0, run.report()
    if app.output is not None:
        assert run.stdout == app.output, run.report()


def test_the_test_in_the_readme_passes_with_the_app_in_the_readme(tmp_path, monkeypatch):
    blocks = [match["code"] for match in BLOCK.finditer((ROOT / "README.md").read_text())]
    (app,) = [code for code in blocks if "LightningApp(" in code]
    (code,) = [code for code in blocks if "AppTest(" in code]
    (tmp_path / "app.py").write_text(app)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}

    exec(code, names)

    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert [test() for test in tests if callable(test)] == [None]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_in_the_documentation_leads_to_a_file(page):
    dead = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]

    assert dead == []


def test_every_variable_is_documented_with_its_default():
    documented = dict(ROW.findall((ROOT / "docs/settings.md").read_text()))

    assert documented == {f"LIGHTNING_{name.upper()}": shown(getattr(Settings(), name)) for name in FROM_ENVIRONMENT}


def test_the_options_in_the_readme_are_those_of_the_command():
    words = set(re.findall(r"--[a-z][a-z_-]+", (ROOT / "README.md").read_text().split("## The command line")[1]))
    options = [option for option in run_app.params if isinstance(option, click.Option) and not option.hidden]
    spelled = {word for option in options for word in (*option.opts, *option.secondary_opts)}

    assert words - spelled <= {"--resume"}, "not an option"
    assert [option.name for option in options if words.isdisjoint(option.opts)] == [], "not in the README"


def shown(default: object) -> str:
    """A default as it would be written in a variable; nothing for one that is not set."""
    if default is None:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)
