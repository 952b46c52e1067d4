"""Decides what `import lightning` and `import lightning_app` find.  Knows where files are, nothing of what is in them.

The training library has a `lightning` of its own, and both must work in one environment, whichever came first:

    lightning            our face; the training library's folder follows ours on its `__path__`
    lightning.training_  the training library's own `lightning/__init__.py`, executed when one of its names is asked for
    lightning.pytorch    the training library's; where there is only `pytorch_lightning`, that very module
    lightning.fabric     likewise with `lightning_fabric`
    lightning_app[.x]    `lightning.app[.x]`, the same module objects
    lightning.storage …  `lightning.app.storage` …, spellings of early versions
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import InspectLoader
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

ALIASES = {
    "lightning_app": "lightning.app",
    "lightning.api": "lightning.app.api",
    "lightning.cli": "lightning.app.cli",
    "lightning.components": "lightning.app.components",
    "lightning.frontend": "lightning.app.frontend",
    "lightning.runners": "lightning.app.runners",
    "lightning.storage": "lightning.app.storage",
    "lightning.structures": "lightning.app.structures",
    "lightning.testing": "lightning.app.testing",
    "lightning.utilities": "lightning.app.utilities",
}
STANDALONE = {"lightning.pytorch": "pytorch_lightning", "lightning.fabric": "lightning_fabric"}
TRAINING = "lightning.training_"
TRAINING_NAMES = {
    "Callback": "pytorch_lightning",
    "Fabric": "lightning_fabric",
    "LightningDataModule": "pytorch_lightning",
    "LightningModule": "pytorch_lightning",
    "Trainer": "pytorch_lightning",
    "seed_everything": "lightning_fabric",
}
HOW_TO_GET = (
    "belongs to the training library, which is not installed here: `pip install lightning` adds it beside this one"
)


class NameFinder:
    """A meta path finder for the two names, asked before all others and silent about anything else."""

    def find_spec(
        self, fullname: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """Where `fullname` is, or None where the usual finders shall look.

        Raises:
            ImportError: the name is the training library's, and that is not installed.
        """
        if not fullname.startswith("lightning"):
            return None
        if fullname == "lightning":
            return _face()
        if fullname == TRAINING:
            return _training()
        for prefix, real in ALIASES.items():
            if fullname == prefix or fullname.startswith(prefix + "."):
                return _alias(fullname, real + fullname[len(prefix) :])
        if fullname.startswith("lightning."):
            return _standalone(fullname, path)
        return None


class Alias:
    """Loads a module by being another one."""

    def __init__(self, real: str) -> None:
        self.real = real

    def create_module(self, spec: "ModuleSpec") -> None:
        """The usual empty module; it is replaced at once."""

    def exec_module(self, module: "ModuleType") -> None:
        """Put the real module in the place of this one."""
        from importlib import import_module

        sys.modules[module.__name__] = import_module(self.real)

    def get_code(self, fullname: str) -> "CodeType | None":
        """The real module's code, for `python -m`."""
        from importlib.util import find_spec

        spec = find_spec(self.real)
        get_code = getattr(spec and spec.loader, "get_code", None)
        return get_code(self.real) if get_code else None


class Training:
    """Executes the training library's `lightning/__init__.py` beside our face, under its own name."""

    def __init__(self, spec: "ModuleSpec") -> None:
        self.spec = spec

    def create_module(self, spec: "ModuleSpec") -> None:
        """The usual empty module."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run it as it would run at home: its name, file, path and loggers are those of `lightning`."""
        module.__name__ = module.__package__ = "lightning"
        module.__file__ = self.spec.origin
        module.__path__ = list(self.spec.submodule_search_locations or ())
        loader: InspectLoader = self.spec.loader  # type: ignore[assignment]
        exec(loader.get_code("lightning"), module.__dict__)  # type: ignore[arg-type]


def install() -> None:
    """Ask our finder first, from now on; once is enough."""
    if not any(type(finder).__name__ == NameFinder.__name__ for finder in sys.meta_path):
        sys.meta_path.insert(0, NameFinder())


def beneath(fullname: str, path: "Sequence[str] | None" = None) -> "ModuleSpec | None":
    """What `fullname` would be without us."""
    for finder in sys.meta_path:
        if not isinstance(finder, NameFinder) and hasattr(finder, "find_spec"):
            spec = finder.find_spec(fullname, path, None)
            if spec is not None:
                return spec
    return None


def _face() -> "ModuleSpec | None":
    from importlib.util import spec_from_file_location

    other = beneath("lightning")
    if other is not None and other.submodule_search_locations is None:
        return None  # a file lightning.py of the user's own: nothing of ours
    folder = os.path.join(os.path.dirname(__file__), "faces", "lightning")
    locations = [folder, *(other.submodule_search_locations or () if other else ())]
    return spec_from_file_location(
        "lightning", os.path.join(folder, "__init__.py"), submodule_search_locations=locations
    )


def _training() -> "ModuleSpec | None":
    from importlib.machinery import ModuleSpec

    other = beneath("lightning")
    if other is None or other.loader is None or not other.has_location:
        return None
    return ModuleSpec(TRAINING, Training(other), origin=other.origin)  # type: ignore[arg-type]


def _alias(fullname: str, real: str) -> "ModuleSpec | None":
    from importlib.machinery import ModuleSpec
    from importlib.util import find_spec

    try:
        spec = find_spec(real)
    except ModuleNotFoundError:
        return None
    if spec is None:
        return None
    return ModuleSpec(fullname, Alias(real), origin=spec.origin, is_package=spec.submodule_search_locations is not None)  # type: ignore[arg-type]


def _standalone(fullname: str, path: "Sequence[str] | None") -> "ModuleSpec | None":
    top = ".".join(fullname.split(".")[:2])
    if fullname != top:
        real: str = getattr(sys.modules.get(top), "__name__", top)  # the folder's own, or another package's?
        return None if real == top else _alias(fullname, real + fullname[len(top) :])
    if top not in STANDALONE and top.removeprefix("lightning.") not in TRAINING_NAMES:
        return None
    found = beneath(fullname, path) or (_alias(fullname, STANDALONE[top]) if top in STANDALONE else None)
    if found is None:
        raise ModuleNotFoundError(f"`{top}` {HOW_TO_GET}.")
    return found
