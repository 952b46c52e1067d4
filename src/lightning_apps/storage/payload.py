"""`Payload`: any value that pickles, handed from work to work through the store and loaded where it is first asked for.

Knows nothing of how bytes travel.  Pickles are loaded only from the store of the app's own run.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from typing import Any

from ..base.encoding import StateValue, registry
from ..base.errors import WrongPlace
from ..base.registry import locate
from ..model.component import Component
from ..model.work import LightningWork
from .copying import fresh, write_all

__all__ = ["Payload", "_BasePayload"]

NOTHING = object()


class _BasePayload:
    """A value that travels through the store; subclasses may have `save` and `load` of their own.

    Args:
        value: what is handed over; set in the `run` of a work, as an attribute.
    """

    def __init__(self, value: Any) -> None:
        self._value = value
        self._name: str | None = None
        self._origin: Any = None  # a component, or the name of one
        self._consumer: Any = None
        self._content = ""

    # -- to override -----------------------------------------------------------------------------------------

    def save(self, obj: Any, path: str | os.PathLike[str]) -> None:
        """Write the value to a file."""
        raise NotImplementedError

    def load(self, path: str | os.PathLike[str]) -> Any:
        """The value that a file holds."""
        raise NotImplementedError

    # -- what it is ------------------------------------------------------------------------------------------

    @property
    def value(self) -> Any:
        """The value; None in a flow, which only passes it on.  Loaded when it is first asked for."""
        if self._value is NOTHING:
            files = self._files()
            if files is None:
                return None
            self._value = files.load_value(self)
        return self._value

    @property
    def name(self) -> str | None:
        """The attribute it was assigned to first."""
        return self._name

    @property
    def origin_name(self) -> str:
        """The work that set it."""
        origin = self._origin
        return (origin.name if isinstance(origin, Component) else origin) or ""

    @property
    def consumer_name(self) -> str:
        """The work that uses it here."""
        consumer = self._consumer
        return (consumer.name if isinstance(consumer, Component) else consumer) or ""

    @property
    def hash(self) -> str | None:
        """Tells the payloads of all works apart (SHA-1 of origin and name); None without an origin."""
        if self._origin is None:
            return None
        return hashlib.sha1(f"{self.origin_name}/{self._name}".encode()).hexdigest()

    def _files(self) -> Any:
        return getattr(getattr(self._consumer, "_lit_binding", None), "files", None)

    def _attach_work(self, work: Any) -> None:
        if self._origin is None:
            self._origin = work
        self._consumer = work

    def exists_remote(self) -> bool:
        """Whether its origin has handed it over.

        Raises:
            WrongPlace: (RuntimeError) no work has it as an attribute or argument.
        """
        files = self._files()
        if files is None:
            raise WrongPlace(
                f"Trying to check if the payload {self._name} exists, but it is not attached to a LightningWork. "
                "Set it as an attribute to a LightningWork or pass it to the `run()` method."
            )
        return bool(files.has_value(self))

    def get(self) -> Any:
        """Load the value as its origin handed it over last, and return it.

        Raises:
            WrongPlace: (RuntimeError) called in a flow, or on a payload that no work has as an attribute or argument.
            StorageError: (RuntimeError) its origin has not handed it over.
        """
        if getattr(getattr(self._consumer, "_lit_binding", None), "context", "") == "flow":
            raise WrongPlace("`Payload.get()` can only be called from within the `run()` method of LightningWork.")
        files = self._files()
        if files is None or self._origin is None:
            raise WrongPlace(
                f"Trying to get the payload {self._name}, but it is not attached to a LightningWork of a running app. "
                "Set it as an attribute to a LightningWork or pass it to the `run()` method."
            )
        self._value = files.load_value(self)
        return self._value

    def to_dict(self) -> dict[str, Any]:
        """This payload as JSON, without its value."""
        return {
            "name": self._name,
            "origin_name": self.origin_name,
            "consumer_name": self.consumer_name,
            "metadata": {},
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Any:
        """What `to_dict` returned."""
        made = cls.__new__(cls)
        _BasePayload.__init__(made, NOTHING)
        made._name, made._origin, made._consumer = (
            content["name"],
            content["origin_name"] or None,
            content["consumer_name"],
        )
        return made

    def __reduce__(self) -> Any:
        return _restored, (type(self), _pack(self))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _pack(self) == _pack(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self._name!r}, origin={self.origin_name!r})"


class Payload(_BasePayload):
    """Any value that pickles, handed from work to work.

    Args:
        value: what is handed over; set in the `run` of a work, as an attribute.

    Example:
        self.model = Payload(model)      # in the run of one work
        self.score.run(self.train.model) # in the flow
        model.value                      # in the run of the other work
    """

    def save(self, obj: Any, path: str | os.PathLike[str]) -> None:
        """Pickle it."""
        with fresh(os.fspath(path)) as new:
            write_all(new.descriptor, pickle.dumps(obj, protocol=5))

    def load(self, path: str | os.PathLike[str]) -> Any:
        """Unpickle it."""
        with open(path, "rb") as file:
            return pickle.load(file)


def _pack(payload: _BasePayload) -> list[Any]:
    """Without its consumer, which is whoever has it."""
    kind = type(payload)
    name = None if kind is Payload else [kind.__module__, kind.__qualname__]
    return [payload.name, payload.origin_name, payload._content, name]


def _restored(kind: Any, packed: Any) -> Any:
    name, origin, content, _ = packed
    made = kind.from_dict({"name": name, "origin_name": origin, "consumer_name": origin})
    made._content = content
    return made


def _adopt(payload: _BasePayload, owner: Any, name: str) -> _BasePayload:
    """It is an attribute of this component now; set by a work, its value is kept at once."""
    if not isinstance(owner, LightningWork):
        return payload
    if payload._origin is not None:
        payload._attach_work(owner)
        return payload
    if owner._lit_building or owner._lit_binding.context == "flow":
        raise WrongPlace(
            f"The payload {name!r} of {owner._lit_describe()} can be set only in its `run`: set it to None in `__init__`, "
            "and hand other values over as state or arguments."
        )
    payload._name = name
    payload._attach_work(owner)
    files = payload._files()
    if files is not None:
        files.keep_value(payload)
    return payload


def _restored_other(packed: Any) -> Any:
    return _restored(locate(*packed[3]), packed)


def _entry(name: str, kind: type) -> StateValue:
    return StateValue(name, kind, _pack, _restored_other if name == OTHERS else _restored_own, adopt=_adopt, key=_key)


def _restored_own(packed: Any) -> Any:
    return _restored(Payload, packed)


def _key(payload: _BasePayload) -> list[Any]:
    return [payload.name, payload.origin_name]


OTHERS = "payloads"  # of classes that users derived
registry.add(_entry("payload", Payload))
registry.families.append((lambda kind: issubclass(kind, _BasePayload), lambda kind: _entry(OTHERS, kind)))
registry.family_unpack[OTHERS] = _restored_other
