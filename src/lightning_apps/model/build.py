"""What a work wants installed around it.  Describes only: on one machine nothing is installed for it."""

from __future__ import annotations

import os
import sys
from typing import Any

from .shape import DataclassShape

FIELDS = (("requirements", list), ("dockerfile", None), ("image", None))


class BuildConfig:
    """The surroundings of a work, for engines that build images; without effect on one machine.

    Args:
        requirements: pip lines, or the path of a requirements file (beside the work's own file, or absolute).
        dockerfile: path of a Dockerfile.
        image: name of the image to begin with.

    Subclass it to add commands, with or without `@dataclass`:
        >>> class WithGit(BuildConfig):
        ...     def build_commands(self):
        ...         return ["apt-get install -y git"]
    """

    __dataclass_fields__ = DataclassShape("__dataclass_fields__", FIELDS)
    __dataclass_params__ = DataclassShape("__dataclass_params__", FIELDS)

    def __init__(
        self, requirements: list[str] | str | None = None, dockerfile: Any = None, image: str | None = None
    ) -> None:
        self.requirements: list[str] = requirements  # type: ignore[assignment]
        self.dockerfile, self.image = dockerfile, image
        self.__post_init__()

    def __post_init__(self) -> None:
        """Bring the values into shape; a dataclass made from this class calls it as well."""
        given: Any = self.requirements
        self.requirements = [given] if isinstance(given, str) else [str(line) for line in given or []]

    def build_commands(self) -> list[str]:
        """Override: shell commands that run before the requirements are installed."""
        return []

    def on_work_init(self, work: Any, cloud_compute: Any = None) -> None:
        """May be overridden: takes `requirements.txt` and `Dockerfile` beside the work's file, if none were given."""
        folder = folder_of(work)
        if not folder:
            return
        found = os.path.join(folder, "requirements.txt")
        if self.requirements:
            self.requirements = _resolved(self.requirements, folder)
        elif os.path.isfile(found):
            self.requirements = read_requirements(found)
        beside = os.path.join(folder, "Dockerfile")
        if self.dockerfile is None and os.path.isfile(beside):
            self.dockerfile = beside

    def to_dict(self) -> dict[str, Any]:
        """This as JSON."""
        dockerfile = None if self.dockerfile is None else str(self.dockerfile)
        fields = {"requirements": list(self.requirements), "dockerfile": dockerfile, "image": self.image}
        return {"__build_config__": fields}

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> BuildConfig:
        """What `to_dict` was called on."""
        return cls(**d["__build_config__"])

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        said = [f"{name}={getattr(self, name)!r}" for name, _ in FIELDS]
        return f"{type(self).__name__}({', '.join(said)})"


def folder_of(work: Any) -> str:
    """The folder of the file that defines the work's class; "" where there is no file."""
    file = getattr(sys.modules.get(type(work).__module__), "__file__", None)
    return os.path.dirname(os.path.abspath(file)) if file else ""


def read_requirements(path: str) -> list[str]:
    """The pip lines of a requirements file, without comments and without the framework itself."""
    with open(path, encoding="utf-8") as file:
        lines = [line.split(" #")[0].strip() for line in file]
    return [line for line in lines if line and not line.startswith("#") and line != "lightning"]


def _resolved(requirements: list[str], folder: str) -> list[str]:
    """Lines of which one may be the path of a requirements file."""
    lines: list[str] = []
    for line in requirements:
        path = os.path.join(folder, line)
        lines += read_requirements(path) if os.path.isfile(path) else [line]
    return lines
