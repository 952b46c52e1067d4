"""What the broker makes of Ray's complaints, and that it and its host understand each other: without Ray."""

from __future__ import annotations

import io
import itertools

import pytest

from lightning_apps.engines import ray_broker, ray_words
from lightning_apps.ports import Placement

ORDER = Placement(place="root.w@1", work="root.w", address="tls:h:1#f", token="t", env={"A": "ä"}, pickled=b"\x00\xff")


@pytest.mark.parametrize(
    "order",
    [
        ray_words.Launch(ORDER, b"\x01\x02", "mark", ("n1", "n2")),
        ray_words.Kill("root.w@1"),
        ray_words.Find("root.w@1", "mark", "n1"),
        ray_words.Began("root.w@1", "n1"),
    ],
)
def test_the_broker_reads_what_its_host_wrote(order):
    stream = io.BytesIO()
    ray_words.write(stream, order)
    stream.seek(0)

    assert ray_words.read_order(stream) == order
    assert ray_words.read_order(stream) is None


@pytest.mark.parametrize(
    "report",
    [
        ray_words.Waits("p", "r"), ray_words.Refused("p", "r"), ray_words.NeverBegan("p", "r", True),
        ray_words.Over("p", False), ray_words.Trouble("m"),
    ],
)  # fmt: skip
def test_the_host_reads_what_its_broker_wrote(report):
    stream = io.BytesIO()
    ray_words.write(stream, report)
    stream.seek(0)

    assert ray_words.read_report(stream) == report


def test_a_broker_that_dies_in_the_middle_of_a_word_has_said_nothing():
    stream = io.BytesIO()
    ray_words.write(stream, ray_words.Over("root.w@1", True))

    for length in range(len(stream.getvalue())):
        assert ray_words.read_report(io.BytesIO(stream.getvalue()[:length])) is None


def raised(*errors: Exception) -> Exception:
    """The last of these, with the others behind it."""
    for cause, error in itertools.pairwise(errors):
        error.__cause__ = cause
    return errors[-1]


def test_a_cluster_that_wants_a_token_is_told_although_ray_hides_it_behind_another_error():
    error = raised(
        RuntimeError("AuthenticationError: token is missing"), ConnectionError("Failed to connect to Ray cluster")
    )

    assert "RAY_AUTH_TOKEN_PATH" in ray_broker.sentence("h:1", error)


def test_another_version_of_ray_or_python_is_told():
    error = RuntimeError(
        "Version mismatch: The cluster was started with:\n    Ray: 2.60.0\n    Python: 3.11.7\n"
        "This process on node 10.0.0.1 was started with:\n    Ray: 2.60.0\n    Python: 3.12.1\n"
    )

    said = ray_broker.sentence("h:1", error)

    assert "another version of Ray or Python" in said


def test_nobody_at_the_address_is_told():
    assert "There is no Ray cluster at h:1" in ray_broker.sentence("h:1", ConnectionRefusedError(111, "refused"))
    assert "There is no Ray cluster on this machine" in ray_broker.sentence("auto", ConnectionError("none"))


def test_a_node_without_this_package_is_not_tried_again_and_any_other_trouble_is():
    missing = ray_broker.why_not(RuntimeError("ModuleNotFoundError: No module named 'lightning_apps'"))
    other = ray_broker.why_not(RuntimeError("The actor died unexpectedly before finishing this task."))

    assert "install lightning-apps on them" in missing[0]
    assert (missing[1], other[1]) == (False, True)
