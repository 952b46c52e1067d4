"""The file that holds an app's name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.components.app_config import APP_CONFIG_FILENAME, AppConfig, NoAppConfig


def test_a_name_is_kept_in_a_folder(tmp_path: Path) -> None:
    AppConfig("my-app").save_to_dir(tmp_path)

    assert (tmp_path / ".lightning").read_text() == "name: my-app\n" and APP_CONFIG_FILENAME == ".lightning"
    assert AppConfig.load_from_dir(tmp_path) == AppConfig("my-app")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc"])))
def test_any_name_comes_back(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    path = tmp_path_factory.getbasetemp() / "config"
    AppConfig(name).save_to_file(path)

    assert AppConfig.load_from_file(path).name == name


def test_a_file_without_a_name_is_named(tmp_path: Path) -> None:
    (tmp_path / ".lightning").write_text("cluster: x\n")

    with pytest.raises(NoAppConfig, match="names no app"):
        AppConfig.load_from_dir(tmp_path)
