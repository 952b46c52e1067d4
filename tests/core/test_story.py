"""Why a work ran, or did not: sentences from records alone."""

from __future__ import annotations

from typing import Any

from lightning_apps.base import messages as m
from lightning_apps.core.story import Story
from lightning_apps.wire import codec

from .talk import Root, Talk, Work


class Recorded(Talk):
    """A conversation whose records are kept as a journal keeps them."""

    def __init__(self, root: Root, **options: Any) -> None:
        super().__init__(root, **options)
        self.records = [self.outcome.record]

    def tell(self, *events: Any) -> list[Any]:
        effects = super().tell(*events)
        self.records.append(self.outcome.record)
        return effects

    def said(self, name: str, message: Any) -> Any:
        event = super().said(name, message)
        return m.Said(event.place, event.offset, message, codec.dump(message))

    def fail(self, name: str, message: str) -> list[Any]:
        return self.tell(self.moved(name, "failed", failure=m.Failure("user_exception", message)))

    def story(self, name: str = "w") -> Story:
        return Story(f"root.{name}").follow(self.records)


def texts(story: Story, call: str = "") -> list[str]:
    return [sentence.text for sentence in story.of(story.find(call))]


def verdict(story: Story, call: str = "", lives: bool = True) -> str:
    return story.verdict(story.find(call), lives, 1000.0)


def test_a_call_that_succeeded_is_told_from_being_asked_for_to_its_end() -> None:
    talk = Recorded(Root(lambda root: root.w.run(0.1, epochs=3), w=Work()))
    talk.tell()
    talk.arrive("w")
    talk.running("w")
    talk.succeed("w")

    story = talk.story()

    assert texts(story) == [
        "The flow asked for run(0.1, epochs=3) for the first time.",
        "Its process dialled in.",
        "It was sent to its process, as attempt 1.",
        "Its process is ready.",
        "It began to run.",
        "It succeeded.",
    ]
    assert verdict(story).startswith("root.w, call 1, run(0.1, epochs=3): succeeded at its first attempt; ")


def test_a_work_that_was_never_asked_says_so() -> None:
    talk = Recorded(Root(w=Work()))
    talk.tell()

    assert verdict(talk.story()) == "root.w was never asked to run."


def test_a_call_whose_machine_is_not_heard_says_so_and_what_follows() -> None:
    talk = Recorded(Root(lambda root: root.w.run(1), w=Work()))
    talk.tell()
    talk.arrive("w")
    talk.running("w")

    talk.tell(m.Silent(talk.place("w"), "The machine of root.w is not heard any more; it may go on there"))
    said = verdict(talk.story())
    talk.tell(m.Silent(talk.place("w"), ""))

    assert said.endswith(
        "was seen running (at its first attempt): the machine of root.w is not heard any more; it may go on there."
    )
    assert verdict(talk.story()).endswith("runs (at its first attempt).")
    assert texts(talk.story())[-1] == "Its machine is heard again."


def test_what_a_call_waits_for_is_said() -> None:
    talk = Recorded(Root(lambda root: root.w.run(1), w=Work()))
    talk.tell()
    assert verdict(talk.story()).endswith("waits for its process to be ready.")

    talk.tell(m.Waiting(talk.place("w"), "root.w waits for 1 GPU: root.v holds it"))

    assert verdict(talk.story()).endswith("waits for a place: root.w waits for 1 GPU: root.v holds it.")
    assert verdict(talk.story(), lives=False).endswith("when the records end.")


def test_a_call_behind_another_of_the_same_work_names_it() -> None:
    def ask(root: Root) -> None:
        root.w.run(1)
        root.w.run(2)

    talk = Recorded(Root(ask, w=Work(parallel=True)))
    talk.tell()

    assert verdict(talk.story(), "2") == (
        "root.w, call 2, run(2): waits for call 1, run(1) of the same work, which comes first."
    )


def test_an_attempt_that_failed_says_why_and_when_the_next_is_made() -> None:
    talk = Recorded(Root(lambda root: root.w.run(), w=Work(retries=1, backoff=2.0)))
    talk.tell()
    talk.arrive("w")
    talk.running("w")
    talk.fail("w", "Traceback\n  ...\nValueError: no data")

    story = talk.story()

    assert texts(story)[-1].startswith("The attempt failed: ValueError: no data. It is made again in ")
    assert "waits for its next attempt, in" in verdict(story)
    assert verdict(story).endswith("because its run raised an exception.")


