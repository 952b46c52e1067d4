"""What a flow may show for itself: a Frontend.  Says what one is; does not know how it is served."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeVar

from ..base.errors import ComponentError


class LayoutTypeError(ComponentError, TypeError):
    """`configure_layout` returned something that is no layout."""


class LayoutValueError(ComponentError, ValueError):
    """An entry of a layout cannot be shown."""


class FrontendTypeError(ComponentError, TypeError):
    """A frontend was given something it cannot show."""


F = TypeVar("F", bound="Frontend")


class Frontend(ABC):
    """A web page served by a process of its own; returned by `configure_layout`.

    Attributes:
        flow: the flow that shows it; set when the layout is collected.
        viewers_may_use: whether those who came by the link to look may enter it, and do what it lets them do.
    """

    flow: Any = None
    viewers_may_use: bool = False
    _arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Remember the arguments: a frontend made again with equal ones is the same frontend."""
        made = super().__new__(cls)
        made._arguments = (args, kwargs)
        return made

    def for_viewers(self: F) -> F:
        """This frontend, open to those who came by the link to look as well: they can do with it whatever it offers.

        Requests say who asks: `X-Lightning-Scope` is "viewer" or "operator".
        """
        self.viewers_may_use = True
        return self

    @abstractmethod
    def start_server(self, host: str, port: int, root_path: str = "") -> None:
        """Start serving under `http://host:port/<flow.name>`; returns at once.

        Args:
            host, port: where to listen.
            root_path: prefix of all paths, when the app sits behind a proxy.
        """

    @abstractmethod
    def stop_server(self) -> None:
        """Stop what `start_server` started."""

    def same_as(self, other: Any) -> bool:
        """Whether this is of the same type and made from equal arguments, so that the other need not be restarted."""
        same = type(self) is type(other) and self.viewers_may_use == other.viewers_may_use
        return same and _same(self._arguments, other._arguments)


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, (tuple, list)) and type(left) is type(right):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    code = getattr(left, "__code__", None)
    if code is not None and getattr(right, "__code__", None) is code:  # a function defined anew in each call
        return bool(_same(_captured(left), _captured(right)))
    return bool(left is right or (type(left) is type(right) and left == right))


def _captured(function: Any) -> list[Any]:
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return [getattr(function, "__self__", None), function.__defaults__, *cells]


def check_function(frontend: str, argument: str, given: Any) -> Callable[..., Any]:
    """The function a frontend calls in its own process, which therefore cannot be bound to a component there.

    Raises:
        FrontendTypeError: (TypeError) a method, or nothing that can be called.
    """
    if getattr(given, "__self__", None) is not None and hasattr(given, "__func__"):
        raise FrontendTypeError(
            f"The `{frontend}` doesn't support `{argument}` being a method. Please, use a pure function."
        )
    if not callable(given):
        raise FrontendTypeError(f"The `{frontend}` needs `{argument}` to be a function, not {given!r}.")
    function: Callable[..., Any] = given
    return function
