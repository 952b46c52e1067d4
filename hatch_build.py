"""What the wheel holds beside the package: the line that claims the name `lightning`, and the stubs of that name.

The stubs are the faces themselves under another extension, so that the two cannot differ.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FacesHook(BuildHookInterface[Any]):
    """Adds files to standard and editable wheels alike."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Tell the builder which files go where."""
        added = extra_files(Path(self.root))
        key = "force_include_editable" if version == "editable" else "force_include"
        build_data[key].update(added)


def extra_files(root: Path) -> dict[str, str]:
    """Files outside the package, from their place in the repository to their place in the wheel."""
    names, faces = root / "src" / "names", root / "src" / "lightning_apps" / "faces" / "lightning"
    added = {str(names / "lightning-apps.pth"): "lightning-apps.pth"}
    for stub in (names / "lightning-stubs").iterdir():
        added[str(stub)] = f"lightning-stubs/{stub.name}"
    for face in (faces / "app").rglob("*.py"):
        added[str(face)] = f"lightning-stubs/{face.relative_to(faces).with_suffix('.pyi').as_posix()}"
    return added
