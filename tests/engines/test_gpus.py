"""Which GPUs there are, without needing one."""

from __future__ import annotations

import pytest

from lightning_apps.engines.gpus import discover, nvidia_smi


def forbidden() -> str:
    pytest.fail("nvidia-smi was asked without need")


@pytest.mark.parametrize(
    ("configured", "found"), [("0,1", ("0", "1")), ("", ()), (" GPU-a , GPU-b,", ("GPU-a", "GPU-b"))]
)
def test_the_setting_has_the_last_word(configured: str, found: tuple[str, ...]) -> None:
    assert discover(configured, "7", forbidden) == found


@pytest.mark.parametrize(
    ("visible", "found"),
    [
        ("2,3", ("2", "3")),
        ("", ()),
        ("-1", ()),
        ("0,-1,1", ("0",)),
        ("GPU-4a,MIG-5", ("GPU-4a", "MIG-5")),
        ("1,1", ("1",)),
    ],
)
def test_what_the_app_was_given_is_read_as_cuda_reads_it(visible: str, found: tuple[str, ...]) -> None:
    assert discover(None, visible, forbidden) == found


def test_otherwise_nvidia_smi_is_asked() -> None:
    assert discover(None, None, lambda: "GPU-11\nGPU-22\n") == ("GPU-11", "GPU-22")


def test_a_machine_without_nvidia_smi_has_no_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert nvidia_smi() == ""
    assert discover(None, None) == ()
