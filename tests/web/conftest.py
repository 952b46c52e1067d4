"""Apps that are served, as real processes, on ports of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ADDRESS = re.compile(r"View it in your browser: (https?://\S+?)/view")


class Served:
    """One app that runs and is served.

    Attributes:
        address: "http://127.0.0.1:40607".
        http: a client for it.
    """

    def __init__(self, process: Any, eventually: Callable[..., Any]) -> None:
        self.process = process
        process.wait_for("View it in your browser", stream="stderr")
        found = ADDRESS.search(process.stderr)
        assert found is not None
        self.address = found[1]
        self.http = httpx.Client(base_url=self.address, timeout=20)
        self._eventually = eventually

    def get(self, path: str, **options: Any) -> Any:
        """The JSON at a path."""
        answer = self.http.get(path, **options)
        assert answer.status_code == 200, f"{answer.status_code}: {answer.text}"
        return answer.json()

    def state(self) -> Any:
        """The state as it is now."""
        return self.get("/api/v1/state")

    def until(self, condition: Callable[[Any], Any]) -> Any:
        """The state as soon as the condition holds for it."""
        seen: list[Any] = []

        def holds() -> bool:
            seen[:] = [self.state()]
            return bool(condition(seen[0]))

        self._eventually(holds, 20, what=lambda: f"state {seen}\n{self.process.report()}")
        return seen[0]


@pytest.fixture
def serve(command_line: Any, eventually: Callable[..., Any]) -> Iterator[Callable[..., Served]]:
    """`serve(text, *options)`: run the app of this text and return when it is served."""
    clients: list[httpx.Client] = []

    def start(text: str, *options: str, path: Path | None = None, **more: Any) -> Served:
        path = path or command_line.app(text)
        process = command_line.start("run", "app", path, "--open-ui", "false", "--port", "0", *options, **more)
        served = Served(process, eventually)
        clients.append(served.http)
        return served

    yield start
    for client in clients:
        client.close()
