"""Which mistakes can be made in the functions of a file, one at a time, by mutmut's operators; knows nothing of tests."""

from __future__ import annotations

import ast
import importlib
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from mutmut.mutation.file_mutation import MutatedFile, mutate_file_contents

PACKAGE = "lightning_apps.core"


@dataclass(frozen=True)
class Mistake:
    """One function as it would be with one thing wrong; `number` counts within the function."""

    module: str  # without the package, as in "crew"
    function: str  # as in "Crew.start" or "due"
    number: int
    text: str  # the whole function, with the mistake
    line: int  # in the file, from 1
    before: str  # the smallest piece of code that differs, and what is there instead
    after: str
    spoken: bool  # in a message for people: in a `raise`, or a string with a space in it
    hash: str  # of the function without the mistake: a verdict counts while this is the same

    @property
    def name(self) -> str:
        return f"{self.module}.{self.function}:{self.number}"

    def make(self) -> None:
        """Make the mistake in this process, wherever the function is already held."""
        module = importlib.import_module(f"{PACKAGE}.{self.module}")
        tree = ast.parse(Path(str(module.__file__)).read_text())
        wrong = ast.parse(self.text).body[0]
        assert isinstance(wrong, ast.FunctionDef)
        _put(wrong, tree, self.function)
        code = compile(tree, str(module.__file__), "exec", dont_inherit=True)
        for part in self.function.split("."):
            code = next(it for it in code.co_consts if isinstance(it, CodeType) and it.co_name == part)
        function = find(module, self.function)
        function.__code__ = code
        _put_defaults(function, wrong, vars(module))


def find(module: ModuleType, name: str) -> FunctionType:
    """The function itself, not what a class makes of it when it is asked for it."""
    held: Any = module
    for part in name.split("."):
        held = vars(held)[part]
    found = getattr(held, "__func__", held)
    assert isinstance(found, FunctionType), (module, name)
    return found


def all_mistakes(core: Path) -> Iterator[Mistake]:
    """Every mistake, in the order of the files."""
    for path in sorted(core.glob("*.py")):
        text = path.read_text()
        mutated = mutate_file_contents(str(path), text)
        functions = dict(_functions(ast.parse(text)))
        yield from _mistakes(path.stem, mutated, functions)


def _mistakes(module: str, mutated: MutatedFile, functions: dict[str, ast.FunctionDef]) -> Iterator[Mistake]:
    lines = mutated.code.splitlines(keepends=True)
    for name in mutated.mutant_names:
        mangled, _, number = name.rpartition("__mutmut_")
        function = mangled.removeprefix("xǁ").replace("ǁ", ".") if mangled.startswith("xǁ") else mangled[2:]
        span = mutated.line_span_by_function_name[name]
        wrong = ast.parse(textwrap.dedent("".join(lines[span.start - 1 : span.end]))).body[0]
        right = functions[function]
        assert isinstance(wrong, ast.FunctionDef)
        wrong.name = right.name
        if ast.get_docstring(right) is not None:
            wrong.body[0] = right.body[0]  # it is indented otherwise, which would be a difference
        before, after, spoken = _difference(right, wrong)
        yield Mistake(
            module=module,
            function=function,
            number=int(number),
            text=ast.unparse(wrong),
            line=getattr(before, "lineno", right.lineno),
            before=_shown(before),
            after=_shown(after),
            spoken=spoken,
            hash=mutated.hash_by_function_name[mangled],
        )


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{it.name}", it) for it in node.body if isinstance(it, ast.FunctionDef))


def _difference(right: ast.AST, wrong: ast.AST) -> tuple[ast.AST, ast.AST, bool]:
    """The smallest pair of expressions or statements that differs, and whether it is in a message."""
    shown, spoken = (right, wrong), isinstance(right, ast.Raise)
    while type(right) is type(wrong) and not isinstance(right, ast.Constant):
        mine, theirs = list(ast.iter_child_nodes(right)), list(ast.iter_child_nodes(wrong))
        apart = [pair for pair in zip(mine, theirs, strict=False) if ast.dump(pair[0]) != ast.dump(pair[1])]
        if len(mine) != len(theirs) or len(apart) != 1:
            break
        right, wrong = apart[0]
        spoken = spoken or isinstance(right, ast.Raise)
        if isinstance(right, (ast.expr, ast.stmt)) and isinstance(wrong, (ast.expr, ast.stmt)):
            shown = (right, wrong)
    return *shown, spoken or (isinstance(right, ast.Constant) and " " in str(right.value))


def _shown(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 150 else text[:147] + "…"


def _put(wrong: ast.stmt, tree: ast.Module, name: str) -> None:
    """Put a function at the place of the one called `name`, lines included."""
    *holders, last = name.split(".")
    body = tree.body
    for holder in holders:
        body = next(it.body for it in body if isinstance(it, ast.ClassDef) and it.name == holder)
    at = next(i for i, it in enumerate(body) if isinstance(it, ast.FunctionDef) and it.name == last)
    ast.increment_lineno(wrong, body[at].lineno - wrong.lineno)
    body[at] = wrong


def _put_defaults(function: FunctionType, mistaken: ast.FunctionDef, names: dict[str, Any]) -> None:
    def value(node: ast.expr) -> Any:
        return eval(compile(ast.Expression(node), "<default>", "eval"), names)

    arguments = mistaken.args
    function.__defaults__ = tuple(map(value, arguments.defaults)) or None
    named = {a.arg: value(d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None}
    function.__kwdefaults__ = named or None
