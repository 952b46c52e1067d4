"""A Streamlit page.  Streamlit itself is needed only to serve it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ..model.layout import check_function
from .asgi import serve_asgi
from .base import Listen, ShippedFrontend

SCRIPT = "import lightning_page\n\nlightning_page.draw()\n"
SOON = 0.03  # seconds between looks whether a session is at rest
AT_MOST_EVERY = 1.0  # seconds between two drawings that a change of the state causes


class StreamlitFrontend(ShippedFrontend):
    """Shows what a function draws with Streamlit; it is drawn again when the state of the app changes.

    Args:
        render_fn: a function of a module, called with the flow's state.

    Raises:
        FrontendTypeError: (TypeError) a method.
    """

    needs = ("streamlit",)

    def __init__(self, render_fn: Callable[..., Any]) -> None:
        super().__init__()
        self.render_fn = check_function("StreamlitFrontend", "render_fn", render_fn)

    def serve(self, listen: Listen) -> None:
        import tempfile

        import streamlit
        from streamlit.web import bootstrap

        page: Any = ModuleType("lightning_page")
        page.draw = Drawing(self.render_fn, listen.state)
        sys.modules["lightning_page"] = page  # Streamlit executes a file, in which this can be found
        name = listen.base.rpartition("/")[2] or "page"
        with tempfile.TemporaryDirectory() as folder:
            script = os.path.join(folder, f"{name}.py")
            with open(script, "w") as file:
                file.write(SCRIPT)
            options = {name.replace(".", "_"): value for name, value in _options(listen).items()}
            bootstrap.load_config_options(options)
            application: Any = getattr(streamlit, "App", None)
            if application is not None and listen.path:
                serve_asgi(application(script), listen)
            else:
                bootstrap.run(script, False, [], options)


def _options(listen: Listen) -> dict[str, Any]:
    inside = bool(listen.path)
    return {
        "server.baseUrlPath": listen.base.strip("/"),
        "server.address": f"unix://{listen.path}" if inside else listen.host,
        "server.port": listen.port or 8501,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.enableCORS": not inside,  # only the front door, which has looked at the origin, comes through the socket
        "server.enableXsrfProtection": not inside,
        "browser.gatherUsageStats": False,
        "global.developmentMode": False,
        "runner.magicEnabled": False,
    }


class Drawing:
    """Draws the page for whoever looks, and sees to it that all are drawn again when the state has changed.

    A session is never asked to begin anew while it draws: Streamlit would cut the drawing short and press the same button again.

    Args:
        draw: the user's function.
        state: gives the flow's state.
    """

    def __init__(self, draw: Callable[..., Any], state: Callable[[], Any]) -> None:
        self._draw, self._state = draw, state
        self._watching = False
        self._changed = threading.Event()

    def __call__(self) -> None:
        state = self._state()
        watch = getattr(type(state), "watch", None)
        if watch is not None and not self._watching:
            self._watching = True
            watch(state, self._changed.set)
            threading.Thread(target=self._again, name="lightning-page", daemon=True).start()
        self._draw(state)

    def _again(self) -> None:
        pause = threading.Event()
        while True:
            self._changed.wait()
            self._changed.clear()
            for session in _sessions():
                loop = getattr(session, "_event_loop", None)
                if loop is not None:
                    loop.call_soon_threadsafe(_begin_anew, session, loop)
            pause.wait(AT_MOST_EVERY)


def _begin_anew(session: Any, loop: Any) -> None:
    """On Streamlit's own thread, where a click is taken in as well: once nothing is being drawn."""
    if getattr(session, "_scriptrunner", None) is None:
        session.request_rerun(None)
    else:
        loop.call_later(SOON, _begin_anew, session, loop)


def _sessions() -> list[Any]:
    """Those that somebody looks at."""
    from streamlit import runtime

    known: Any = getattr(runtime.get_instance(), "_session_mgr", None) if runtime.exists() else None
    return [each.session for each in known.list_active_sessions()] if known is not None else []
