"""What can be plugged into an AppState: who may assign, and what goes with it.  Knows no state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

NO_SESSION = "1234"


class BaseStatePlugin(ABC):
    """Decides for an AppState whether what is assigned is sent, and says who sends it."""

    def __init__(self) -> None:
        self.authorized: bool | None = None

    @abstractmethod
    def should_update_app(self, deep_diff: dict[str, Any]) -> bool:
        """Whether to send a change, given as `{"values_changed": {"root['vars']['x']": {"old_value": …, "new_value": …}}}`."""

    @abstractmethod
    def get_context(self) -> dict[str, Any]:
        """Who sends: "token", "session_id" and "type"; each may be missing."""

    @abstractmethod
    def render_non_authorized(self) -> None:
        """Tell the person that the app does not let them in."""


class AppStatePlugin(BaseStatePlugin):
    """Sends everything."""

    def should_update_app(self, deep_diff: dict[str, Any]) -> bool:
        return True

    def get_context(self) -> dict[str, Any]:
        return {"type": "default"}

    def render_non_authorized(self) -> None:
        """Whoever reads gets an exception."""


class StreamLitStatePlugin(AppStatePlugin):
    """Sends everything, from a Streamlit page; `StreamlitFrontend` itself draws pages again when the state changes."""

    def get_context(self) -> dict[str, Any]:
        return {"type": "streamlit"}


def headers_for(context: dict[str, Any]) -> dict[str, str]:
    """What a request carries of a plugin's context."""
    return {
        "X-Lightning-Session-UUID": str(context.get("token", "")),
        "X-Lightning-Session-ID": str(context.get("session_id", NO_SESSION)),
        "X-Lightning-Type": str(context.get("type", "")),
    }
