"""KEY=VALUE options: variables keep every character of their values, secrets are found and never said."""

from __future__ import annotations

import string
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_apps.base.errors import UsageError
from lightning_apps.cli import pairs
from lightning_apps.cli.checks import BadOption
from lightning_apps.cli.pairs import parse_pairs, places_of_secrets, read_secrets_file, resolve_secrets

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True)
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(st.dictionaries(NAMES, VALUES))
def test_every_value_comes_back_whole_and_in_order(given_pairs: dict[str, str]) -> None:
    texts = [f"{key}={value}" for key, value in given_pairs.items()]

    assert parse_pairs("--env", texts) == tuple(given_pairs.items())


@given(st.text(st.characters(exclude_characters="=\0")))
def test_a_text_without_an_equals_sign_is_refused(text: str) -> None:
    with pytest.raises(match="no `=`"):
        parse_pairs("--env", [text])


@given(st.text(string.printable.replace("=", "")).filter(lambda name: not pairs.is_variable(name)))
def test_a_key_that_no_shell_could_use_is_refused(name: str) -> None:
    with pytest.raises(match="not the name of a variable"):
        parse_pairs("--env", [f"{name}=1"])


def test_the_same_key_twice_is_refused_without_saying_the_values() -> None:
    with pytest.raises(BadOption) as caught:
        parse_pairs("--env", ["A=hidden", "A=concealed"])

    assert "A=…" in str(caught.value)
    assert "hidden" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_variable_cannot_be_a_secret_too() -> None:
    with pytest.raises(match="`A`"):
        pairs.refuse_overlap((("A", "1"),), (("A", "name"),))


class TestResolving:
    def test_the_first_place_that_has_a_secret_gives_it(self) -> None:
        places = {"one": {"x": "from one"}.get, "two": {"x": "from two", "y": "also"}.get}

        assert resolve_secrets((("A", "x"), ("B", "y")), places) == (("A", "from one"), ("B", "also"))

    def test_an_empty_secret_is_one(self) -> None:
        assert resolve_secrets((("A", "x"),), {"one": {"x": ""}.get}) == (("A", ""),)

    def test_an_unknown_secret_names_the_places_and_not_what_was_typed(self) -> None:
        with pytest.raises(UsageError) as caught:
            resolve_secrets((("TOKEN", "sk-pasted-by-mistake"),), {"the environment": {}.get})

        assert "TOKEN" in str(caught.value)
        assert "the environment" in str(caught.value)
        assert "sk-pasted" not in str(caught.value)


class TestSecretsFile:
    def write(self, folder: Path, text: str, mode: int = 0o600) -> str:
        path = folder / "secrets"
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def test_values_are_taken_as_they_stand(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "# for the demo\n\nTOKEN=a=b c \nQUOTED='x'\n")

        assert read_secrets_file(path) == {"TOKEN": "a=b c ", "QUOTED": "'x'"}

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
    def test_a_file_that_others_can_reach_is_refused_with_the_way_out(self, tmp_path: Path, mode: int) -> None:
        with pytest.raises(UsageError, match="chmod 600"):
            read_secrets_file(self.write(tmp_path, "A=1", mode))

    def test_a_bad_line_is_named_by_its_number_only(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as caught:
            read_secrets_file(self.write(tmp_path, "A=1\nsk-abc\n"))

        assert "Line 2" in str(caught.value)
        assert "sk-abc" not in str(caught.value)

    def test_a_missing_file_is_one_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot be read"):
            read_secrets_file(str(tmp_path / "none"))

    def test_bytes_that_are_no_text_are_one_sentence(self, tmp_path: Path) -> None:
        path = self.write(tmp_path, "")
        Path(path).write_bytes(b"A=\xff\xfe")

        with pytest.raises(UsageError, match="UTF-8"):
            read_secrets_file(path)


class TestPlaces:
    @pytest.fixture
    def keyring(self, tmp_path: Path) -> Iterator[None]:
        """A `keyring` package that has one secret and cannot be opened for the rest."""
        (tmp_path / "keyring.py").write_text(
            "class errors:\n    class KeyringError(Exception):\n        pass\n"
            "def get_password(service, name):\n    if name == 'in-keyring':\n        return service\n"
            "    raise errors.KeyringError('locked')\n"
        )
        sys.path.insert(0, str(tmp_path))
        yield
        sys.path.remove(str(tmp_path))
        sys.modules.pop("keyring", None)

    def test_the_environment_comes_last(self, tmp_path: Path) -> None:
        path = TestSecretsFile().write(tmp_path, "A=file\n")

        assert [lookup("A") for lookup in places_of_secrets(path, {"A": "variable"}).values()] == ["file", "variable"]

    @pytest.mark.usefixtures("keyring")
    def test_the_keyring_is_asked_under_our_name_and_may_be_locked(self) -> None:
        places = places_of_secrets(None, {"other": "variable"})

        assert resolve_secrets((("A", "in-keyring"), ("B", "other")), places) == (
            ("A", pairs.KEYRING_SERVICE),
            ("B", "variable"),
        )
