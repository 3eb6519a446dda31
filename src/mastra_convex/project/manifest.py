"""What init has written into a project, so that a later run can tell it from what users wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mastra_convex.errors import ProjectError
from mastra_convex.project.files import read_file

# Convex skips files whose names begin with a dot.
NAME = ".mastra-convex.json"


@dataclass
class Manifest:
    """The sub-folder of convex/, the digest of each file, and the public keys that are accepted."""

    into: str = ""
    files: dict[str, str] = field(default_factory=dict)
    keys: list[dict[str, Any]] = field(default_factory=list)

    def to_bytes(self) -> bytes:
        """The manifest as a file."""
        content = {"into": self.into, "files": self.files, "keys": self.keys}
        return json.dumps(content, indent=2, sort_keys=True).encode() + b"\n"


def load(convex: Path) -> Manifest | None:
    """The manifest in a convex/ folder, or None. Raises `ProjectError` for one that is damaged."""
    path = convex / NAME
    content = read_file(path, convex)
    if content is None:
        return None
    try:
        told = json.loads(content)
        found = Manifest(str(told["into"]), dict(told["files"]), list(told["keys"]))
        if all(isinstance(key["kid"], str) for key in found.keys):
            return found
    except (ValueError, TypeError, KeyError):
        pass
    raise ProjectError(
        f"{path} is damaged; restore it from version control, or remove it: "
        "then every file there counts as yours",
        path=str(path),
    )
