"""Runs a script in this process while chosen methods are watched and changed.  Knows nothing of works."""

from __future__ import annotations

import functools
import inspect
import runpy
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Tracer"]

Hook = Callable[..., Any]


class _Watched(NamedTuple):
    kind: type
    method: str
    stack_level: int
    before: Hook | None
    after: Hook | None


class _Call(NamedTuple):
    """One call of a watched method, as it was recorded."""

    kind: str
    instance: int
    method: str
    entry: dict[str, Any]


class Tracer:
    """Watches methods while a script runs.

    Attributes:
        res: after `trace`, class name to a list of {"id": of the instance, method name: [one entry a call]}; an entry
            has "frame", "call_args", "default_args", "call" (start and end in ns), and the hooks' "pre" and "post".

    Example:
        >>> tracer = Tracer()
        >>> tracer.add_traced(Trainer, "__init__", pre_fn=lambda self, *args, **kwargs: ({}, args, kwargs))
        >>> script_globals = tracer.trace("train.py", "--epochs=3")
    """

    def __init__(self) -> None:
        self.methods: list[_Watched] = []
        self.res: dict[str, list[dict[str, Any]]] = {}

    def add_traced(
        self, cls: type, method_name: str, stack_level: int = 1, pre_fn: Hook | None = None, post_fn: Hook | None = None
    ) -> None:
        """Watch a method in the next `trace`.

        Args:
            cls, method_name: which one.
            stack_level: how many frames above the method the caller is, for the entry's "frame".
            pre_fn: called as `pre_fn(self, *args, **kwargs)`; returns (something to keep, args, kwargs) to call with.
            post_fn: called as `post_fn(self, result)`; returns (something to keep, result).
        """
        self.methods.append(_Watched(cls, method_name, stack_level, pre_fn, post_fn))

    def trace(self, *args: Any, init_globals: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run a script as `__main__`, and return its globals, with `res` as "tracer_res".

        Args:
            args: the script, then its arguments.
            init_globals: names the script finds already defined.
        """
        calls: list[_Call] = []
        words = [str(arg) for arg in args]
        with _surroundings(words), _watching(self.methods, calls):
            try:
                found = runpy.run_path(words[0], run_name="__main__", init_globals=init_globals)
            finally:
                self.res = _by_class(calls)
        found["tracer_res"] = self.res
        return found


@contextmanager
def _surroundings(words: list[str]) -> Iterator[None]:
    """`sys.argv` and `sys.path` as the script expects them, for a while."""
    argv, path = sys.argv, sys.path[:]
    sys.argv = words
    sys.path.append(str(Path(words[0]).parent.absolute()))
    try:
        yield
    finally:
        sys.argv, sys.path[:] = argv, path


@contextmanager
def _watching(methods: list[_Watched], calls: list[_Call]) -> Iterator[None]:
    """The methods replaced for a while; whatever happens, the classes are as before afterwards."""
    undo: list[Callable[[], None]] = []
    try:
        for watched in methods:
            own = vars(watched.kind).get(watched.method)
            put = functools.partial(setattr, watched.kind, watched.method)
            remove = functools.partial(delattr, watched.kind, watched.method)
            put(_wrapped(watched, getattr(watched.kind, watched.method), calls))
            undo.append(remove if own is None else functools.partial(put, own))
        yield
    finally:
        for step in reversed(undo):
            step()


def _wrapped(watched: _Watched, function: Any, calls: list[_Call]) -> Any:
    of_class = hasattr(function, "__self__")

    @functools.wraps(function)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        entry: dict[str, Any] = {"id": len(calls)}
        calls.append(_Call(watched.kind.__qualname__, id(self), watched.method, entry))
        if watched.before:
            entry["pre"], args, kwargs = watched.before(self, *args, **kwargs)
        entry["frame"] = _caller(watched.stack_level + 1)
        entry["default_args"], entry["call_args"] = _defaults(function), kwargs
        entry["call"] = {"start": time.time_ns()}
        result = function(*args, **kwargs) if of_class else function(self, *args, **kwargs)
        entry["call"]["end"] = time.time_ns()
        if watched.after:
            entry["post"], result = watched.after(self, result)
        return result

    return classmethod(method) if of_class else method


def _caller(level: int) -> dict[str, Any]:
    frame = sys._getframe(level)
    depth, above = 0, frame.f_back
    while above is not None:
        depth, above = depth + 1, above.f_back
    code = frame.f_code
    return {"filename": code.co_filename, "lineno": frame.f_lineno, "function": code.co_name, "depth": depth}


def _defaults(function: Any) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    return {name: p.default for name, p in parameters.items() if p.default is not inspect.Parameter.empty}


def _by_class(calls: list[_Call]) -> dict[str, list[dict[str, Any]]]:
    instances: dict[tuple[str, int], dict[str, Any]] = {}
    for call in calls:
        instance = instances.setdefault((call.kind, call.instance), {"id": call.instance})
        instance.setdefault(call.method, []).append(call.entry)
    found: dict[str, list[dict[str, Any]]] = {}
    for (kind, _), instance in instances.items():
        found.setdefault(kind, []).append(instance)
    return found
