"""Routes that an app's author declares: FastAPI's rules for what comes in, one turn of the flow for what is done."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import HTTPException, Query, Request, Response, UploadFile
from pydantic import BaseModel, Field
from starlette.applications import Starlette

from lightning_apps.base import messages as m
from lightning_apps.base.errors import Unanswered
from lightning_apps.core.coordinator import Coordinator, Options
from lightning_apps.model.api import Delete, Get, Post, Put
from lightning_apps.model.flow import LightningFlow
from lightning_apps.model.offer import offer_of
from lightning_apps.web.user_api import UserRoutes


class Item(BaseModel):
    name: str
    price: float = Field(gt=0)


class Colour(enum.Enum):
    RED = "red"


class CoordinatorDesk:
    """Asks a coordinator at once, as the host's does through its inbox."""

    def __init__(self, root: LightningFlow) -> None:
        self.coordinator = Coordinator(root, Options(finish=asyncio.run))
        self.asked = 0
        self.patience: list[float | None] = []

    async def ask(
        self, component: str, method: str, args: Any = (), kwargs: Any = None, *, timeout: float | None = 30.0
    ) -> Any:
        self.asked += 1
        self.patience.append(timeout)
        event = m.Asked(f"{self.asked}", component, method, args, kwargs)
        outcome = await asyncio.to_thread(self.coordinator.step, [event], 0.0)
        (reply,) = [effect for effect in outcome.effects if isinstance(effect, m.Reply)]
        if reply.error is not None:
            raise reply.error
        return reply.value


class Child(LightningFlow):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def see(self, word: str) -> list[str]:
        self.seen.append(word)
        return self.seen


class Root(LightningFlow):
    def __init__(self, routes: Callable[[Any], list[Any]]) -> None:
        super().__init__()
        self._routes = routes
        self.child = Child()
        self.names: list[str] = []
        self.count = 0

    def configure_api(self) -> Any:
        return self._routes(self)

    def run(self) -> None:
        """Nothing to coordinate."""

    def add(self, name: str, times: int = 1) -> dict[str, Any]:
        """Add a name."""
        self.names += [name] * times
        return {"names": self.names}

    def item(self, item_id: int, item: Item, colour: Colour = Colour.RED) -> Item:
        self.count = item_id
        return Item(name=f"{item.name} {colour.name}", price=item.price * 2)

    def refuse(self) -> None:
        self.count += 1
        raise HTTPException(418, "a teapot", headers={"x-tea": "green"})

    def break_down(self) -> None:
        self.count += 1
        raise ValueError("secret reason")

    async def wait(self, seconds: float, request: Request) -> Any:
        await asyncio.sleep(seconds)
        self.count = 5
        return await request.json()

    def look(self, request: Request) -> Any:
        return {"method": request.method, "json": request.json(), "header": request.headers["x-one"]}

    def answer(self, response: Response, words: list[str] = Query(default=["a"])) -> list[str]:  # noqa: B008
        response.status_code = 202
        return words

    def keep(self, file: UploadFile) -> int:
        self.count = len(file.file.read())
        return self.count


class Api:
    """An app with some routes, and a client for it."""

    def __init__(self, routes: Callable[[Any], list[Any]], debug: bool = False) -> None:
        self.root = Root(routes)
        self.desk, self.complaints = CoordinatorDesk(self.root), list[str]()
        self.routes = UserRoutes(offer_of(self.root).routes, self.desk, self.complaints.append, debug)

    def __call__(self, verb: str, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self._ask(verb, path, **options))

    async def _ask(self, verb: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=[self.routes]))
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            self.routes._app = None
            return await client.request(verb, path, **options)


def test_a_method_of_the_flow_answers_and_its_changes_stay() -> None:
    api = Api(lambda root: [Post("/add", root.add), Post("/child/see", root.child.see)])

    first = api("POST", "/add?name=ada&times=2")
    second = api("POST", "/child/see?word=hello")

    assert (first.status_code, first.json()) == (200, {"names": ["ada", "ada"]})
    assert second.json() == ["hello"]
    assert (api.root.names, api.root.child.seen) == (["ada", "ada"], ["hello"])


def test_models_paths_and_queries_arrive_as_declared() -> None:
    api = Api(lambda root: [Put("/items/{item_id}", root.item)])

    answer = api("PUT", "/items/7?colour=red", json={"name": "tea", "price": 2})

    assert answer.json() == {"name": "tea RED", "price": 4.0}
    assert api.root.count == 7


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/items/x", {"name": "tea", "price": 2}, ["path", "item_id"]),
        ("/items/1", {"name": "tea", "price": -2}, ["body", "price"]),
        ("/items/1?colour=blue", {"name": "tea", "price": 2}, ["query", "colour"]),
    ],
)
def test_what_does_not_fit_is_refused_before_the_flow_hears_of_it(path: str, body: Any, where: list[str]) -> None:
    api = Api(lambda root: [Put("/items/{item_id}", root.item)])

    answer = api("PUT", path, json=body)

    assert (answer.status_code, answer.json()["detail"][0]["loc"], api.desk.asked) == (422, where, 0)


