"""Says in users' words why an app file could not be loaded.  Knows nothing of how files are found or executed."""

from __future__ import annotations

import linecache
import os
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from ..base.errors import AppLoadError, LightningError
from ..base.traces import ours, user_traceback
from .comment_commands import commands_of

NAMES_OF_OURS = ("lightning.py", "lightning_app.py", "lightning_apps.py")


def missing_file(path: str) -> AppLoadError:
    """There is no such file: name the Python files beside it that it could have been."""
    folder, name = os.path.split(path)
    if os.path.lexists(path):
        return AppLoadError(f"The provided entrypoint `{path}` is a link to a file that doesn't exist.")
    if not os.path.isdir(folder or os.curdir):
        return AppLoadError(f"The provided entrypoint `{path}` doesn't exist: there is no folder `{folder}`.")
    import difflib  # takes a while, so only now

    there = sorted(entry[:-3] for entry in os.listdir(folder or os.curdir) if entry.endswith(".py"))
    near = difflib.get_close_matches(os.path.splitext(name)[0], there, n=3) or {"app"}.intersection(there)
    hint = f" Did you mean {_listed((os.path.join(folder, f'{entry}.py') for entry in near), 'or')}?" if near else ""
    return AppLoadError(f"The provided entrypoint `{path}` doesn't exist.{hint}")


def not_python(error: SyntaxError | ValueError, path: str) -> AppLoadError:
    """The file does not compile: the place, the line and a caret below the fault."""
    if not isinstance(error, SyntaxError) or not error.lineno:
        return AppLoadError(f"`{path}` cannot be read as Python: {_said(error)}.")
    shown = traceback.format_exception_only(type(error), error)[1:-1]
    excerpt = "".join("\n" + line.rstrip("\n") for line in shown)
    return AppLoadError(f"`{path}` has a syntax error in line {error.lineno}: {error.msg}.{excerpt}")


def no_app(path: str, names: dict[str, Any]) -> AppLoadError:
    """The file was executed and built no app, or calls something else `app`."""
    found = names.get("app")
    if found is None:
        return AppLoadError(
            f"The provided file `{path}` does not contain a LightningApp. "
            "Instantiate your app at the module level like so: `app = LightningApp(flow)`."
        )
    if isinstance(found, type):
        return AppLoadError(
            f"`app` in `{path}` is the class {found.__name__}, not a LightningApp: "
            "instantiate your app like so: `app = LightningApp(flow)`."
        )
    return AppLoadError(
        f"`app` in `{path}` is of type {type(found).__name__}, not a LightningApp: "
        "wrap the root flow or work of your app like so: `app = LightningApp(flow)`."
    )


def several_apps(path: str, names: Iterable[str]) -> AppLoadError:
    """The file builds more than one app."""
    names = list(names)
    return AppLoadError(
        f"There should not be multiple apps instantiated within a file. Found {_listed(names)} in `{path}`: "
        f"keep one, or end the file with the one meant, `{names[0]}.run()`."
    )


def explain(error: BaseException, path: str) -> AppLoadError:
    """What user code, or a check of ours called by it, raised while the file was executed."""
    if isinstance(error, LightningError):
        return AppLoadError(f"{error}{_place(error.__traceback__)}")
    return AppLoadError(
        f"Found an exception when loading your application from {path}. "
        f"Please, resolve it to run your app.\n\n{user_traceback(error).rstrip()}{_hint(error, path)}"
    )


def _hint(error: BaseException, path: str) -> str:
    """Two mistakes that the exception itself does not give away."""
    if isinstance(error, ModuleNotFoundError) and commands_of(path):
        return f"\n\nThe first lines of {path} set up what it needs: run it once with --setup."
    for name in NAMES_OF_OURS:
        beside = os.path.join(os.path.dirname(path), name)
        if isinstance(error, (ImportError, AttributeError)) and os.path.isfile(beside):
            return f"\n\n{beside} is imported in place of the installed `{name[:-3]}`: give that file another name."
    return ""


def _place(trace: TracebackType | None) -> str:
    """The innermost line of the user's own, as `file:line: source`."""
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(trace)]
    for filename, line in reversed(frames):
        if not ours(filename):
            return f"\n  {_near(filename)}:{line}: {linecache.getline(filename, line).strip()}"
    return ""


def _near(filename: str) -> str:
    """The path as a person in the current folder would write it."""
    here = os.getcwd() + os.sep
    return filename[len(here) :] if filename.startswith(here) else filename


def _said(error: Exception) -> str:
    return (error.msg if isinstance(error, SyntaxError) else str(error)).rstrip(".")


def _listed(names: Iterable[str], word: str = "and") -> str:
    quoted = [f"`{name}`" for name in names]
    return f" {word} ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
