"""Numbers for Prometheus, in its text format.  Reads from the board and of this process; counts nothing itself."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from ..base.status import WorkStageStatus
from .board import Board
from .context import Context

Sample = tuple[str, dict[str, str], float]
TYPE = "text/plain; version=0.0.4; charset=utf-8"
STAGES = ("not_started", "pending", "started", "running", "succeeded", "failed", "stopped")


def routes(context: Context) -> list[BaseRoute]:
    """`GET /metrics`."""

    async def metrics(request: Request) -> Response:
        context.board.catch_up()
        streams = _gauge("lightning_streams_open", "Open streams of the state.", [("", {}, context.feed.readers)])
        lines = [*_of_app(context.board), *_of_process(), streams]
        return PlainTextResponse("".join(lines), media_type=TYPE)

    return [Route("/metrics", metrics)]


def _of_app(board: Board) -> Iterable[str]:
    works = [node for node in board.nodes.values() if not node.is_flow]
    stages = Counter(node.statuses[-1].stage if node.statuses else WorkStageStatus.NOT_STARTED for node in works)
    yield _gauge("lightning_app_info", "The stage of the app.", [("", {"stage": board.stage}, 1)])
    yield _counter("lightning_turns_total", "Turns of the app.", board.turn)
    yield _gauge("lightning_flows", "Flows in the app.", [("", {}, len(board.nodes) - len(works))])
    yield _gauge(
        "lightning_works",
        "Works by the stage of what was asked of them last.",
        [("", {"stage": s}, stages[s]) for s in STAGES],
    )
    yield _gauge("lightning_state_bytes", "Size of the state as JSON.", [("", {}, len(board.state()))])
    yield _gauge("lightning_last_change_seconds", "When something changed last, in wall time.", [("", {}, board.at)])


def _of_process() -> Iterable[str]:
    yield _counter("process_cpu_seconds_total", "Processor time of the flow's process.", time.process_time())
    try:
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[1])
        yield _gauge(
            "process_resident_memory_bytes",
            "Memory of the flow's process.",
            [("", {}, pages * os.sysconf("SC_PAGE_SIZE"))],
        )
        yield _gauge(
            "process_open_fds", "Open files of the flow's process.", [("", {}, len(os.listdir("/proc/self/fd")))]
        )
    except (OSError, ValueError):
        """Not everywhere."""


def _counter(name: str, help: str, value: float) -> str:
    return f"# HELP {name} {help}\n# TYPE {name} counter\n{name} {_number(value)}\n"


def _gauge(name: str, help: str, samples: list[Sample]) -> str:
    lines = [f"# HELP {name} {help}", f"# TYPE {name} gauge"]
    for suffix, labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"{name}{suffix}{{{inside}}} {_number(value)}" if inside else f"{name}{suffix} {_number(value)}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
