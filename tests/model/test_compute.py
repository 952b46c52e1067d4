"""CloudCompute, Mount: what a work asks for, and the sentences for what cannot be."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.base.encoding import decode, encode
from lightning_apps.model.compute import CloudCompute, Mount, Requirement
from lightning_apps.model.quantities import in_bytes, shown_size


def test_a_default_one_asks_for_nothing() -> None:
    compute = CloudCompute()

    assert compute.is_default() and CloudCompute("cpu").is_default()
    assert compute.id == CloudCompute("default").id == "default"
    assert (compute.requirement, compute.wish) == (Requirement(), 0)


def test_what_is_given_by_number_is_a_requirement() -> None:
    compute = CloudCompute("gpu", cpus=1.5, memory="4GiB", devices=2)

    assert compute.requirement == Requirement(cpus=1.5, memory=4 * 2**30, devices=2)
    assert compute.wish == 0
    assert not CloudCompute(cpus=1).is_default()


@pytest.mark.parametrize(
    ("name", "wish"),
    [
        ("gpu", 1),
        ("GPU", 1),
        ("gpu-fast", 1),
        ("gpu-rtx", 1),
        ("gpu-fast-multi", 4),
        ("gpu-multi-fast", 4),
        ("cpu-medium", 0),
    ],
)
def test_the_older_names_are_wishes(name: str, wish: int) -> None:
    assert CloudCompute(name).wish == wish
    assert CloudCompute(name).requirement == Requirement()


def test_no_devices_by_number_is_no_wish_either() -> None:
    assert CloudCompute("gpu", devices=0).wish == 0


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GiB", 4 * 2**30), ("500MB", 500 * 10**6), ("1.5 gib", 3 * 2**29), ("64", 64), ("1Ki", 1024), ("0B", 0), (7, 7)],
)
def test_memory_is_read_as_people_write_it(text: str | int, size: int) -> None:
    assert CloudCompute(memory=text).memory == size


@pytest.mark.parametrize("text", ["4G", "lots", "", "-1GiB", "GiB", "1e999GiB", "nanB", True, 1.5, None])
def test_what_is_no_size_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="4GiB"):
        in_bytes(text)


@given(st.integers(0, 2**60))
def test_a_size_is_shown_close_to_what_it_is(size: int) -> None:
    assert abs(in_bytes(shown_size(size)) - size) <= size / 1000


@pytest.mark.parametrize(
    "wrong",
    [
        {"cpus": -1},
        {"cpus": "two"},
        {"cpus": float("nan")},
        {"devices": 1.5},
        {"resources": {"licence": -1}},
        {"devices": True},
        {"devices": -1},
        {"patience": -1},
        {"idle_timeout": "1"},
    ],
)
def test_a_number_that_is_none_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CloudCompute(**wrong)


@pytest.mark.parametrize("group", ["x" * 65, 5])
def test_a_group_id_is_a_short_text(group: Any) -> None:
    with pytest.raises(ValueError, match="colocation_group_id can only be a string of maximum 64 characters"):
        CloudCompute("gpu", colocation_group_id=group)


@pytest.mark.parametrize("keywords", [{"interruptible": True}, {"preemptible": True}, {"spot": True}])
def test_interruptible_works_have_patience(keywords: dict[str, bool]) -> None:
    compute = CloudCompute("gpu", **keywords)

    assert compute.interruptible and compute.preemptible
    assert compute.patience == 60.0
    assert CloudCompute("gpu", interruptible=True, patience=5).patience == 5
    assert CloudCompute("gpu").patience is None


def test_older_keywords_are_accepted_and_unknown_ones_warned_of(recwarn: pytest.WarningsRecorder) -> None:
    CloudCompute("gpu", wait_timeout=3, clusters=["a"], cluster="b")
    assert not recwarn.list

    with pytest.warns(UserWarning, match="'device'"):
        CloudCompute("gpu", device=2)


def test_gpu_names_have_shared_memory() -> None:
    assert (CloudCompute("gpu").shm_size, CloudCompute("cpu").shm_size, CloudCompute("cpu", shm_size=7).shm_size) == (
        1024,
        0,
        7,
    )


def test_it_comes_back_from_its_dictionary_with_its_id() -> None:
    compute = CloudCompute("gpu", mounts=[Mount("s3://bucket/data/")], devices=2, memory="1GiB", idle_timeout=5)

    again = CloudCompute.from_dict(compute.to_dict())

    assert again == compute
    assert (again.id, again.type(), compute.to_dict()["type"]) == (compute.id, "__cloud_compute__", "__cloud_compute__")


def test_another_dictionary_is_refused() -> None:
    with pytest.raises(ValueError, match="__drive__"):
        CloudCompute.from_dict({"type": "__drive__"})


def test_a_clone_is_equal_and_another_instance() -> None:
    compute = CloudCompute("gpu", cpus=2)

    assert compute.clone() == compute
    assert compute.clone().id != compute.id
    assert CloudCompute().clone().id == "default"
    assert compute != CloudCompute("gpu")


@pytest.mark.parametrize("compute", [CloudCompute(), CloudCompute("gpu", mounts=Mount("s3://b/x/"), memory=5)])
def test_it_survives_state_and_pickle(compute: CloudCompute) -> None:
    for again in (decode(encode(compute)), pickle.loads(pickle.dumps(compute))):
        assert again == compute
        assert again.id == compute.id


@dataclasses.dataclass
class Bigger(CloudCompute):
    racks: int = 1


def test_it_may_be_made_a_dataclass() -> None:
    bigger = Bigger("gpu", racks=3, memory="1GiB")

    assert (bigger.racks, bigger.memory, bigger.shm_size) == (3, 2**30, 1024)
    assert decode(encode(bigger)) == bigger
    assert dataclasses.replace(CloudCompute("gpu"), disk_size=3).disk_size == 3


def test_two_mounts_under_one_path_are_refused() -> None:
    with pytest.raises(ValueError, match="Every Mount attached to a work must have a unique 'mount_path' argument"):
        CloudCompute(mounts=[Mount("s3://a/x/"), Mount("s3://b/x/")])


def test_what_is_no_mount_is_refused() -> None:
    with pytest.raises(TypeError, match="str"):
        CloudCompute(mounts="s3://a/x/")


@pytest.mark.parametrize(
    ("source", "path", "words"),
    [("gs://a/", "", "protocol"), ("s3://a", "", "trailing slash"), ("s3://a/", "data", "absolute path")],
)
def test_a_mount_that_cannot_be_is_refused(source: str, path: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Mount(source, path)


def test_a_mount_has_a_path_and_a_protocol() -> None:
    mount = Mount("s3://bucket/a/b/")

    assert (mount.mount_path, mount.protocol) == ("/data/b", "s3://")


def test_importing_it_imports_no_dataclasses() -> None:
    code = "import sys, lightning_apps.model.compute; print('dataclasses' in sys.modules)"

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "False"


def test_a_fraction_of_a_gpu_is_a_whole_one_where_it_cannot_be_shared() -> None:
    compute = CloudCompute(devices=0.5, resources={"licence": 1})

    assert compute.requirement.devices == 1
    assert CloudCompute.from_dict(compute.to_dict()) == compute
