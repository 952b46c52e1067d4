"""Where an app in a test's hands stood, told for whoever reads why the test failed.  Changes nothing of it."""

from __future__ import annotations

from typing import Any

MOST = 4000  # characters of output


def tell(app: Any, *, printed: bool = True) -> str:
    """The app, its works and their latest calls, its state, and what was printed last.

    Args:
        app: an AppTest.
        printed: with what was printed; pytest shows that as well where it captures.
    """
    lines = [repr(app)]
    for name, work in app.works.items():
        call = work.call
        lines.append(f"{name}: {work.stage}{'' if call is None else f', {call}'}")
    lines += [f"{name}: {values}" for name, values in _values("root", app.state)]
    if printed and app.output:
        lines += ["printed:", app.output[-MOST:].rstrip("\n")]
    return "\n".join(lines)


def _values(name: str, state: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    own = {key: value for key, value in state.get("vars", {}).items() if not key.startswith("_")}
    found = [(name, own)] if own else []
    for part in ("flows", "works", "structures"):
        for child, below in state.get(part, {}).items():
            found += _values(f"{name}.{child}", below)
    return found


__all__ = ["tell"]
