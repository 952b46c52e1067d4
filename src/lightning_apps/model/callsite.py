"""Where in a component's code a call is written, said so that edits elsewhere in the file change nothing."""

from __future__ import annotations

from types import CodeType


def call_site(code: CodeType, line: int, owner: type | None = None) -> tuple[str, int]:
    """The function with its class, and the line counted from the function's first.

    Args:
        code, line: of the frame that calls.
        owner: the component's class; only Python 3.10 needs it to tell functions of one name apart.
    """
    return qualified_name(code, owner), line - code.co_firstlineno


def qualified_name(code: CodeType, owner: type | None = None) -> str:
    """The function's name with its class; Python 3.10's code objects lack it, so there it is looked up in `owner`."""
    if hasattr(code, "co_qualname"):
        return str(code.co_qualname)
    for kind in owner.__mro__ if owner else ():
        for value in vars(kind).values():
            if getattr(value, "__code__", None) is code:
                return str(value.__qualname__)
    return code.co_name
