"""Running an app from Python under the older framework's names.  Knows nothing of how an app is run: `app.run` does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..base import settings
from ..model.app import LightningApp
from ..model.legacy import RuntimeType
from .loader import load_app, loaded_app
from .setup_commands import run_setup

__all__ = ["MultiProcessRuntime", "Runtime", "dispatch", "load_app_from_file", "run_app_commands"]


class Runtime:
    """An app and how it is to run.

    Args:
        app: the app.
        start_server: whether its page and API are served.
        host: address of the server; a leading `http://` is dropped.
        port: port of the server.
        env_vars: variables for the flow and the works.
        secrets: likewise, never logged.
        older: options of the older framework that have no effect here.

    Example:
        MultiProcessRuntime(LightningApp(Root()), start_server=False).dispatch()
    """

    def __init__(
        self,
        app: LightningApp,
        start_server: bool = True,
        host: str | None = None,
        port: int | None = None,
        env_vars: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        **older: Any,
    ) -> None:
        self.app, self.start_server, self.port = app, start_server, port
        self.host = host.partition("://")[2] or host if host is not None else None
        self.env_vars, self.secrets = dict(env_vars or {}), dict(secrets or {})

    def dispatch(self, *args: Any, open_ui: bool = True, **options: Any) -> None:
        """Run the app until it has ended.

        Args:
            args: ignored, as before.
            open_ui: whether a browser is opened at the app's page.
            options: settings by name, such as `engine="inline"`.

        Raises:
            SystemExit: the app did not end well; its code is the app's.
        """
        code = self.app.run(
            with_server=self.start_server,
            host=self.host,
            port=self.port,
            open_ui=open_ui,
            env=tuple(self.env_vars.items()),
            secrets=tuple(self.secrets.items()),
            **options,
        )
        if code:
            raise SystemExit(code)


class MultiProcessRuntime(Runtime):
    """Flow and works in processes of their own on this machine."""


def dispatch(
    entrypoint_file: str | os.PathLike[str],
    runtime_type: RuntimeType | str = RuntimeType.MULTIPROCESS,
    start_server: bool = True,
    *,
    host: str | None = None,
    port: int | None = None,
    blocking: bool = False,
    open_ui: bool = True,
    name: str = "",
    env_vars: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    run_app_comment_commands: bool = False,
    **older: Any,
) -> None:
    """Load the app of a file and run it until it has ended.

    Args:
        entrypoint_file: the app file.
        runtime_type: `RuntimeType.MULTIPROCESS`.
        start_server, host, port, open_ui, env_vars, secrets: as for `Runtime`.
        blocking: start with a flow that waits for the page.
        name: the app's name.
        run_app_comment_commands: first run the comment commands (`# !pip install …`) of the file.
        older: options of the older framework that have no effect here.

    Raises:
        ValueError: another runtime type.
        SystemExit: the app did not end well.
    """
    if runtime_type not in (RuntimeType.MULTIPROCESS, RuntimeType.MULTIPROCESS.value):
        given = getattr(runtime_type, "value", runtime_type)
        raise ValueError(f"Unknown runtime type {given!r}: {RuntimeType.MULTIPROCESS.value!r} is the one there is.")
    if run_app_comment_commands:
        run_app_commands(entrypoint_file)
    with loaded_app(os.fspath(entrypoint_file)) as app:
        runtime = MultiProcessRuntime(app, start_server, host, port, env_vars, secrets)
        runtime.dispatch(open_ui=open_ui, blocking=blocking, name=name)


def load_app_from_file(filepath: str | os.PathLike[str], raise_exception: bool = False, **older: Any) -> LightningApp:
    """The app that a file builds; the file becomes this process's `__main__`.

    Args:
        filepath: the app file.
        raise_exception: kept from before; errors are always raised.
        older: options of the older framework that have no effect here.
    """
    return load_app(os.fspath(filepath))


def run_app_commands(file: str | os.PathLike[str]) -> None:
    """Run the comment commands (`# !pip install …`) at the top of an app file."""
    run_setup(os.fspath(file), settings.environ(), lambda message: None)
