"""What the wheel holds beside the package: the line that claims the name `lightning`, and the stubs of that name.

The stubs are the faces themselves under another extension, so that the two cannot differ.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FacesHook(BuildHookInterface[Any]):
    """Adds files to standard and editable wheels alike."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Tell the builder which files go to the top of the wheel."""
        self.stubs = tempfile.mkdtemp()
        self.copy_stubs(Path(self.root) / "src", Path(self.stubs))
        added = {str(Path(self.root, "src", "names", "lightning-apps.pth")): "lightning-apps.pth"}
        added[self.stubs] = "lightning-stubs"
        build_data["force_include_editable" if version == "editable" else "force_include"].update(added)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was only there for the build."""
        shutil.rmtree(self.stubs)

    def copy_stubs(self, source: Path, stubs: Path) -> None:
        """The top one is written by hand, the others are copies, since a file goes into a wheel only once."""
        shutil.copytree(source / "names" / "lightning-stubs", stubs, dirs_exist_ok=True)
        faces = source / "lightning_apps" / "faces" / "lightning"
        for face in (faces / "app").rglob("*.py"):
            stub = stubs / face.relative_to(faces).with_suffix(".pyi")
            stub.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(face, stub)
