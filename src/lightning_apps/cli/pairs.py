"""Reads `KEY=VALUE` options: variables and secrets.  Never says a value, as it may be or hold a secret."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from ..base.errors import UsageError
from .checks import BadOption

Pairs = tuple[tuple[str, str], ...]
Lookup = Callable[[str], "str | None"]
KEYRING_SERVICE = "lightning-apps"


def parse_pairs(option: str, texts: Iterable[str]) -> Pairs:
    """`("A=1", "B=x=y")` as `(("A", "1"), ("B", "x=y"))`.

    Raises:
        BadOption: no `=`, a key that is no name of a variable, or the same key twice.
    """
    pairs: dict[str, str] = {}
    for position, text in enumerate(texts, start=1):
        key, equals, value = text.partition("=")
        if not equals:
            raise BadOption(f"{option} number {position} has no `=` after the name: write it as {option} KEY=VALUE.")
        if not is_variable(key):
            raise BadOption(
                f"{option} {key}=…: `{key}` is not the name of a variable: use letters, digits and `_`, "
                "not beginning with a digit."
            )
        if key in pairs:
            raise BadOption(f"{option} {key}=… is given twice: keep one of them.")
        pairs[key] = value
    return tuple(pairs.items())


def is_variable(name: str) -> bool:
    """Whether `name` can be a variable of the environment in every shell."""
    return name.isascii() and name.isidentifier()


def refuse_overlap(env: Pairs, secrets: Pairs) -> None:
    """One variable cannot be both."""
    for key in {key for key, _ in env} & {key for key, _ in secrets}:
        raise BadOption(f"`{key}` is given by --env and by --secret: keep one of them.")


def resolve_secrets(wanted: Pairs, lookups: Mapping[str, Lookup]) -> Pairs:
    """Replace the name of each secret by its value, asking each place in order.

    Args:
        wanted: (variable, name of the secret).
        lookups: from the words for a place, as "the keyring", to what looks a name up there.

    Raises:
        UsageError: a secret is in none of the places.  Its name is not said: people paste values there by mistake.
    """
    resolved = []
    for key, name in wanted:
        value = next((found for lookup in lookups.values() if (found := lookup(name)) is not None), None)
        if value is None:
            places = ", ".join(lookups)
            raise UsageError(f"--secret {key}=…: there is no secret of that name (looked in: {places}).")
        resolved.append((key, value))
    return tuple(resolved)


def places_of_secrets(secrets_file: str | None, environ: Mapping[str, str]) -> dict[str, Lookup]:
    """Where secrets are looked for, in order: the file, the keyring if its package is there, the variables."""
    places: dict[str, Lookup] = {}
    if secrets_file is not None:
        places[f"the file {secrets_file}"] = read_secrets_file(secrets_file).get
    if (keyring := _keyring()) is not None:
        places[f"the keyring under {KEYRING_SERVICE}"] = lambda name: _asked(keyring, name)
    places["the environment"] = environ.get
    return places


def read_secrets_file(path: str) -> dict[str, str]:
    """KEY=VALUE lines; empty lines and those beginning with `#` are passed over; values are taken as they stand.

    Raises:
        UsageError: it cannot be read, other people can read it, or a line is of another form.
    """
    try:
        with open(path, encoding="utf-8") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise UsageError(f"The secrets file `{path}` can be read by others: run `chmod 600 {path}` first.")
            lines = file.read().splitlines()
    except OSError as error:
        raise UsageError(f"The secrets file `{path}` cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"The secrets file `{path}` is not text in UTF-8.") from None
    return dict(_secret(path, number, line) for number, line in enumerate(lines, start=1) if _says_something(line))


def _says_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _secret(path: str, number: int, line: str) -> tuple[str, str]:
    name, equals, value = line.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"Line {number} of the secrets file `{path}` is not of the form NAME=VALUE.")
    return name.strip(), value


def _keyring() -> Any:
    """The optional `keyring` package, or None."""
    try:
        return import_module("keyring")
    except ImportError:
        return None


def _asked(keyring: Any, name: str) -> str | None:
    """What the keyring keeps under this name; a keyring that cannot be opened keeps nothing."""
    try:
        value = keyring.get_password(KEYRING_SERVICE, name)
    except keyring.errors.KeyringError:
        return None
    return None if value is None else str(value)
