"""Layouts: every form that apps return, and the sentences for those that are none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from core.talk import Talk, of
from lightning_apps.base.messages import Exit
from lightning_apps.core.layouts import Layouts, collect
from lightning_apps.frontends.static import StaticWebFrontend
from lightning_apps.frontends.streamlit import StreamlitFrontend
from lightning_apps.model.flow import LightningFlow
from lightning_apps.model.work import LightningWork


class Work(LightningWork):
    def __init__(self, shown: Any = ...) -> None:
        super().__init__()
        self._shown = shown

    def run(self) -> None: ...

    def configure_layout(self) -> Any:
        return self.url if self._shown is ... else self._shown


class Child(LightningFlow):
    def configure_layout(self) -> Any:
        return StaticWebFrontend("child")


class Root(LightningFlow):
    def __init__(self, shown: Any = ..., work: Any = ...) -> None:
        super().__init__()
        self._shown = shown
        self.child = Child()
        self.work = Work(work)

    def run(self) -> None: ...

    def configure_layout(self) -> Any:
        shown = super().configure_layout() if self._shown is ... else self._shown
        return shown(self) if callable(shown) else shown


def tab(content: Any, **more: Any) -> dict[str, Any]:
    return {"name": "tab", "content": content, **more}


def test_without_a_layout_of_its_own_a_flow_shows_all_flows_below_it() -> None:
    collected = collect(Root())

    assert collected.layout == [{"name": "root.child", "content": "root.child"}]
    assert collected.frontend is None


def test_a_frontend_is_the_flows_own() -> None:
    frontend = StaticWebFrontend("here")
    root = Root(frontend)

    collected = collect(root)

    assert (collected.layout, collected.frontend, frontend.flow) == ({"target": "/f/root/"}, frontend, root)


def test_a_dictionary_is_one_tab_and_keeps_its_other_keys() -> None:
    assert collect(Root(tab("https://a.b", icon="x"))).layout == [tab("https://a.b", icon="x", target="https://a.b")]


@pytest.mark.parametrize("kind", [list, tuple])
def test_several_tabs_stay_in_order(kind: type) -> None:
    root = Root(lambda flow: kind([tab(flow.child), tab("http://a", name=None), tab("/docs")]))

    assert collect(root).layout == [
        tab("root.child"),
        {"name": None, "content": "http://a", "target": "http://a"},
        tab("/docs", target=""),
    ]


def test_no_tabs_are_a_layout_too() -> None:
    assert collect(Root([])).layout == []


def test_what_a_child_returned_may_be_returned_as_ones_own() -> None:
    root = Root(lambda flow: flow.child.configure_layout())

    assert isinstance(collect(root).frontend, StaticWebFrontend)


def test_a_work_shows_its_url_as_soon_as_it_has_one() -> None:
    root = Root(lambda flow: tab(flow.work))
    assert collect(root).layout == [tab("", target="")]

    root.work._url = "http://127.0.0.1:8000"

    assert collect(root).layout == [tab("http://127.0.0.1:8000", target="http://127.0.0.1:8000")]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (None, {"content": ""}),
        ("https://a/b", {"content": "https://a/b", "target": "https://a/b"}),
        ("/docs", {"content": "", "target": ""}),
    ],
)
def test_a_work_may_say_what_it_shows(shown: Any, expected: dict[str, str]) -> None:
    root = Root(lambda flow: tab(flow.work), work=shown)

    assert collect(root).layout == [{"name": "tab", **expected}]


def test_a_frontend_of_a_work_belongs_to_the_flow_and_stands_alone() -> None:
    frontend = StaticWebFrontend("w")
    root = Root(lambda flow: [tab(flow.work)], work=frontend)

    assert (collect(root).frontend, frontend.flow) == (frontend, root)

    root._shown = lambda flow: [tab(flow.work), tab(flow.child)]
    with pytest.raises(TypeError, match="the tab containing a `Work` must be the only tab"):
        collect(root)


def test_what_the_user_returned_is_left_alone() -> None:
    entry: dict[str, Any] = {}
    root = Root(lambda flow: entry if entry.update(tab(flow.child)) is None else None)

    collect(root)

    assert entry == tab(root.child)


@pytest.mark.parametrize("shown", [None, 5, "http://a", [tab("http://a"), "http://b"], {"a"}])
def test_what_is_no_layout_is_refused_with_the_flows_name(shown: Any) -> None:
    with pytest.raises(TypeError, match=r"`Root.configure_layout\(\)` of root .*unsupported layout format"):
        collect(Root(shown))


def test_an_entry_without_content_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"A dictionary returned by `Root.configure_layout\(\)` is missing a key 'content'"
    ):
        collect(Root({"name": "x"}))


def test_content_that_cannot_be_shown_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`Root.configure_layout\(\)` contains an unsupported entry, {'content': 5}"):
        collect(Root(tab(5)))


def test_a_work_that_returns_no_layout_is_refused_with_its_name() -> None:
    with pytest.raises(TypeError, match=r"`Work.configure_layout\(\)` of root.work is of unsupported type, 5"):
        collect(Root(lambda flow: tab(flow.work), work=5))


def page(state: object) -> None: ...


def test_a_frontend_made_again_from_equal_arguments_is_the_same() -> None:
    def make(greeting: str) -> StreamlitFrontend:
        return StreamlitFrontend(render_fn=lambda state: print(greeting))

    assert StreamlitFrontend(page).same_as(StreamlitFrontend(page))
    assert make("hello").same_as(make("hello"))
    assert not make("hello").same_as(make("goodbye"))
    assert not StaticWebFrontend("a").same_as(StaticWebFrontend("b"))
    assert not StaticWebFrontend("a").same_as(StreamlitFrontend(page))


class Tabs(LightningFlow):
    def __init__(self) -> None:
        super().__init__()
        self.tab, self.shown = "first", 0
        self._seen = 0

    def run(self) -> None:
        self._seen += 1

    def next(self, name: str) -> None:
        self.tab = name

    def configure_layout(self) -> Any:
        self._collected = self.__dict__.get("_collected", 0) + 1
        return {"name": self.tab, "content": "https://example.org"}


def shown(talk: Talk) -> str:
    return talk.root.state["vars"]["_layout"][0]["name"]


def test_layouts_are_there_before_the_first_turn_and_follow_changes_without_waking_the_flow():
    talk = Talk(Tabs())
    assert shown(talk) == "first"
    talk.settle()

    talk.ask("next", "second")
    talk.settle()
    turns = talk.root._seen
    talk.now += 0.1
    talk.tell()

    assert shown(talk) == "second"
    assert talk.root._seen == turns
    assert talk.core.wake_at is None
    assert talk.outcome.record.empty


def test_layouts_are_collected_ten_times_a_second_at_most_and_the_last_one_counts():
    talk = Talk(Tabs())
    talk.settle()
    for n in range(20):
        talk.now += 0.01
        talk.ask("next", str(n))
    assert talk.root._collected <= 4

    talk.now = talk.core.layouts.due
    talk.tell()

    assert shown(talk) == "19"


def test_a_quiet_app_collects_nothing():
    talk = Talk(Tabs())
    talk.settle()
    talk.now += 1
    talk.tell()
    collected = talk.root._collected
    for _ in range(5):
        talk.now += 1
        talk.tell()

    assert talk.root._collected == collected


def test_a_layout_that_cannot_be_shown_ends_the_app_and_names_the_flow():
    talk = Talk(Root(shown=5))

    (end,) = of(talk.outcome.effects, Exit)

    assert end.code == 1
    assert "The configure_layout of root (Root) failed" in end.message


def test_only_frontends_that_somebody_can_get_to_are_served_and_those_that_were_go_on() -> None:
    root = Root(lambda flow: [tab(flow.child)] if flow._visible else [])
    root._visible = False
    layouts = Layouts(pause=0.0)

    def served(shown: bool, now: float) -> Mapping[str, Any]:
        root._visible = shown
        layouts.changed(now)
        layouts.look([root, root.child], now)
        return layouts.frontends

    assert served(False, 1.0) == {}
    first = served(True, 2.0)
    assert list(first) == ["root.child"]
    assert served(True, 3.0) is first  # one that is made again in each look is the same
    assert served(False, 4.0) is first