def test_a_call_made_again_after_it_failed_is_one_call() -> None:
    talk = Recorded(Root(lambda root: root.w.run(), w=Work(raise_exception=False)))
    talk.tell()
    talk.arrive("w")
    talk.running("w")
    talk.fail("w", "ValueError: x")
    talk.tell(m.Asked("1", "root.w", "retry"))

    story = talk.story()

    assert list(story.calls) == [1]
    assert "The flow asked for run() again, after it had failed." in texts(story)
    assert "It failed: ValueError: x." in texts(story)


def test_a_failed_call_that_is_asked_for_again_is_not_run_again() -> None:
    def ask(root: Root) -> None:
        root.w.run(1)
        if root.w.has_failed:
            root.w.run(2)
            root.w.run(1)

    talk = Recorded(Root(ask, w=Work(raise_exception=False, parallel=True)))
    talk.tell()
    talk.arrive("w")
    talk.running("w")
    talk.fail("w", "ValueError: x")

    assert texts(talk.story(), "1")[-1] == (
        "The flow asked for it again with the same arguments: it had failed, and is made again only by retry()."
    )


def test_a_process_that_died_is_named_with_its_signal() -> None:
    talk = Recorded(Root(lambda root: root.w.run(), w=Work(raise_exception=False)))
    talk.tell()
    talk.arrive("w")
    talk.running("w")
    talk.tell(m.Exited(talk.place("w"), None, 9))

    story = talk.story()

    assert "Its process was ended by SIGKILL (9) (out of memory?)." in texts(story)
    assert verdict(story).endswith("failed at its first attempt, because its process ended.")


def test_what_happened_before_the_oldest_turn_is_said_to_be_missing() -> None:
    talk = Recorded(Root(lambda root: root.w.run(), w=Work()))
    talk.tell()
    talk.arrive("w")
    talk.running("w")
    talk.succeed("w")

    story = Story("root.w").follow(talk.records[3:])

    assert texts(story, "1")[0] == "It was asked for before turn 4, with which this begins."


def test_a_call_is_found_by_its_number_or_the_beginning_of_its_key() -> None:
    talk = Recorded(Root(lambda root: (root.w.run(1), root.w.run(2)), w=Work(parallel=True)))
    talk.tell()
    story = talk.story()

    second = story.find("2")

    assert second is not None
    assert story.find(second.key[:8]) is second
    assert story.find("") is second
    assert story.find("zzz") is None


def test_many_checkpoints_in_a_row_are_one_sentence() -> None:
    talk = Recorded(Root(lambda root: root.w.run(), w=Work()))
    talk.tell()
    talk.arrive("w")
    talk.running("w")
    for epoch in range(50):
        talk.tell(talk.said("w", m.Checkpoint(1, 1, {"epoch": epoch})))
    last = talk.records[-1].turn
    talk.succeed("w")

    told = texts(talk.story())

    assert told[-2:] == [
        f"It left a checkpoint for its next attempt. So it did 50 times, until turn {last}.",
        "It succeeded.",
    ]


def test_a_process_that_had_to_be_killed_when_it_was_stopped_did_not_run_out_of_memory() -> None:
    talk = Recorded(Root(lambda root: (root.w.run(), root.w.is_running and root.w.stop()), w=Work(parallel=True)))
    talk.tell()
    talk.arrive("w")
    talk.running("w")
    talk.tell(m.Exited(talk.place("w"), None, 9))

    assert talk.story().of(None)[-1].text == "Its process did not end when it was told to, and was killed."


def test_a_call_that_began_just_when_the_app_ended_was_cut_short_as_well() -> None:
    talk = Recorded(Root(lambda flow: flow.w.run(1), w=Work(parallel=True)))
    talk.tell()
    talk.arrive("w")
    talk.records.append(talk.core.absorb([talk.moved("w", "running")], talk.now, "SIGINT").record)
    talk.records.append(talk.core.absorb([talk.exited("w", code=0)], talk.now, "SIGINT").record)

    story = talk.story()

    assert texts(story)[-3:] == [
        "The app ended (SIGINT), and its process was cut short with it.",
        "It began to run.",
        "Its process ended with exit code 0.",
    ]
