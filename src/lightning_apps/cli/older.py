"""What tests of the older framework call of its command line.  Knows no cloud, where most of it was meant for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click

from ..base.settings import user_home
from .remote import logs

__all__ = ["get_app_url", "retrieve_connection", "show_logs"]


def get_app_url(runtime_type: object = None, *args: Any, need_credits: bool = False) -> str:
    """Where the page of an app is that was given no port and found the usual one free."""
    from ..client.address import PORT

    return f"http://127.0.0.1:{PORT}/view"


def retrieve_connection() -> tuple[str | None, str | None]:
    """The app that this terminal is connected to: "localhost" or its URL, and its id, of which there is none."""
    from ..client import connections

    found = connections.load(user_home(), connections.terminal(os.getppid()))
    return (None if found is None else "localhost" if found.own else found.url), None


def show_logs(app_name: str = "", components: Sequence[str] = (), follow: bool = False) -> None:
    """Print what a run has printed, as `lightning logs` does.

    Args:
        app_name: id of the run, or "" for the newest.
        components: names of works; none: all.
        follow: whether to go on until the run is over.

    Raises:
        RunError: there is no such run, or no such work.
    """
    for work in components or [""]:
        words = tuple(word for word in (app_name, work) if word)
        with click.Context(logs) as context:
            context.invoke(logs, words=words, follow=follow, run_dir=None)
