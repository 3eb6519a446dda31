"""Files of a project: what changes with them, and writing them whole or not at all."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from mastra_convex.errors import ProjectError

# What happens to a file. "kept": changed by its owner, and with nothing new from us. "in the way":
# not as we left it, if we did, while we have something else for it.
Fate = Literal["new", "updated", "unchanged", "kept", "removed", "in the way", "overwritten"]


@dataclass(frozen=True)
class Change:
    """What happens to one file; `before` and `after` are its contents, None where there is none."""

    path: str
    fate: Fate
    before: bytes | None
    after: bytes | None

    @property
    def writes(self) -> bool:
        """Whether the file is touched."""
        return self.fate in {"new", "updated", "removed", "overwritten"}

    def diff(self) -> Iterator[str]:
        """The lines of a unified diff, from what is there to what we have for it."""
        before, after = (
            (text or b"").decode("utf-8", "replace") for text in (self.before, self.after)
        )
        yield from difflib.unified_diff(
            before.splitlines(),
            after.splitlines(),
            self.path if self.before is not None else os.devnull,
            f"{self.path} (mastra-convex)" if self.after is not None else os.devnull,
            lineterm="",
        )


def digest(content: bytes) -> str:
    """What tells one content from another; not its line ends, which git may change."""
    return sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def plan_changes(
    root: Path, wanted: Mapping[str, bytes], recorded: Mapping[str, str], *, force: bool
) -> list[Change]:
    """What would happen to each file below `root`; `recorded` has the digests of what we wrote."""
    changes = []
    for path, after in sorted(wanted.items()):
        before = read_file(root / path, root)
        known = recorded.get(path)
        fate: Fate
        if before is None:
            fate = "new"
        elif digest(before) == digest(after):
            fate = "unchanged"
        elif digest(before) == known:
            fate = "updated"
        elif force:
            fate = "overwritten"
        elif digest(after) == known:
            fate = "kept"
        else:
            fate = "in the way"
        changes.append(Change(path, fate, before, after))
    for path, known in sorted(recorded.items()):
        if path in wanted:
            continue
        before = read_file(root / path, root)
        if before is not None:
            fate = "removed" if digest(before) == known else "kept"
            changes.append(Change(path, fate, before, None))
    return changes


def apply_changes(root: Path, changes: list[Change]) -> None:
    """Write and remove what the changes say."""
    for change in changes:
        if change.writes and change.after is not None:
            write_file(root / change.path, change.after)
        elif change.writes:
            with _told(root / change.path, "remove"):
                (root / change.path).unlink()


def read_file(path: Path, root: Path) -> bytes | None:
    """What a file of ours to be has now, or None. Refuses what is not a plain file below `root`."""
    with _told(path, "read"):
        if path.is_symlink():
            raise ProjectError(
                f"{path} is a symbolic link, which would be replaced; put the file itself there, "
                "or remove the link",
                path=str(path),
            )
        if not path.parent.resolve().is_relative_to(root.resolve()):
            raise ProjectError(
                f"{path.parent} leads out of {root} by a symbolic link; remove the link",
                path=str(path.parent),
            )
        if path.is_dir():
            raise ProjectError(
                f"{path} is a folder where a file must go; move it away", path=str(path)
            )
        return path.read_bytes() if path.exists() else None


def write_file(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file so that it is there as it was or as it will be, whatever happens meanwhile."""
    # One name, so that what a killed run leaves behind is gone with the next.
    temporary = path.with_name(f".{path.name}.mastra-convex")
    with _told(path, "write"):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with open(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def make_private(path: Path) -> None:
    """Let nobody but the owner read a file."""
    with _told(path, "change the mode of"):
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)


class _told:
    """Turns what the system refuses into an error that names the file and what to do."""

    def __init__(self, path: Path, doing: str) -> None:
        self._path, self._doing = path, doing

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            raise ProjectError(
                f"cannot {self._doing} {self._path}: {error.strerror or error}; "
                "mend that and run init again, which goes on where it stopped",
                path=str(self._path),
            ) from error
