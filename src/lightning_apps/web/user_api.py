"""The routes that an app's author declared in `configure_api`, served by FastAPI.  FastAPI is imported only when there are any."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_origin

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Match, compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from ..model.api import HttpMethod
from ..model.offer import Offer, Target, target_of
from ..ports import Desk
from .commands import Complain, failure_of
from .context import Context
from .parameters import resolved


def routes(context: Context) -> list[BaseRoute]:
    """The author's own routes; FastAPI is imported meanwhile."""
    offer: Offer = context.extra.get("offer", Offer())
    if not offer.routes:
        return []
    found = UserRoutes(offer.routes, context.desk, context.log.error, context.debug)
    context.extra["user_routes"] = found
    found.begin()
    return [found]


class FlowRequest:
    """The request that a method of a flow is given: all of it has been read, so nothing has to be awaited.

    Attributes:
        method: such as "POST".
        url: as text.
        headers, query_params, path_params, cookies: by name; of headers in small letters.
    """

    def __init__(self, request: Request, body: bytes) -> None:
        self.method, self.url = request.method, str(request.url)
        self.headers: Mapping[str, str] = dict(request.headers)
        self.query_params: Mapping[str, str] = dict(request.query_params)
        self.path_params: Mapping[str, Any] = dict(request.path_params)
        self.cookies: Mapping[str, str] = dict(request.cookies)
        self._body = body

    def body(self) -> Any:
        """The bytes of the request."""
        return self._body

    def json(self) -> Any:
        """The body, read as JSON.

        Raises:
            ValueError: it is none.
        """
        return json.loads(self._body)


class AsyncFlowRequest(FlowRequest):
    """The same for methods that are `async`, which await it."""

    async def body(self) -> bytes:
        """The bytes of the request."""
        return self._body

    async def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self._body)


class UserRoutes(BaseRoute):
    """All routes of an app's author, as one.

    They are known at once, so that nothing else is served under their paths; who calls one before FastAPI is there waits for it.
    """

    def __init__(self, routes: Sequence[HttpMethod], desk: Desk, complain: Complain, debug: bool = False) -> None:
        self._routes, self._desk, self._complain, self._debug = routes, desk, complain, debug
        self._patterns = [(route.verb, compile_path(route.route)[0]) for route in routes]
        self._app: asyncio.Task[Any] | None = None

    def begin(self) -> asyncio.Task[Any]:
        """Make the FastAPI app in another thread, as it takes a while."""
        if self._app is None:
            self._app = asyncio.create_task(asyncio.to_thread(self._make))
        return self._app

    async def load(self) -> Any:
        """The FastAPI app."""
        return await asyncio.shield(self.begin())

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        verbs = {verb for verb, pattern in self._patterns if pattern.match(path)}
        if not verbs:
            return Match.NONE, {}
        return Match.FULL if scope["method"] in verbs else Match.PARTIAL, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            app: ASGIApp = await self.load()
        except Exception as error:
            failure = failure_of(error, self._complain, self._debug)
            app = JSONResponse({"detail": failure.detail}, failure.status)
        with contextlib.suppress(Exception):  # it has been answered, and said at the terminal, by `failed`
            await app(scope, receive, send)

    async def openapi(self) -> dict[str, Any]:
        """The paths and schemas of these routes, for the app's description of itself."""
        described: dict[str, Any] = (await self.load()).openapi()
        return {"paths": described.get("paths", {}), "components": described.get("components", {})}

    def _make(self) -> Any:
        from fastapi import FastAPI

        app = FastAPI(title="app", openapi_url=None, docs_url=None, redoc_url=None)
        for route in self._routes:
            self._add(app, route)

        async def failed(request: Request, error: Exception) -> JSONResponse:
            failure = failure_of(error, self._complain, self._debug)
            return JSONResponse({"detail": failure.detail}, failure.status, failure.headers)

        app.add_exception_handler(Exception, failed)
        return app

    def _add(self, app: Any, route: HttpMethod) -> None:
        from fastapi.exceptions import FastAPIError

        target = target_of(route.method)
        endpoint = route.method if target is None else self._endpoint(route, target)
        options: dict[str, Any] = {"name": route.method_name, "tags": ["app_api"], **route.kwargs}
        try:
            app.add_api_route(route.route, endpoint, methods=[route.verb], **options)
        except FastAPIError:
            if "response_model" in options:
                raise
            app.add_api_route(route.route, endpoint, methods=[route.verb], response_model=None, **options)

    def _endpoint(self, route: HttpMethod, target: Target) -> Callable[..., Any]:
        """What FastAPI calls in its place: it has the same signature, and asks the flow."""
        signature = resolved(route.method)
        awaits = inspect.iscoroutinefunction(route.method)
        requests = [each.name for each in signature.parameters.values() if _is_request(each.annotation)]

        async def endpoint(**arguments: Any) -> Any:
            for name in requests:
                kind = AsyncFlowRequest if awaits else FlowRequest
                arguments[name] = kind(arguments[name], await arguments[name].body())
            return await self._desk.ask(target.component, target.method, (), arguments, timeout=route.timeout)

        endpoint.__name__ = endpoint.__qualname__ = str(route.method_name)
        endpoint.__doc__ = route.method.__doc__
        endpoint.__signature__ = signature  # type: ignore[attr-defined]
        return endpoint


def _is_request(annotation: Any) -> bool:
    is_class = isinstance(annotation, type) and get_origin(annotation) is None  # older Pythons take list[str] for one
    return is_class and issubclass(annotation, Request)


__all__ = ["FlowRequest", "UserRoutes", "routes"]
