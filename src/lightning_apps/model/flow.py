"""LightningFlow: coordination.  Its `run` is called again whenever state changed, and has to come back within a second."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from ..base.errors import AlreadyAttached, AppExit, StateMismatch
from ..base.messages import DELETE
from .component import Component
from .containers import Structure, adopt, dismiss, structured


class LightningFlow(Component):
    """Coordinates works and other flows.

    Public attributes set in `__init__` are its state.  Works, flows and lists or dicts of them become its children; they may also
    be made, replaced (after `delete()`) and removed while the app runs.  `run` is called at first and then whenever anything changed.

    Example:
        class Root(LightningFlow):
            def __init__(self):
                super().__init__()
                self.train = Train()

            def run(self):
                self.train.run(lr=0.1)
                self.stop()
    """

    _lit_listed = frozenset({"_layout", "_paths", "_iterations"})
    _lit_isflow = True

    def __init__(self) -> None:
        super().__init__()
        self._layout: Any = {}
        self._paths: dict[str, Any] = {}
        self._iterations: dict[str, Any] = {}

    def _lit_rootname(self) -> str:
        return "root"

    # -- to override ---------------------------------------------------------------------------------------

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Override with the coordination.  The root's is called without arguments; children's are called by their parents."""

    def configure_layout(self) -> Any:
        """What the app's page shows for this flow: a frontend, or tabs `{"name": …, "content": …}`."""
        return [{"name": name, "content": flow} for name, flow in self.flows.items()]

    def configure_commands(self) -> Any:
        """Override (in the root) with a list of `{"name": method_or_ClientCommand}`."""
        raise NotImplementedError

    def configure_api(self) -> Any:
        """Override (in the root) with a list of `Get`, `Post`, `Put`, `Delete`."""
        raise NotImplementedError

    @property
    def ready(self) -> bool:
        """Whether the page may be shown: all flows below are ready.  May be overridden, or assigned."""
        own = self.__dict__.get("_ready_assigned")
        return all(flow.ready for flow in self.flows.values()) if own is None else bool(own)

    @ready.setter
    def ready(self, value: bool) -> None:
        self.__dict__["_ready_assigned"] = value

    # -- ending --------------------------------------------------------------------------------------------

    def stop(self, end_msg: str = "") -> None:
        """End the app with exit code 0; `end_msg` goes to stderr."""
        raise AppExit(end_msg)

    def fail(self, end_msg: str = "") -> None:
        """End the app with exit code 1; `end_msg` goes to stderr."""
        raise AppExit(end_msg, failed=True)

    def _exit(self, end_msg: str = "") -> None:
        warnings.warn(
            "LightningFlow._exit is deprecated in favor of LightningFlow.stop.", DeprecationWarning, stacklevel=2
        )
        self.stop(end_msg)

    def stop_works(self, works: Iterable[Any]) -> None:
        """Stop several works."""
        for work in works:
            work.stop()

    # -- time ----------------------------------------------------------------------------------------------

    def schedule(self, cron_pattern: str, start_time: datetime | None = None, user_key: str | None = None) -> bool:
        """True at once the first time, then exactly once per due time.

        Args:
            cron_pattern: five fields (minute hour day month weekday), or six with the seconds last, in local time; or one of
                hourly, daily, weekly, monthly, yearly, annually, midnight.
            start_time: count due times from here instead of from now.
            user_key: tells apart calls on the same line.

        Raises:
            ScheduleError: an invalid pattern.
        """
        frame = sys._getframe(1)
        return self._lit_binding.schedule(self, frame.f_code, frame.f_lineno, user_key, cron_pattern, start_time)

    def experimental_iterate(self, iterable: Iterable[Any], run_once: bool = True, user_key: str = "") -> Iterator[Any]:
        """Iterate over something, going on at the same item when a work's call ends the turn in between.

        Args:
            iterable: yields the same items whenever it is iterated over.
            run_once: afterwards yield nothing; else begin again.
            user_key: tells apart loops in the same function.

        Raises:
            TypeError: not iterable.
        """
        key = f"{sys._getframe(1).f_code.co_name}:{user_key}"
        return self._lit_iterate(iterable, run_once, key)

    def _lit_iterate(self, iterable: Iterable[Any], run_once: bool, key: str) -> Iterator[Any]:
        if not hasattr(iterable, "__iter__"):
            raise TypeError(f"An iterable should be provided to `self.iterate` method. Found {iterable!r}.")
        memory = self._iterations.get(key)
        if memory is not None and memory["done"] and run_once:
            return
        if memory is None or memory["done"]:
            self._iterations[key] = {"done": False, "count": 0}
        for index, item in enumerate(iterable):
            if index >= self._iterations[key]["count"]:
                yield item
                self._iterations[key]["count"] = index + 1
        self._iterations[key]["done"] = True

    # -- children ------------------------------------------------------------------------------------------

    def _lit_may_declare(self, name: str) -> bool:
        return name in self._lit_children

    def _lit_check_name(self, name: str) -> None:
        """New names are checked in `_lit_take_child`, which knows whether a component comes."""
        if not self._lit_ready:
            super()._lit_check_name(name)

    def _lit_take_child(self, name: str, value: Any) -> bool:
        value = structured(value)
        if not isinstance(value, (Component, Structure)):
            if name in self._lit_children:
                self._lit_no_longer(name, value)
            super()._lit_check_name(name)
            return False
        old = self._lit_children.get(name)
        if value is old:
            return True
        self._lit_binding.check_thread(self)
        if old is not None:
            self._lit_replaceable(name, old)
        elif name in self._lit_state:
            del self._lit_state[name]
            self._lit_binding.moved(self, (name,), DELETE, None, self.__dict__.get(name))
        self._lit_hang(name, value)
        return True

    def _lit_hang(self, name: str, value: Any) -> None:
        if isinstance(value, Structure):
            if value._lit_parent is not None:
                raise AlreadyAttached(
                    f"This structure is already attached as {value.name!r}, so it can't be {self.name}.{name} as well."
                )
            self._lit_binding.arranged(self, name, "List" if isinstance(value, list) else "Dict")
            value._lit_parent, value._lit_key = self, name
            self._lit_children[name] = self.__dict__[name] = value
            for _, item in value._lit_items():
                self._lit_binding.attached(item)
            return
        adopt(self, name, value)
        self._lit_children[name] = self.__dict__[name] = value

    def _lit_replaceable(self, name: str, old: Any) -> None:
        """A component may take the place of one that was deleted."""
        if isinstance(old, Structure):
            for _, item in list(old._lit_items()):
                dismiss(item)
            old._lit_parent = None
        elif getattr(old, "_lit_deleted", False) or self._lit_building:
            dismiss(old)
        else:
            kind = "flow" if hasattr(old, "_lit_isflow") else "work"
            raise AlreadyAttached(
                f"Cannot set attributes as the {kind} can't be changed once defined: {name}. "
                f"Call self.{name}.delete() or `del self.{name}` first."
            )

    def _lit_no_longer(self, name: str, value: Any) -> None:
        """A component's attribute takes a plain value (usually None): the component leaves."""
        self._lit_drop_child(name)
        self._lit_state[name] = None

    def _lit_drop_child(self, name: str) -> None:
        self._lit_binding.check_thread(self)
        if isinstance(self._lit_children[name], Structure):
            self._lit_binding.arranged(self, name, "")
        child = self._lit_children.pop(name)
        self.__dict__.pop(name, None)
        for item in [item for _, item in child._lit_items()] if isinstance(child, Structure) else [child]:
            dismiss(item)
        child._lit_parent = None

    def _lit_each(self) -> Iterator[Component]:
        """The components directly below, those in structures included."""
        for child in list(self._lit_children.values()):
            if isinstance(child, Structure):
                yield from [item for _, item in child._lit_items()]
            else:
                yield child

    def _lit_walk(self) -> Iterator[Component]:
        yield self
        for child in self._lit_each():
            yield from child._lit_walk()

    def _lit_sorted(self, kind: type) -> list[tuple[str, Any]]:
        return sorted((name, child) for name, child in self._lit_children.items() if isinstance(child, kind))

    @property
    def flows(self) -> dict[str, LightningFlow]:
        """All flows below, by full name."""
        found: dict[str, LightningFlow] = {}
        for _, flow in self._lit_sorted(LightningFlow):
            found[flow.name] = flow
            found.update(flow.flows)
        for _, structure in self._lit_sorted(Structure):
            found.update(structure.flows)
        return found

    def works(self, recurse: bool = True) -> list[Any]:
        """The works below: own ones by attribute name, then those of flows, then those of structures."""
        flows = [flow for _, flow in self._lit_sorted(LightningFlow)]
        found = [child for _, child in self._lit_sorted(Component) if not hasattr(child, "_lit_isflow")]
        if recurse:
            for flow in flows:
                found += flow.works()
        for _, structure in self._lit_sorted(Structure):
            found += structure.works
        return found

    def named_works(self, recurse: bool = True) -> list[tuple[str, Any]]:
        """(full name, work) of each of `works()`."""
        return [(work.name, work) for work in self.works(recurse)]

    # -- state ---------------------------------------------------------------------------------------------

    def _lit_vars(self) -> dict[str, Any]:
        found = super()._lit_vars()
        found.pop("_iterations", None)
        return found

    def _lit_shape(self, section: str) -> dict[str, Any]:
        return {
            "vars": self._lit_vars(),
            "flows": {name: getattr(flow, section) for name, flow in self._lit_sorted(LightningFlow)},
            "works": {n: getattr(w, section) for n, w in self._lit_sorted(Component) if not hasattr(w, "_lit_isflow")},
            "structures": {name: getattr(structure, section) for name, structure in self._lit_sorted(Structure)},
        }

    @property
    def state(self) -> dict[str, Any]:
        """Everything below and in this flow: `vars`, `calls`, `flows`, `works`, `structures`, `changes`; a copy."""
        shape = self._lit_shape("state")
        return {"vars": shape.pop("vars"), "calls": self._lit_binding.calls(self), **shape, "changes": {}}

    @property
    def state_vars(self) -> dict[str, Any]:
        """As `state`, without calls and changes."""
        return self._lit_shape("state_vars")

    @property
    def state_with_changes(self) -> dict[str, Any]:
        """As `state`; kept for older code."""
        return self.state

    @property
    def changes(self) -> dict[str, Any]:
        """Always empty; kept for older code."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """This flow's own part of `state`, without children."""
        return {
            "vars": self._lit_vars(),
            "calls": self._lit_binding.calls(self),
            "changes": {},
            "flows": {},
            "works": {},
            "structures": {},
        }

    def set_state(self, provided_state: dict[str, Any], recurse: bool = True) -> None:
        """Assign what `state` returned; with `recurse` to children as well."""
        for name, value in provided_state["vars"].items():
            setattr(self, name, value)
        if not recurse:
            return
        for section in ("flows", "works", "structures"):
            for name, state in provided_state.get(section, {}).items():
                getattr(self, name).set_state(state)

    def load_state_dict(self, flow_state: dict[str, Any], children_states: dict[str, Any], strict: bool = True) -> None:
        """Take up a saved state.  Override it to make components that were made at run time before calling `super()`.

        Args:
            flow_state: what `state_dict` returned.
            children_states: name to state of each child.
            strict: refuse states of children that are not there.

        Whoever overrides it answers for all attributes from here downwards: `--strict` refuses none of them.  States hold attributes
        that the code has no more as well; `super()` leaves these out.

        Raises:
            StateMismatch: (ValueError) a child that is not there, if `strict`.
        """
        self.set_state(_known_to(self, flow_state), recurse=False)
        for name, state in children_states.items():
            child = self._lit_children.get(name)
            if child is None:
                if strict:
                    raise StateMismatch(f"The component {name} wasn't instantiated for the component {self.name}")
            elif isinstance(child, LightningFlow):
                child.load_state_dict(
                    state,
                    {**state.get("flows", {}), **state.get("works", {}), **state.get("structures", {})},
                    strict=strict,
                )
            else:
                child.set_state(_known_to(child, state))


def _known_to(component: Any, state: dict[str, Any]) -> dict[str, Any]:
    """A saved state without the attributes that the code has no more; structures have none."""
    if not isinstance(component, Component):
        return state
    return {**state, "vars": {name: value for name, value in state["vars"].items() if name in component._lit_state}}


__all__ = ["LightningFlow"]
