"""AppState: an app's state as attributes, in frontends, works, notebooks and plain scripts.  Knows nothing of how it gets here."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, ClassVar, Protocol

import msgspec

from ..base import settings
from ..base.errors import LightningError, WrongPlace
from ..base.registry import registry
from ..model.binding import UNBOUND
from .address import parse
from .feed import STATE, Feed, Unreachable, unreachable
from .http import NoAnswer
from .plugins import AppStatePlugin, BaseStatePlugin, headers_for
from .tree import Json, Place, at, place_of_name, pointer

SECTIONS = ("flows", "works", "structures")
HOME = "http://127.0.0.1"


class AppStateType(enum.Enum):
    """Kinds of programs that read a state."""

    STREAMLIT = enum.auto()
    DEFAULT = enum.auto()


class StateError(LightningError, AttributeError):
    """The state has no such name, or it cannot be set."""


class Rejected(LightningError):
    """The app refused what was assigned."""


class Source(Protocol):
    """Where a state comes from, and changes go to."""

    def state(self) -> Json:
        """The whole state; nobody changes what is in it."""

    def send(self, changes: Mapping[Place, Any], headers: Mapping[str, str]) -> None:
        """Have the app take these values, all or none."""


class Live:
    """The state of a running app."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.state = feed.state

    def send(self, changes: Mapping[Place, Any], headers: Mapping[str, str]) -> None:
        """See `Source.send`; returns when what is read next has the changes in it.

        Raises:
            Unreachable: the app is not there.
            Rejected: it does not take them.
            WrongPlace: (RuntimeError) it is this thread's own turn that would have to end first.
        """
        if self._is_own_flow():
            raise WrongPlace(
                f"AppState cannot set {pointer(next(iter(changes)))} from the app's own flow, which would wait for itself: "
                "assign the attribute of the component."
            )
        patch = [{"op": "replace", "path": pointer(path), "value": value} for path, value in changes.items()]
        try:
            answer = self.feed.send("PATCH", STATE, patch, headers)
        except NoAnswer:
            raise unreachable("send") from None
        if answer.status >= 300:
            raise Rejected(
                f"The response from the server was {answer.status}. Your inputs were rejected. It says: {answer.detail}"
            )
        said = answer.json()
        self.feed.wait_until(str(said.get("version", "")) if isinstance(said, dict) else "")

    def _is_own_flow(self) -> bool:
        if not UNBOUND.app_runs or threading.current_thread() is not threading.main_thread():
            return False
        own = settings.own_app()
        return own is not None and parse(own[0]).url == self.feed.address.url


class Given:
    """A state that was handed in; what is assigned stays here."""

    def __init__(self, state: Json) -> None:
        self._state = state

    def state(self) -> Json:
        """As it is now."""
        return self._state

    def send(self, changes: Mapping[Place, Any], headers: Mapping[str, str]) -> None:
        """Keep them."""
        for path, value in changes.items():
            at(self._state, path[:-1])[path[-1]] = value


class Session:
    """What all views of one AppState share: the source, and the values that were handed out.

    A list or dictionary that was read may be changed in place: the change is sent with the next assignment.
    """

    def __init__(self, source: Source, plugin: BaseStatePlugin, loaded: bool) -> None:
        self.source, self.plugin, self.loaded = source, plugin, loaded
        self._out: dict[Place, tuple[Any, Any]] = {}  # path → (as it is in the state, as it was handed out)

    def state(self) -> Json:
        state = self.source.state()
        self.loaded = True
        return state

    def hand_out(self, path: Place, value: Any) -> Any:
        """The value at this path, for a reader who may change it."""
        if not isinstance(value, (dict, list)):
            return value
        if isinstance(value, dict) and (read := registry.readers.get(str(value.get("type")))) is not None:
            return read(value)
        known = self._out.get(path)
        if known is None or known[0] is not value:
            known = self._out[path] = (value, deepcopy(value))
        return known[1]

    def assign(self, path: Place, value: Any) -> None:
        """Send one value, and what was changed in place since the last time."""
        self._send({**self._changed_in_place(), path: value})

    def flush(self) -> None:
        """Send what was changed in place."""
        if changes := self._changed_in_place():
            self._send(changes)

    def _changed_in_place(self) -> dict[Place, Any]:
        state = self.source.state()
        return {place: out for place, (kept, out) in self._out.items() if out != kept and _is(state, place, kept)}

    def _send(self, changes: dict[Place, Any]) -> None:
        state = self.source.state()
        if self.plugin.should_update_app(_difference(state, changes)):
            self.source.send(changes, headers_for(self.plugin.get_context()))
        self._out = {place: known for place, known in self._out.items() if place not in changes}