def test_an_http_exception_is_the_answer_and_undoes_the_turn() -> None:
    api = Api(lambda root: [Delete("/tea", root.refuse)])

    answer = api("DELETE", "/tea")

    assert (answer.status_code, answer.json(), answer.headers["x-tea"]) == (418, {"detail": "a teapot"}, "green")
    assert (api.root.count, api.complaints) == (0, [])


def test_any_other_exception_is_said_at_the_terminal_and_not_to_the_caller() -> None:
    api = Api(lambda root: [Get("/break", root.break_down)])

    answer = api("GET", "/break")

    assert (answer.status_code, answer.json()) == (500, {"detail": "Internal Server Error"})
    assert api.root.count == 0
    assert "ValueError: secret reason" in api.complaints[0]
    assert "lightning_apps" not in api.complaints[0]


def test_a_caller_is_told_the_traceback_where_debugging_is_asked_for() -> None:
    api = Api(lambda root: [Get("/break", root.break_down)], debug=True)

    assert "secret reason" in api("GET", "/break").json()["detail"]


def test_async_handlers_run_to_their_end_within_the_turn() -> None:
    api = Api(lambda root: [Post("/wait", root.wait)])

    answer = api("POST", "/wait?seconds=0.001", json={"a": [1]})

    assert (answer.json(), api.root.count) == ({"a": [1]}, 5)


def test_a_request_is_handed_to_the_flow_as_something_already_read() -> None:
    api = Api(lambda root: [Post("/look", root.look)])

    answer = api("POST", "/look", json=[1, 2], headers={"x-one": "1"})

    assert answer.json() == {"method": "POST", "json": [1, 2], "header": "1"}


def test_responses_queries_and_files_are_as_fastapi_has_them() -> None:
    api = Api(lambda root: [Get("/answer", root.answer), Post("/keep", root.keep)])

    answer = api("GET", "/answer?words=x&words=y")

    assert (answer.status_code, answer.json()) == (202, ["x", "y"])
    assert api("POST", "/keep", files={"file": b"12345"}).json() == 5


def test_plain_functions_are_served_without_the_flow() -> None:
    async def double(number: int) -> int:
        return number * 2

    def fail() -> None:
        raise KeyError("x")

    api = Api(lambda root: [Get("/double", double), Get("/fail", fail)])

    assert api("GET", "/double?number=4").json() == 8
    assert api("GET", "/fail").json() == {"detail": "Internal Server Error"}
    assert (api.desk.asked, len(api.complaints)) == (0, 1)


def test_a_route_waits_as_long_as_it_says() -> None:
    api = Api(lambda root: [Get("/a", root.add, timeout=3), Get("/b", root.add)])

    api("GET", "/a?name=x")
    api("GET", "/b?name=x")

    assert api.desk.patience == [3, 30]


def test_an_answer_that_never_comes_is_an_error() -> None:
    api = Api(lambda root: [Get("/a", root.add)])

    async def never(*args: Any, **options: Any) -> Any:
        raise Unanswered

    api.desk.ask = never  # type: ignore[method-assign]

    assert api("GET", "/a?name=x").json() == {"detail": "The response was never received."}


def test_other_methods_are_not_allowed_and_other_paths_not_found() -> None:
    api = Api(lambda root: [Get("/a", root.add)])

    assert (api("POST", "/a").status_code, api("GET", "/b").status_code) == (405, 404)


def test_the_routes_describe_themselves() -> None:
    api = Api(lambda root: [Put("/items/{item_id}", root.item, summary="Change an item"), Post("/add", root.add)])

    described = asyncio.run(api.routes.openapi())

    assert described["paths"]["/items/{item_id}"]["put"]["summary"] == "Change an item"
    assert described["paths"]["/add"]["post"]["description"] == "Add a name."
    assert "Item" in described["components"]["schemas"]


def test_what_is_no_route_is_refused() -> None:
    with pytest.raises(ValueError, match=r"should be either \[Delete, Get, Post, Put\]"):
        offer_of(Root(lambda root: [root.add]))
    with pytest.raises(ValueError, match="no list"):
        offer_of(Root(lambda root: Get("/a", root.add)))  # type: ignore[arg-type,return-value]
