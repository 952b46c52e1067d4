"""Why an app of a test does not go on, or has ended: sentences and exceptions.  Moves nothing."""

from __future__ import annotations

from ..base.errors import WorkFailed
from ..core.story import Story
from .stage import Stage


def how_it_stands(stage: Stage, name: str) -> str:
    """With this work, as the end of a sentence."""
    if stage.host.exit is not None:
        return f"the app has ended with exit code {stage.host.exit.code}."
    story = Story(name).follow(stage.journal.records())
    return story.verdict(story.find(""), True, stage.clock.wall())


def what_it_waits_for(stage: Stage) -> str:
    """An app that only its test could move."""
    crew = stage.host.coordinator.crew
    busy = [name for name, life in crew.lives.items() if life.busy]
    if not busy:
        return (
            "The app has nothing to do, and has not ended: no work runs, no timer is set, and the run of "
            f"{type(stage.host.coordinator.root).__name__} asks for nothing more. Let it call self.stop()."
        )
    told = " ".join(how_it_stands(stage, name) for name in busy)
    return f"The app waits for what the test plays. {told} {_way_out(stage, busy[0])}"


def _way_out(stage: Stage, name: str) -> str:
    work, worker = f'works["{name.removeprefix("root.")}"]', stage.engine.latest.get(name)
    if worker is None or worker.over:
        return f"Let it have its place with `{work}.release()`."
    if worker.stalled:
        return f"Let it go on with `{work}.go_on()`."
    return f"End it with `{work}.finish(…)` or `.fail(…)`, or make it inline."


def failure_of(stage: Stage, name: str, message: str) -> BaseException:
    """What to raise for a work whose failure ended the app.

    Args:
        message: what was said of it, where nothing better is known.
    """
    life = stage.host.coordinator.crew.lives.get(name)
    latest = life.calls.latest if life is not None else None
    failure = latest.failure if latest is not None else None
    worker = stage.engine.latest.get(name)
    raised = worker.raised if worker is not None else None
    kind = failure.kind if failure is not None else type(raised).__name__
    if raised is not None and type(raised).__name__ == kind and not isinstance(raised, SystemExit):
        return raised
    bare = (life.bare[-1].message or "") if life is not None and life.bare else ""
    text = (failure.message if failure is not None else bare) or message
    error = WorkFailed(f"{name} failed, which ended the app: {text.strip()}")
    error.__cause__ = raised
    return error
