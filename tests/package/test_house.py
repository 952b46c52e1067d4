"""The house keeps its rules: levels, no cycles, one reader of the environment, and exports that exist."""

from __future__ import annotations

import ast
import importlib
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "lightning_apps"
STOREYS = ["finder base", "model", "core ports", "wire storage engines web frontends client", "host worker"]
STOREYS += ["components testing cli", "faces __main__"]
LEVELS = {name: level for level, names in enumerate(STOREYS) for name in names.split()} | {"": 6}
THE_WORLD = """
    asyncio fcntl http multiprocessing os pathlib queue random secrets select selectors shutil socket sqlite3
    subprocess tempfile threading time urllib uuid
""".split()  # not sys and signal: frames and the names of signals are data
SLOW_TO_START = ("asyncio", "click", "dataclasses", "http", "inspect", "logging.config", "subprocess", "urllib")


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {name_of(path): path for path in sorted(SOURCE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in PATHS.items()}


def part(module: str) -> str:
    """The part of the house a module belongs to."""
    return module.split(".")[1] if "." in module else ""


def imports(module: str, tree: ast.AST) -> Iterator[str]:
    """Every module that the import statements below `tree` name, ours by their longest existing name."""
    package = module.split(".") if PATHS[module].name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield longest_known(name)


def longest_known(name: str) -> str:
    if not name.startswith("lightning_apps"):
        return name
    while name not in PATHS:
        name = name.rpartition(".")[0]
    return name


def ours(module: str) -> set[str]:
    return {name for name in imports(module, TREES[module]) if name.startswith("lightning_apps") and name != module}


def loaded_at_once(tree: ast.Module) -> ast.Module:
    """`tree` without functions and without what only type checkers read."""
    later = (ast.FunctionDef, ast.AsyncFunctionDef)
    body = [node for node in tree.body if not isinstance(node, later) and not _for_type_checkers(node)]
    body = [node for node in body if not isinstance(node, ast.ClassDef)]
    return ast.Module(body=body, type_ignores=[])


def _for_type_checkers(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def without_ends(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """`edges` without the modules that import none of the others, again and again."""
    while ends := [module for module, targets in edges.items() if not targets & set(edges)]:
        edges = {module: targets for module, targets in edges.items() if module not in ends}
    return {module: targets & set(edges) for module, targets in edges.items()}


@pytest.mark.parametrize("module", PATHS)
def test_imports_go_to_lower_levels_and_never_sideways_among_outside_things(module: str) -> None:
    here = part(module)

    for target in ours(module):
        there = part(target)
        if there in ("", here):
            continue  # the package itself holds a version and nothing else
        assert LEVELS[there] <= LEVELS[here], f"{module} imports {target}, which is above it"
        if LEVELS[here] == 3:
            assert LEVELS[there] < 3, f"{module} imports {target}, which stands beside it"


def test_no_modules_import_each_other_in_a_circle() -> None:
    below = without_ends({module: ours(module) - {"lightning_apps"} for module in PATHS})

    circle = without_ends({module: {user for user in below if module in below[user]} for module in below})

    assert not circle, f"these import each other: {sorted(circle)}"


def test_only_settings_reads_the_environment() -> None:
    readers = {
        module
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if (
            isinstance(node, ast.Attribute)
            and node.attr in ("environ", "getenv", "putenv")
            and ast.unparse(node.value) == "os"
        )
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and {a.name for a in node.names} & {"environ", "getenv"}
        )
    }

    assert readers <= {"lightning_apps.base.settings"}


def test_the_core_touches_nothing_of_the_world() -> None:
    touched = {
        (module, name)
        for module in PATHS
        if part(module) == "core"
        for name in imports(module, TREES[module])
        if name.split(".")[0] in THE_WORLD
    }

    assert not touched


def test_the_ground_floors_import_nothing_that_starts_slowly() -> None:
    slow = {
        (module, name)
        for module in PATHS
        if part(module) in ("base", "model")
        for name in imports(module, loaded_at_once(TREES[module]))
        if any(name == banned or name.startswith(banned + ".") for banned in SLOW_TO_START)
    }

    assert not slow


def test_imports_of_ours_hide_in_functions_only_where_the_command_line_must_start_quickly() -> None:
    hidden = {
        (module, name)
        for module, tree in TREES.items()
        if part(module) not in ("cli", "__main__")
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for name in imports(module, function)
        if name.startswith("lightning_apps")
    }

    assert not hidden


def test_nothing_is_global_and_no_exception_is_bare() -> None:
    found = {
        (module, node.lineno)
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Global)
        or (
            isinstance(node, ast.Raise)
            and isinstance(node.exc, ast.Call)
            and ast.unparse(node.exc.func) in ("Exception", "BaseException")
        )
    }

    assert not found


def test_functions_are_short() -> None:
    sizes = sorted(
        node.end_lineno - node.lineno + 1 - len((ast.get_docstring(node) or "").splitlines())
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno
    )

    assert statistics.median(sizes) <= 10
    assert sizes[int(0.95 * len(sizes))] <= 30


@pytest.mark.parametrize("module", PATHS)
def test_every_file_says_first_what_it_is_for(module: str) -> None:
    assert ast.get_docstring(TREES[module])


@pytest.mark.parametrize(
    "module", [name for name in PATHS if part(name) not in ("__main__",) and ".faces.lightning" not in name]
)
def test_every_export_exists(module: str) -> None:
    loaded = importlib.import_module(module)

    missing = [name for name in getattr(loaded, "__all__", ()) if not hasattr(loaded, name)]

    assert not missing
