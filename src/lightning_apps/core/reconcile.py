"""Where code and saved state do not share their attributes: said in one line each, or refused; and what authors do about it themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..base.errors import StateMismatch
from ..base.messages import DELETE, Change, Say
from ..model.component import Component
from ..model.flow import LightningFlow

Coordinator = Any  # it is defined in terms of `restore`, which uses this

WAY_OUT = "That is refused because of --strict: leave it out, or let a flow's load_state_dict take up what is gone and set what is new."


def reconcile(coordinator: Coordinator, former: Mapping[str, Mapping[str, Any]]) -> None:
    """After a restore: tell of attributes that are gone or new, let flows migrate, and drop what the code does not know.

    A flow whose class overrides `load_state_dict` answers for its attributes and those of everything below it.

    Args:
        former: the attributes that the code of each component had when the run was saved, with the values they began with, as far
            as that is known.

    Raises:
        StateMismatch: there are some that nobody answers for, and the options say that this is an error.
    """
    refused: list[str] = []
    told: list[Say] = []
    for name in coordinator.tree:
        by = _answered_for(coordinator, name)
        lines = _differences(coordinator, name, former.get(name), by)
        refused += [] if by else lines
        told += [Say("info" if by else "warning", line) for line in lines]
    if refused and coordinator.options.strict:
        raise StateMismatch(f"{' '.join(refused)} {WAY_OUT}")
    for say in told:
        coordinator.ledger.emit(say)
    migrating = [flow for flow in coordinator.tree.values() if _migrates(flow)]
    states = [(flow, _old_state(flow, former.get(flow.name, {})), _children(flow)) for flow in migrating]
    for name, component in coordinator.tree.items():
        for attribute in _gone(coordinator, name, component):
            component._lit_apply(Change((attribute,), DELETE))
    for flow, state, children in states:
        flow.load_state_dict(state, children, strict=coordinator.options.strict)


def _differences(coordinator: Coordinator, name: str, former: Mapping[str, Any] | None, by: str) -> list[str]:
    component = coordinator.tree[name]
    known = coordinator.lineage.known(name)
    gone = sorted({*_gone(coordinator, name, component), *(set(former or ()) - set(known))})
    new = sorted(set(known) - set(former)) if former is not None else []
    fate = f"{by}.load_state_dict is given it" if by else "it is dropped"
    lines = [
        f"{name}.{each} is in the saved state and not in the code any more: {fate}." for each in gone if each[0] != "_"
    ]
    values = component.__dict__
    return lines + [
        f"{name}.{each} is new in the code: it begins as {values.get(each)!r}." for each in new if each[0] != "_"
    ]


def _answered_for(coordinator: Coordinator, name: str) -> str:
    """The name of the nearest flow at or above this component that migrates, "" if none does."""
    while name and not _migrates(coordinator.tree.get(name)):
        name = name.rpartition(".")[0]
    return name


def _gone(coordinator: Coordinator, name: str, component: Component) -> list[str]:
    known = {*coordinator.lineage.known(name), *coordinator.lineage.held(name)}
    return [attribute for attribute in component._lit_state if attribute not in known]


def _migrates(component: Component | None) -> bool:
    return isinstance(component, LightningFlow) and type(component).load_state_dict is not LightningFlow.load_state_dict


def _old_state(flow: LightningFlow, former: Mapping[str, Any]) -> dict[str, Any]:
    """What is restored, attributes that are gone included, whether they had changed or not."""
    state = flow.state_dict()
    gone = {name: value for name, value in former.items() if name not in flow._lit_state and name[0] != "_"}
    return {**state, "vars": {**gone, **state["vars"]}}


def _children(flow: LightningFlow) -> dict[str, Any]:
    state = flow.state
    return {**state["flows"], **state["works"], **state["structures"]}
