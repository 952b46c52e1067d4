"""Whole stories: every sentence of a work's life, and how it stands with its call after each step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import pytest
from lightning.testing import AppTest

from lightning_apps.core.story import Story


class Work(L.LightningWork):
    def __init__(self, **options: Any) -> None:
        super().__init__(parallel=True, raise_exception=False, **options)

    def run(self, n: int = 0) -> None: ...


class Root(L.LightningFlow):
    def __init__(self) -> None:
        super().__init__()
        self.w = Work(start_with_flow=False, retries=1, backoff=10, timeout=100)
        self.wanted = [0]

    def run(self) -> None:
        for n in self.wanted:
            self.w.run(n)

    def do(self, what: str) -> None:
        getattr(self.w, what)()

    def swap(self) -> None:
        if hasattr(self, "other"):
            del self.other
        else:
            self.other = Work()

    def ask_other(self) -> None:
        self.other.run(n=5)

    def end(self) -> None:
        self.stop()

    def want(self, *numbers: int) -> None:
        self.wanted = list(numbers)


def boom() -> ValueError:
    return ValueError("boom\nof two lines")


def held(app: AppTest) -> None:
    app.ask("root.do", "stop")
    app.works["w"].hold("w waits for 1 GPU")
    app.ask("root.want", 1)


STEPS: dict[str, Callable[[AppTest], Any]] = {
    "settled": lambda app: None,
    "succeeds": lambda app: app.works["w"].finish(),
    "fails": lambda app: app.works["w"].fail(boom()),
    "leaves a checkpoint": lambda app: app.works["w"].checkpoint(epoch=1),
    "dies": lambda app: app.works["w"].die("SIGKILL"),
    "exits": lambda app: app.works["w"].exit(3),
    "is lost": lambda app: app.works["w"].lose(),
    "gets SIGTERM": lambda app: app.works["w"].die("SIGTERM"),
    "10 s pass": lambda app: app.advance(seconds=10),
    "4 s pass": lambda app: app.advance(seconds=4),
    "100 s pass": lambda app: app.advance(seconds=100),
    "is stopped": lambda app: app.ask("root.do", "stop"),
    "is deleted": lambda app: app.ask("root.do", "delete"),
    "is tried again": lambda app: app.ask("root.do", "retry"),
    "is started": lambda app: app.ask("root.do", "start"),
    "is asked for 1": lambda app: app.ask("root.want", 1),
    "is asked for 0 and 1": lambda app: app.ask("root.want", 0, 1),
    "is asked for 1 and 0": lambda app: app.ask("root.want", 1, 0),
    "must wait": held,
    "waits for something else": lambda app: app.works["w"].hold("w waits for 2 GPUs"),
    "has a place": lambda app: app.works["w"].release(),
    "can never be placed": lambda app: app.works["w"].refuse("no machine has 9 GPUs"),
    "comes or leaves": lambda app: app.ask("root.swap"),
    "the other is asked": lambda app: app.ask("root.ask_other"),
    "the app ends": lambda app: app.ask("root.end"),
    "host dies": lambda app: app.crash(),
    "machine dies": lambda app: app.crash(works=True),
}


def told(steps: str, work: str = "root.w") -> str:
    """The story as a page: steps, what they added, and the verdict."""
    app, lines, known = AppTest(Root), [work], 0
    begin = app.clock.wall()
    for step in steps.split(", "):
        STEPS[step](app)
        app.settle()
        story = Story(work).follow(app.stage.journal.records())
        lines.append(f"- {step}")
        for each in story.sentences[known:]:
            lines.append(f"{each.turn:>3} {each.at - begin:g} s {each.call or ' '} {each.text}")
        known = len(story.sentences)
        for lives in (True, False):
            lines.append(f"    {story.verdict(story.find(''), lives, app.clock.wall())}")
    lines.append(f"  of call 1: {[each.turn for each in story.of(story.find('1'))]}")
    return "\n".join(lines)


PAGES = (Path(__file__).parent / "stories.txt").read_text().strip("\n").split("\n\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.split("\n")[1][2:])
def test_a_story_is_told_whole(page: str) -> None:
    work, *lines = page.split("\n")
    steps = ", ".join(line[2:] for line in lines if line.startswith("- "))

    assert told(steps, work) == page
