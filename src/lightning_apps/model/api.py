"""What an app offers to the outside: HTTP routes and commands.  Describes them; they are served elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ..base.errors import ComponentError, WrongPlace

__all__ = ["ClientCommand", "Delete", "Get", "HttpMethod", "Post", "Put", "RouteError"]


class RouteError(ComponentError, ValueError):
    """A route that cannot be served."""


class HttpMethod:
    """One route, returned by the root flow's `configure_api`.

    Args:
        route: such as "/models/{name}"; "/command…" is reserved.
        method: a method of a flow, which runs between two turns of the app, or a plain function.
        method_name: what it is called in the API's description; the method's own name if left out.
        timeout: seconds to wait for a flow's answer.
        kwargs: handed to the web framework.

    Raises:
        RouteError: (ValueError) a route that cannot be served, or nothing to call.
    """

    verb: ClassVar[str] = ""

    def __init__(
        self, route: str, method: Callable[..., Any], method_name: str | None = None, timeout: float = 30, **kwargs: Any
    ) -> None:
        kind = type(self).__name__
        if not isinstance(route, str) or not route.startswith("/"):
            raise RouteError(f'{kind}({route!r}, …) is no route: it has to begin with "/".')
        if route.startswith("/command"):
            raise RouteError(f"The route `{route}` is reserved for commands. Please, use something else.")
        if not callable(method):
            raise RouteError(
                f"{kind}({route!r}, {method!r}) has nothing to call: give a method of a flow or a function."
            )
        self.route, self.method, self.timeout, self.kwargs = route, method, timeout, kwargs
        self.method_name = method_name or getattr(method, "__name__", type(method).__name__)

    @property
    def attached_to_flow(self) -> bool:
        """Whether the method belongs to a component, and so runs in the flow's process."""
        return hasattr(self.method, "__self__")

    @property
    def component_name(self) -> str:
        """The full name of the flow, or the function's own name."""
        owner = getattr(self.method, "__self__", None)
        return str(self.method_name if owner is None else owner.name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.route!r}, {self.component_name}.{self.method_name})"


class Get(HttpMethod):
    """A route that is read."""

    verb = "GET"


class Post(HttpMethod):
    """A route that something is posted to."""

    verb = "POST"


class Put(HttpMethod):
    """A route that something is put at."""

    verb = "PUT"


class Delete(HttpMethod):
    """A route that something is deleted at."""

    verb = "DELETE"


class ClientCommand:
    """A command whose `run` is executed on the user's machine and asks the app through `invoke_handler`.

    Args:
        method: the flow's method that answers; it takes one pydantic model.

    Attributes:
        description: shown in the help; the method's docstring if left out.
        requirements: pip names that have to be installed on the user's machine.
    """

    description: str = ""
    requirements: ClassVar[list[str]] = []

    def __init__(self, method: Callable[..., Any]) -> None:
        self.method = method
        if not self.description:
            self.description = method.__doc__ or ""
        self.owner: str | None = getattr(getattr(method, "__self__", None), "name", None)
        self.command_name: str | None = None
        self.app_url: str | None = None

    def run(self, **cli_kwargs: Any) -> Any:
        """Override with what happens on the user's machine."""

    def invoke_handler(self, config: Any = None) -> Any:
        """Ask the app; returns what its method answered.

        Raises:
            WrongPlace: (RuntimeError) the command is not connected to a running app.
        """
        raise self._apart("invoke_handler")

    @property
    def state(self) -> Any:
        """The state of the connected app.

        Raises:
            WrongPlace: (RuntimeError) the command is not connected to a running app.
        """
        raise self._apart("state")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Answer in the app: call the flow's method."""
        return self.method(*args, **kwargs)

    def _apart(self, name: str) -> WrongPlace:
        return WrongPlace(
            f"{type(self).__name__}.{name} needs a connected app, which this version of lightning-apps cannot have."
        )