def _is(state: Json, path: Place, value: Any) -> bool:
    try:
        return at(state, path) is value
    except (KeyError, TypeError):
        return False


def _difference(state: Json, changes: Mapping[Place, Any]) -> dict[str, Any]:
    """What is about to change, in the words of deepdiff, as plugins read them."""
    found = {}
    for path, value in changes.items():
        where = "root" + "".join(f"[{key!r}]" for key in path)
        found[where] = {"old_value": at(state, path), "new_value": value}
    return {"values_changed": found}


class AppState:
    """The state of a running app, or of one component of it: attributes are read and assigned as the component's own.

    A read shows what the app has now; it costs no request.  An assignment returns when the app has taken the value.

    Args:
        host: URL of the app; without, the app that this process belongs to, else http://127.0.0.1.
        port: where the URL has none; 7501 without.
        last_state: no longer needed.
        state: a state to read instead of a running app's.
        my_affiliation: names from the root down to the component that is shown, such as ("train",); without, the work or flow that this
            process belongs to, else the root.
        plugin: decides whether an assignment is sent, and what goes with it.
        token: lets one in, where the app asks for one.

    Raises:
        BadAddress: (ValueError) `host` is no URL.
        ValueError: on the first read: there is no such component.
        AttributeError: there is no such name, or the app is not there.

    Example:
        state = AppState()
        state.train.loss
        state.counter += 1
    """

    __slots__ = ("__weakref__", "_lit_path", "_lit_session")
    _MY_AFFILIATION: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        last_state: Json | None = None,
        state: Json | None = None,
        my_affiliation: tuple[str, ...] | None = None,
        plugin: BaseStatePlugin | None = None,
        *,
        token: str = "",
    ) -> None:
        source: Source = Given(state) if state is not None else Live(_feed(host, port, token))
        affiliation = _affiliation(type(self), host is None) if my_affiliation is None else my_affiliation
        path: tuple[str, ...] | Callable[[Json], Place] = ()
        if affiliation and state is None:
            path = lambda whole: _under(whole, tuple(affiliation))  # noqa: E731
        session = Session(source, plugin or AppStatePlugin(), loaded=state is not None)
        object.__setattr__(self, "_lit_session", session)
        object.__setattr__(self, "_lit_path", path)

    # -- reading -------------------------------------------------------------------------------------------

    def _lit_place(self) -> Place:
        path = self._lit_path
        if callable(path):
            path = path(self._lit_session.state())
            object.__setattr__(self, "_lit_path", path)
        return tuple(path)

    @property
    def _state(self) -> Json:
        """The raw dictionary of what is shown; not to be changed."""
        return self._lit_now()

    def _lit_now(self) -> Json:
        whole = self._lit_session.state()
        try:
            return at(whole, self._lit_place())
        except KeyError:
            raise StateError(f"The component at {'/'.join(self._lit_place())} is no longer part of the app.") from None

    @property
    def _last_state(self) -> Json:
        return self._lit_now()

    def _request_state(self) -> None:
        """Make sure that there is a state."""
        self._lit_session.state()

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("__", "_lit_")):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Any:
        state = self._lit_now()
        if name in state.get("vars", {}):
            return self._lit_session.hand_out((*self._lit_place(), "vars", name), state["vars"][name])
        for section in SECTIONS:
            if name in state.get(section, {}):
                return self._lit_view((*self._lit_place(), section, name))
        raise _no_such(name, state)

    def _lit_view(self, place: Place) -> AppState:
        view = object.__new__(type(self))
        object.__setattr__(view, "_lit_session", self._lit_session)
        object.__setattr__(view, "_lit_path", place)
        return view

    def items(self) -> Iterator[tuple[str, AppState]]:
        """(name, AppState) of the components below, and of the structures of them."""
        state, place = self._lit_now(), self._lit_place()
        for section in SECTIONS:
            for name in state.get(section, {}):
                yield name, self._lit_view((*place, section, name))

    def __len__(self) -> int:
        state = self._lit_now()
        return sum(len(state.get(section, {})) for section in SECTIONS)

    def __contains__(self, name: object) -> bool:
        state = self._lit_now()
        return any(name in state.get(section, {}) for section in ("vars", *SECTIONS))

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.items())

    def __bool__(self) -> bool:
        return bool(self._lit_session.loaded)

    def __repr__(self) -> str:
        return str(self._lit_now() if self._lit_session.loaded else None)

    def __dir__(self) -> list[str]:
        try:
            state = self._lit_now()
        except (LightningError, ValueError):
            return list(object.__dir__(self))
        names = [name for section in ("vars", *SECTIONS) for name in state.get(section, {})]
        return [*object.__dir__(self), *names]

    # -- writing -------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        state = self._lit_now()
        if name in state.get("vars", {}):
            self._lit_session.assign((*self._lit_place(), "vars", name), _sendable(name, value))
        elif any(name in state.get(section, {}) for section in SECTIONS):
            kind = next(section for section in SECTIONS if name in state.get(section, {}))
            raise StateError(f"You shouldn't set the {kind} directly onto the state. Use its attributes instead.")
        else:
            raise _no_such(name, state)

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, name, value)

    def send_delta(self) -> None:
        """Send what was changed in place, as `state.items.append(1)`, without waiting for the next assignment."""
        self._lit_session.flush()

    # -- the app -------------------------------------------------------------------------------------------

    def is_authorized(self) -> bool:
        """Whether the app lets this program in."""
        try:
            self._request_state()
        except Unreachable:
            return False
        return True

    def watch(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have `listener` called after each change of the app's state, on another thread.

        Returns:
            A function that ends it.
        """
        source = self._lit_session.source
        return source.feed.listen(listener) if isinstance(source, Live) else lambda: None


def _no_such(name: str, state: Json) -> StateError:
    components = [child for section in SECTIONS for child in state.get(section, {})]
    return StateError(
        f"Failed to access '{name}' through `AppState`. The state provides: Variables: {list(state.get('vars', {}))}, "
        f"Components: {components}"
    )


def _sendable(name: str, value: Any) -> Any:
    """A value as JSON has it; what it has no word for is refused before anything is sent."""
    try:
        return msgspec.json.decode(msgspec.json.encode(value, enc_hook=_plainly))
    except (TypeError, ValueError, OverflowError) as error:
        raise StateError(f"The value for '{name}' cannot be sent to the app: {error}.") from None


def _plainly(value: Any) -> Any:
    for say, options in (("model_dump", {"mode": "json"}), ("tolist", {}), ("to_dict", {})):
        if callable(found := getattr(value, say, None)):
            return found(**options)
    raise TypeError(f"a {type(value).__module__}.{type(value).__qualname__} is no JSON")


def _feed(host: str | None, port: int | None, token: str) -> Feed:
    if host is not None:
        return Feed.of(parse(host, token, port))
    own = settings.own_app()
    if own is not None and port is None:
        return Feed.of(parse(own[0], token or own[1], certificate=own[2]), patient=True)
    return Feed.of(parse(HOME, token, port))


def _affiliation(kind: type[AppState], own: bool) -> tuple[str, ...]:
    """Below which component an AppState begins: this process's, if it is of its own app."""
    if kind._MY_AFFILIATION or not own:
        return kind._MY_AFFILIATION
    return tuple(settings.own_component().split(".")[1:])


def _under(state: Json, affiliation: tuple[str, ...]) -> Place:
    found = place_of_name(state, ".".join(("root", *affiliation)))
    if found is None:
        raise ValueError(f"Failed to extract the state under the affiliation '{affiliation}'.")
    return found


__all__ = ["AppState", "AppStatePlugin", "AppStateType", "BaseStatePlugin", "Rejected", "StateError", "Unreachable"]
