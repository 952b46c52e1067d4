"""What an app offers to the outside: HTTP routes and commands.  Describes them; they are served elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from ..base.errors import ComponentError, WrongPlace
from .component import Component

__all__ = ["AppConnection", "ClientCommand", "Delete", "Get", "HttpMethod", "Post", "Put", "RouteError", "owner_of"]


class RouteError(ComponentError, ValueError):
    """A route that cannot be served."""


def owner_of(method: Callable[..., Any]) -> Component | None:
    """The flow or work whose method this is; None for a function, or a method of anything else."""
    owner = getattr(method, "__self__", None)
    return owner if isinstance(owner, Component) else None


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
        return owner_of(self.method) is not None

    @property
    def component_name(self) -> str:
        """The full name of the flow, or the function's own name."""
        owner = owner_of(self.method)
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


class AppConnection(Protocol):
    """How a command reaches the app it is connected to; handed to it before its `run`."""

    url: str

    def invoke(self, name: str, config: Any) -> Any:
        """What the app's command of this name answers to `config`."""

    def state(self) -> Any:
        """The app's state, as an AppState."""


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
        self.owner: str | None = getattr(owner_of(method), "name", None)
        self.command_name: str | None = None
        self.app_url: str | None = None
        self._connection: AppConnection | None = None

    def connect(self, name: str, connection: AppConnection) -> None:
        """From now on this is the command `name` of the app at the other end."""
        self.command_name, self.app_url, self._connection = name, connection.url, connection

    def run(self, **cli_kwargs: Any) -> Any:
        """Override with what happens on the user's machine."""

    def invoke_handler(self, config: Any = None) -> Any:
        """Ask the app; returns what its method answered.

        Args:
            config: the argument of the flow's method: a pydantic model, or anything that JSON can say.

        Raises:
            WrongPlace: (RuntimeError) the command is not connected to a running app.
            SystemExit: the app refused; what it said stands on the terminal.
        """
        if self._connection is None or self.command_name is None:
            raise self._apart("invoke_handler")
        return self._connection.invoke(self.command_name, config)

    @property
    def state(self) -> Any:
        """The state of the connected app, an AppState.

        Raises:
            WrongPlace: (RuntimeError) the command is not connected to a running app.
        """
        if self._connection is None:
            raise self._apart("state")
        return self._connection.state()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Answer in the app: call the flow's method."""
        return self.method(*args, **kwargs)

    def _apart(self, name: str) -> WrongPlace:
        return WrongPlace(
            f"{type(self).__name__}.{name} needs a connected app: run the command as `lightning NAME` after `lightning connect URL`."
        )
