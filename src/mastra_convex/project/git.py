"""Keeping a secret out of a git repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from mastra_convex.errors import ProjectError
from mastra_convex.project.files import read_file


def ignoring(folder: Path, name: str) -> bytes | None:
    """What .gitignore in `folder` must become so that git ignores `name`; None: nothing to do.

    Raises `ProjectError` when git has the file already.
    """
    place = folder.resolve()
    if not any((parent / ".git").exists() for parent in (place, *place.parents)):
        return None
    if _git(place, "ls-files", "--error-unmatch", "--", name) == 0:
        raise ProjectError(
            f"git keeps {folder / name}, so the key would be in the next commit; take it out of "
            f"the index first: git rm --cached {name}",
            path=str(folder / name),
        )
    if _git(place, "check-ignore", "--quiet", "--", name) == 0:
        return None
    content = read_file(folder / ".gitignore", folder) or b""
    # The last pattern counts; without git to ask, this one will do wherever it stands.
    if name.encode() in content.splitlines() and shutil.which("git") is None:
        return None
    newline = b"\r\n" if b"\r\n" in content else b"\n"
    open_line = newline if content and not content.endswith(b"\n") else b""
    return content + open_line + name.encode() + newline


def _git(folder: Path, *arguments: str) -> int | None:
    """The exit code of a git command, or None where there is no git to ask."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.returncode
