"""Checks the values of settings, wherever they came from, before anything starts.  Starts nothing itself."""

from __future__ import annotations

from importlib.util import find_spec

from ..base.errors import MissingExtra, UnknownEngine, UsageError
from ..base.settings import Settings

ENGINES = ("local", "inline", "ray")
EXTRAS = {"ray": "ray"}  # engines of their own packages: name and the module each needs
CHOICES = {
    "log_level": ("debug", "info", "warning", "error"),
    "log_format": ("text", "json"),
    "log_prefix": ("auto", "always", "never"),
    "start_method": ("zygote", "spawn"),
    "link": ("unix", "tcp"),
    "watch": ("inotify", "poll"),
}
LEAST = {"grace": 0, "orphan_limit": 0, "port": 0, "tick": 0.001}


class BadSetting(UsageError):
    """A setting has a value outside its range."""

    exit_code = 2


def check_settings(settings: Settings) -> None:
    """Raise a UsageError for the first value that cannot be used, wherever it came from."""
    for name, choices in CHOICES.items():
        value = getattr(settings, name)
        if value not in choices:
            raise BadSetting(f"{_called(name)} cannot be `{value}`: it is one of {', '.join(choices)}.")
    for name, least in LEAST.items():
        value = getattr(settings, name)
        if value is not None and not value >= least:  # so that NaN does not pass either
            raise BadSetting(f"{_called(name)} cannot be {value}: it is {least} or more.")
    check_engine(settings.engine)


def check_engine(name: str) -> None:
    """Raise UnknownEngine, or MissingExtra with the pip line, unless the engine can be used here."""
    if name in ENGINES:
        return
    if name not in EXTRAS:
        raise UnknownEngine(f"There is no engine `{name}`: the engines are {', '.join((*ENGINES, *EXTRAS))}.")
    if find_spec(EXTRAS[name]) is None:
        raise MissingExtra(f"The engine `{name}` needs a package: pip install 'lightning-apps[{name}]'.")
    raise UnknownEngine(f"The engine `{name}` is not in this version: use one of {', '.join(ENGINES)}.")


def _called(name: str) -> str:
    """A setting as people may have given it."""
    return f"--{name.replace('_', '-')} (or LIGHTNING_{name.upper()})"
