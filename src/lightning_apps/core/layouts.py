"""Turns what a flow wants to show into plain entries.  Serves nothing, and leaves what the user returned as it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ..model.flow import LightningFlow
from ..model.layout import Frontend, LayoutTypeError, LayoutValueError
from ..model.work import LightningWork

Entry = dict[str, Any]


class Layouts:
    """Keeps `_layout` of every flow up to date.  Layouts are output: they wake nobody and are no change.

    Args:
        pause: seconds between two looks at least.

    Attributes:
        frontends: those that some tab shows, or has shown and whose flow still has them, by flow; another object when they change.
    """

    def __init__(self, pause: float = 0.1) -> None:
        self.due: float | None = None
        self.frontends: dict[str, Frontend] = {}
        self._collected: dict[str, Frontend] = {}
        self._pause, self._last = pause, float("-inf")

    def changed(self, now: float) -> None:
        """Something happened: what is shown may be another thing now."""
        if self.due is None:
            self.due = max(now, self._last + self._pause)

    def show_more(self, flows: Iterable[LightningFlow]) -> bool:
        """Whether there is a frontend, or a tab that leads to a page."""
        shown = [flow._layout if isinstance(flow._layout, list) else [flow._layout] for flow in flows]
        return bool(self.frontends) or any("target" in entry for entries in shown for entry in entries)

    def look(self, flows: Iterable[LightningFlow], now: float) -> list[LightningFlow]:
        """Collect from these flows if it is time; those whose layout is another one now.

        Raises:
            LayoutTypeError, LayoutValueError: see `collect`.
        """
        if self.due is None or now < self.due:
            return []
        changed: list[LightningFlow] = []
        self.due, self._last = None, now
        frontends: dict[str, Frontend] = {}
        layouts: dict[str, list[Entry] | Entry] = {}
        for flow in flows:
            found = collect(flow)
            if found.layout != flow.__dict__.get("_layout"):
                flow.__dict__["_layout"] = flow._lit_keep("_layout", found.layout)
                changed.append(flow)
            if found.frontend is not None:
                former = self._collected.get(flow.name)
                same = former is not None and former.same_as(found.frontend)
                frontends[flow.name] = former if same and former is not None else found.frontend
            layouts[flow.name] = found.layout
        self._collected = frontends
        shown = _reachable(layouts)
        wanted = {name: each for name, each in frontends.items() if name in shown or self.frontends.get(name) is each}
        if wanted != self.frontends:
            self.frontends = wanted
        return changed


def _reachable(layouts: Mapping[str, list[Entry] | Entry]) -> set[str]:
    """The flows that somebody who looks at the root gets to see, by name."""
    found: set[str] = set()
    waiting = [next(iter(layouts))] if layouts else []
    while waiting:
        name = waiting.pop()
        if name in layouts and name not in found:
            found.add(name)
            layout = layouts[name]
            waiting += [entry["content"] for entry in layout] if isinstance(layout, list) else []
    return found


class Collected(msgspec.Struct):
    """What a flow shows.

    Attributes:
        layout: goes into `flow._layout`: tabs, or {"target": …}, a path below the app's URL, where a frontend is shown.
        frontend: the one to serve for this flow, if any.
    """

    layout: list[Entry] | Entry
    frontend: Frontend | None = None


def collect(flow: LightningFlow) -> Collected:
    """What `flow.configure_layout()` returned, with flows by name and works by URL.

    Each entry keeps its keys; `content` becomes a flow's name or a URL, and a URL that can be opened stands in `target`
    as well ("" until it is known).

    Raises:
        LayoutTypeError: (TypeError) neither a frontend nor a dictionary nor a list of them.
        LayoutValueError: (ValueError) an entry without `content`, or with one that cannot be shown.
    """
    returned = flow.configure_layout()
    if isinstance(returned, Frontend):
        return _shown_by(returned, flow)
    if isinstance(returned, dict):
        return _tabs([returned], flow)
    if isinstance(returned, (list, tuple)) and all(isinstance(item, dict) for item in returned):
        return _tabs(returned, flow)
    raise LayoutTypeError(
        f"{_where(flow)} returned {_brief(returned)}, an unsupported layout format: return a frontend such as "
        'StaticWebFrontend(…), a dictionary {"name": …, "content": …}, or a list of such dictionaries.'
    )


def _tabs(entries: Sequence[Entry], flow: LightningFlow) -> Collected:
    tabs = []
    for entry in entries:
        tab = _tab(entry, flow)
        if isinstance(tab, Frontend):
            if len(entries) > 1:
                kind = type(entry["content"]).__name__
                raise LayoutTypeError(
                    f"{_where(flow)} returned several tabs, one of which is a frontend: "
                    f"the tab containing a `{kind}` must be the only tab in the layout of this flow."
                )
            return _shown_by(tab, flow)
        tabs.append(tab)
    return Collected(tabs)


def _tab(entry: Entry, flow: LightningFlow) -> Entry | Frontend:
    if "content" not in entry:
        raise LayoutValueError(
            f"A dictionary returned by `{type(flow).__name__}.configure_layout()` is missing a key 'content'. "
            "For the value, choose either a reference to a child flow or a URL."
        )
    content = entry["content"]
    if isinstance(content, (LightningWork, Frontend)):
        content = _content_of_work(content) if isinstance(content, LightningWork) else content
        if content is None:
            return {**entry, "content": ""}
        return content if isinstance(content, Frontend) else {**entry, "content": content, "target": content}
    if isinstance(content, str):
        return {**entry, "content": str(content), "target": _openable(content)}
    if isinstance(content, LightningFlow):
        return {**entry, "content": content.name}
    raise LayoutValueError(
        f"A dictionary returned by `{type(flow).__name__}.configure_layout()` contains an unsupported entry, "
        f"{{'content': {_brief(content)}}}: set `content` to a child flow, a child work or a URL."
    )


def _content_of_work(work: LightningWork) -> str | Frontend | None:
    returned = work.configure_layout()
    if returned is None or isinstance(returned, Frontend):
        return returned
    if isinstance(returned, str):
        return _openable(returned)
    raise LayoutTypeError(
        f"The value returned by `{type(work).__name__}.configure_layout()` of {work.name} is of unsupported type, "
        f"{_brief(returned)}: return a frontend or a URL."
    )


def _openable(url: str) -> str:
    """The URL, or "" as long as it has no beginning, as in `self.work.url + "/docs"` before the work runs."""
    return "" if url.startswith("/") else str(url)


def _shown_by(frontend: Frontend, flow: LightningFlow) -> Collected:
    frontend.flow = flow
    return Collected({"target": f"/f/{flow.name}/"}, frontend)


def _where(flow: LightningFlow) -> str:
    return f"The method `{type(flow).__name__}.configure_layout()` of {flow.name}"


def _brief(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 80 else said[:79] + "…"
