"""What flows and works have in common: state attributes, a name, a place in the tree.  Knows nothing of processes.

A component's own bookkeeping lives in slots named `_lit_…`, so that `__dict__` holds only what its author put there.
"""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Iterator
from typing import Any, ClassVar

from ..base.arrivals import adopt_new, put
from ..base.encoding import SCALARS, registry
from ..base.errors import AttributeNotDeclared, CannotKeep, InitForgotten
from ..base.messages import DELETE, SET, SPLICE, Change
from ..base.values import GONE, TrackedList, adopt, opaque, plain, release, same, track, watch
from .binding import UNBOUND, Binding


class ComponentType(ABCMeta):
    """Marks the time between a component's creation and the end of its `__init__`; no stack frames are walked for it."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        self: Any = cls.__new__(cls, *args, **kwargs)  # type: ignore[arg-type]
        if not isinstance(self, cls):
            return self
        if not isinstance(self, Component):
            self.__init__(*args, **kwargs)
            return self
        self._lit_prepare()
        self._lit_made = (args, kwargs)
        self.__init__(*args, **kwargs)
        self._lit_building = False
        if not self._lit_ready:
            raise InitForgotten(_forgotten(self))
        return self


class Component(metaclass=ComponentType):
    """The common part of flows and works."""

    __slots__ = (
        "__weakref__", "_lit_binding", "_lit_building", "_lit_children", "_lit_key", "_lit_lists", "_lit_made", "_lit_name", "_lit_opaque",
        "_lit_parent", "_lit_ready", "_lit_state",
    )  # fmt: skip

    _lit_listed: ClassVar[frozenset[str]] = frozenset()  # private names that are state all the same

    def _lit_prepare(self) -> None:
        """Fill the slots of a new object."""
        self._lit_binding: Binding = UNBOUND
        self._lit_building = True
        self._lit_ready = False
        self._lit_parent: Any = None
        self._lit_key = ""
        self._lit_name = ""
        self._lit_made: Any = None
        self._lit_state: dict[str, None] = {}
        self._lit_children: dict[str, Any] = {}
        self._lit_opaque: set[str] = set()
        self._lit_lists: set[str] = set()  # attributes that are lists, or were

    def __init__(self) -> None:
        self._lit_ready = True

    # -- names -------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The full dotted name: "root", "root.train", "root.works.0"; a work that is in no flow has the name ""."""
        if self._lit_name:
            return self._lit_name
        if self._lit_parent is None:
            return self._lit_rootname()
        return f"{self._lit_parent.name}.{self._lit_key}"

    def _lit_rootname(self) -> str:
        return ""

    def _lit_describe(self) -> str:
        """How messages call this component."""
        return f"{type(self).__name__} {self.name!r}" if self.name else type(self).__name__

    # -- state -------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        if name[0] == "_" and name not in self._lit_listed:
            object.__setattr__(self, name, value)
            return
        attributes = self.__dict__
        old = attributes.get(name, GONE)
        if type(value) in SCALARS and type(old) in SCALARS:
            if type(value) is type(old) and (value == old or (value != value and old != old)):
                return
            binding = self._lit_binding
            binding.check_thread(self)
            attributes[name] = value
            binding.moved(self, (name,), SET, value, old)
        else:
            self._lit_assign(name, value, old)

    def _lit_assign(self, name: str, value: Any, old: Any) -> None:
        """Every assignment that is not one scalar over another."""
        if old is GONE and hasattr(getattr(type(self), name, None), "__set__"):
            object.__setattr__(self, name, value)
            return
        self._lit_check_name(name)
        if self._lit_take_child(name, value):
            return
        if registry.adopting:
            value = adopt(value, self, name)
        if value is old or (name in self._lit_state and same(old, value)):
            return
        self._lit_binding.check_thread(self)
        kept = self._lit_keep(name, value)
        release(old)
        self._lit_state[name] = None
        self.__dict__[name] = kept
        self._lit_binding.moved(self, (name,), SET, kept, old)

    def _lit_keep(self, name: str, value: Any) -> Any:
        """The value as it is stored, or a sentence that says why it cannot be."""
        try:
            kept = track(value, self, name)
        except CannotKeep as error:
            raise CannotKeep(self._lit_cannot_keep(name, value, str(error))) from None
        except RecursionError:
            raise CannotKeep(
                f"{self._lit_describe()} cannot keep {name!r} in its state: the value contains itself."
            ) from None
        if registry.adopting:
            kept = adopt(kept, self, name)
        self._lit_opaque.discard(name)
        if type(kept) not in SCALARS and opaque(kept):
            self._lit_opaque.add(name)
        self._lit_watch(name, kept)
        return kept

    def _lit_watch(self, name: str, value: Any) -> None:
        """A list that is an attribute knows what it has told: C code may write to it past its methods."""
        if type(value) is TrackedList:
            try:
                watch(value)
            except CannotKeep as error:
                raise CannotKeep(self._lit_cannot_keep(name, value, str(error))) from None
            self._lit_lists.add(name)

    def _lit_cannot_keep(self, name: str, value: Any, culprit: str) -> str:
        where = "" if culprit.rpartition(".")[2] == type(value).__name__ else f" (inside it: {culprit})"
        return (
            f"{self._lit_describe()} cannot keep {name!r} in its state: Only JSON-serializable attributes are currently supported "
            f"(str, int, float, bool, tuple, list, dict, set, datetime, enum, dataclass, pydantic model, numpy array), and it is a "
            f"{type(value).__module__}.{type(value).__qualname__}{where}. HINT: name it '_{name}' to keep it out of the state, "
            "or pass it between works as a Payload."
        )

    def _lit_check_name(self, name: str) -> None:
        if not self._lit_ready:
            raise InitForgotten(_forgotten(self))
        if not self._lit_building and name not in self._lit_state and not self._lit_may_declare(name):
            raise AttributeNotDeclared(
                f"Cannot set attributes that were not defined in __init__: {name}. "
                f"Set self.{name} in the __init__ of {type(self).__name__}, or name it '_{name}' to keep it out of the state."
            )

    def _lit_may_declare(self, name: str) -> bool:
        """Whether this new name may be set after `__init__`: flows say yes for components."""
        return True

    def _lit_take_child(self, name: str, value: Any) -> bool:
        """Flows take components here; returns whether the value was one."""
        return False

    def _lit_moved(self, path: tuple[Any, ...], op: int, value: Any, old: Any) -> None:
        """A tracked container of this component changed inside."""
        self._lit_look_inside(path[0], op, value)
        self._lit_binding.check_thread(self)
        self._lit_binding.moved(self, path, op, value, old)

    def _lit_apply(self, change: Change, gentle: bool = False) -> bool:
        """Take over a change made on the other side, without reporting it; False if it does not fit what is here."""
        name = change.path[0]
        if name in self._lit_children:
            return True
        fits = put(self, self.__dict__, change, gentle)
        if name not in self.__dict__:
            self._lit_state.pop(name, None)
            return fits
        self._lit_state[name] = None
        if registry.adopting:
            adopt_new(self, self.__dict__, change)
        self._lit_look_inside(name, change.op, change.value)
        if len(change.path) == 1 and change.op == SET:
            self._lit_watch(name, self.__dict__[name])
        return fits

    def _lit_look_inside(self, name: str, op: int, value: Any) -> None:
        """Remember attributes that hold something which changes without telling."""
        new = (value,) if op == SET else value[2] if op == SPLICE else ()
        for item in new:
            if type(item) not in SCALARS and opaque(item):
                self._lit_opaque.add(name)

    def __delattr__(self, name: str) -> None:
        if name in self._lit_children:
            self._lit_drop_child(name)
            return
        if name in self._lit_state:
            self._lit_binding.check_thread(self)
            old = self.__dict__.pop(name, None)
            release(old)
            del self._lit_state[name]
            self._lit_binding.moved(self, (name,), DELETE, None, old)
            return
        object.__delattr__(self, name)

    def _lit_drop_child(self, name: str) -> None:
        """Flows let go of a component here."""

    def _lit_values(self) -> dict[str, Any]:
        """The state attributes as they are stored, private-listed ones included."""
        attributes = self.__dict__
        return {name: attributes[name] for name in self._lit_state if name in attributes}

    def _lit_walk(self) -> Iterator[Component]:
        """This component and everything below it, parents first."""
        yield self

    def _lit_vars(self) -> dict[str, Any]:
        """The `vars` of `state`: plain copies."""
        return {name: plain(value) for name, value in self._lit_values().items()}

    # -- copies and pickles ------------------------------------------------------------------------------

    def __reduce_ex__(self, protocol: Any) -> Any:
        getter = getattr(type(self), "__getstate__", None)
        custom = getter is not None and getter is not getattr(object, "__getstate__", None)
        state = self.__getstate__() if custom else dict(self.__dict__)  # type: ignore[attr-defined,unused-ignore]
        return revive, (type(self), self.name, list(self._lit_state)), state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lit_retrack()

    def _lit_retrack(self) -> None:
        """Make the containers among the state attributes tracked ones of this object."""
        for name in self._lit_state:
            if name in self.__dict__:
                self.__dict__[name] = self._lit_keep(name, self.__dict__[name])


def revive(cls: type[Component], name: str, names: list[str]) -> Component:
    """The first half of unpickling: an object with filled slots and no attributes yet."""
    self: Component = cls.__new__(cls)
    self._lit_prepare()
    self._lit_building, self._lit_ready = False, True
    self._lit_name = name
    self._lit_state = dict.fromkeys(names)
    return self


def _forgotten(component: Component) -> str:
    kind = type(component).__name__
    return f"Did you forget to call super().__init__() in {kind}? It has to be the first line of {kind}.__init__."
