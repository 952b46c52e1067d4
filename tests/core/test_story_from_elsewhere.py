"""Stories that begin in the middle, and what is said when the app ends and is resumed."""

from __future__ import annotations

from typing import Any

import pytest

from lightning_apps.base import messages as m
from lightning_apps.core.past import Past
from lightning_apps.core.seen import CallSeen, WorkSeen
from lightning_apps.core.story import Story

from .talk import Root, Work
from .test_story import Recorded, texts, verdict


def work_with(*calls: CallSeen, latest: int = 0) -> WorkSeen:
    work = WorkSeen()
    work.calls = {call.ordinal: call for call in calls}
    work.latest = latest
    return work


def test_calls_whose_records_are_gone_are_known_from_elsewhere() -> None:
    known = work_with(
        CallSeen(1, "aaa", "(1)", "succeeded", 5.0, 2),
        CallSeen(2, "bbb", "(2)", "stopped", 6.0, 0, "pending"),
        latest=2,
    )

    story = Story("root.w").know(known)

    assert verdict(story, "aaa").startswith("root.w, call 1, run(1): succeeded at its first attempt;")
    assert verdict(story) == "root.w, call 2, run(2): was stopped, because the flow stopped it."
    assert [(call.ordinal, call.key, call.attempts) for call in story.calls.values()] == [(1, "aaa", 1), (2, "bbb", 0)]
    assert story.of(story.find("1")) == []
    assert not story.ready


def test_what_records_tell_comes_before_what_is_known_from_elsewhere() -> None:
    talk = Recorded(Root(lambda root: root.w.run(0.1), w=Work()))
    talk.tell()
    talk.arrive("w")
    talk.running("w")
    talk.succeed("w")
    past = Past().follow(talk.records)

    late = Story("root.w").follow(talk.records[3:])
    (call,) = late.calls.values()
    assert (call.key, call.arguments) == ("", "(…)")
    late.know(past.works["root.w"])

    assert (call.key, call.arguments, call.stage, call.attempts) == (
        past.works["root.w"].calls[1].key,
        "(0.1)",
        "succeeded",
        0,
    )
    assert late.latest == 1 and late.ready

    whole = talk.story()
    other = CallSeen(1, "zzz", "(9)", "failed", 0.0, 7)
    whole.know(work_with(other))
    assert (whole.calls[1].arguments, whole.calls[1].stage, whole.calls[1].attempts) == ("(0.1)", "succeeded", 1)
    assert whole.calls[1].key != "zzz"
    assert whole.latest == 1


def test_a_process_that_is_ready_has_only_to_take_the_call() -> None:
    work = work_with(CallSeen(1, "aaa", "()"), latest=1)
    assert verdict(Story("root.w").know(work)).endswith("waits for its process to be ready.")

    work.attached = True
    assert verdict(Story("root.w").know(work)).endswith("waits for its process to take it.")


def test_a_call_that_was_stopped_for_no_recorded_reason_was_stopped_by_the_flow() -> None:
    story = Story("root.w").know(work_with(CallSeen(1, "aaa", "()", "stopped"), latest=1))

    assert verdict(story).endswith("was stopped, because the flow stopped it.")


def test_a_retry_that_is_overdue_is_made_in_no_time() -> None:
    talk = Recorded(Root(lambda root: root.w.run(), w=Work(retries=1, backoff=2.0)))
    talk.tell()
    talk.arrive("w")
    talk.running("w")
    talk.fail("w", "ValueError: x")

    story = talk.story()

    assert "in 0 s, because" in story.verdict(story.find(""), True, 1e9)


def test_on_start_that_failed_is_told() -> None:
    talk = Recorded(Root(lambda root: root.w.run(), w=Work(raise_exception=False)))
    talk.tell()
    talk.tell(m.Attached(talk.place("w"), 1))
    talk.tell(talk.said("w", m.Ready(talk.now, m.Failure("user_exception", "Traceback\nKeyError: 'x'"))))

    assert "on_start failed: KeyError: 'x'" in texts(talk.story())
    assert "Its process is ready." not in texts(talk.story())


def running() -> Recorded:
    talk = Recorded(Root(lambda root: root.w.run(), w=Work()))
    talk.tell()
    talk.arrive("w")
    talk.running("w")
    return talk


def ended(talk: Recorded, *events: Any, why: str = "SIGTERM") -> Recorded:
    talk.records.append(talk.core.absorb(events, talk.now, why).record)
    return talk


@pytest.mark.parametrize(("busy", "said"), [(True, " was cut short"), (False, "")])
def test_the_end_of_the_app_is_told_once_with_its_reason(busy: bool, said: str) -> None:
    talk = running()
    if not busy:
        talk.succeed("w")
    word = talk.said("w", m.Checkpoint(1, 1, {}))

    ended(talk, word)
    ended(talk, talk.said("w", m.Checkpoint(1, 1, {})))

    told = [each.text for each in talk.story().sentences if each.text.startswith("The app ended")]
    assert told == [f"The app ended (SIGTERM), and its process{said} with it."]


def test_a_work_without_a_process_does_not_end_with_the_app() -> None:
    talk = Recorded(Root(w=Work(start_with_flow=False)))
    talk.tell()

    assert texts(ended(talk, talk.said("w", m.Checkpoint(1, 1, {}))).story()) == []
