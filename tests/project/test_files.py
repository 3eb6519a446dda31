import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mastra_convex.errors import ProjectError
from mastra_convex.project.files import (
    Change,
    apply_changes,
    digest,
    make_private,
    plan_changes,
    read_file,
    write_file,
)
from tests.cli.processes import environment


def fates(
    root: Path, wanted: dict[str, bytes], recorded: dict[str, str], *, force: bool = False
) -> dict[str, str]:
    return {c.path: c.fate for c in plan_changes(root, wanted, recorded, force=force)}


OLD, NEW, OTHER = b"old\n", b"new\n", b"other\n"


@pytest.mark.parametrize(
    ("there", "recorded", "fate", "forced"),
    [
        (None, None, "new", "new"),
        (None, OLD, "new", "new"),
        (NEW, None, "unchanged", "unchanged"),
        (NEW, OLD, "unchanged", "unchanged"),
        (b"new\r\n", NEW, "unchanged", "unchanged"),
        (OLD, OLD, "updated", "updated"),
        (b"old\r\n", OLD, "updated", "updated"),
        (OTHER, NEW, "kept", "overwritten"),
        (OTHER, OLD, "in the way", "overwritten"),
        (OTHER, None, "in the way", "overwritten"),
    ],
)
def test_what_happens_to_a_file(
    tmp_path: Path, there: bytes | None, recorded: bytes | None, fate: str, forced: str
) -> None:
    if there is not None:
        (tmp_path / "a.ts").write_bytes(there)
    known = {} if recorded is None else {"a.ts": digest(recorded)}
    assert fates(tmp_path, {"a.ts": NEW}, known) == {"a.ts": fate}
    assert fates(tmp_path, {"a.ts": NEW}, known, force=True) == {"a.ts": forced}


def test_what_we_no_longer_have_goes_unless_it_was_changed(tmp_path: Path) -> None:
    (tmp_path / "ours.ts").write_bytes(OLD)
    (tmp_path / "theirs.ts").write_bytes(OTHER)
    (tmp_path / "foreign.ts").write_bytes(OTHER)
    known = dict.fromkeys(["ours.ts", "theirs.ts", "gone.ts"], digest(OLD))
    changes = plan_changes(tmp_path, {}, known, force=False)
    assert {c.path: c.fate for c in changes} == {"ours.ts": "removed", "theirs.ts": "kept"}
    apply_changes(tmp_path, changes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foreign.ts", "theirs.ts"]


def test_only_what_is_to_be_written_is_written(tmp_path: Path) -> None:
    (tmp_path / "kept.ts").write_bytes(OTHER)
    wanted = {"lib/new.ts": NEW, "kept.ts": NEW}
    changes = plan_changes(tmp_path, wanted, {"kept.ts": digest(NEW)}, force=False)
    apply_changes(tmp_path, changes)
    assert (tmp_path / "lib/new.ts").read_bytes() == NEW
    assert (tmp_path / "kept.ts").read_bytes() == OTHER


def test_a_difference_is_shown_as_diff_does() -> None:
    change = Change("a.ts", "updated", b"1\n2\n", b"1\n3\n")
    assert list(change.diff()) == [
        *("--- a.ts", "+++ a.ts (mastra-convex)", "@@ -1,2 +1,2 @@"),
        *(" 1", "-2", "+3"),
    ]
    assert next(Change("a.ts", "new", None, b"1\n").diff()) == "--- /dev/null"


# What cannot be written


def refused(path: Path, root: Path) -> str:
    with pytest.raises(ProjectError) as caught:
        read_file(path, root)
    assert "path" in caught.value.data
    return str(caught.value)


def test_links_and_folders_are_refused(tmp_path: Path) -> None:
    root, outside = tmp_path / "convex", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "a.ts").write_bytes(OTHER)
    (root / "link.ts").symlink_to(outside / "a.ts")
    (root / "dangling.ts").symlink_to(outside / "gone.ts")
    (root / "lib").symlink_to(outside)
    (root / "folder.ts").mkdir()
    assert "is a symbolic link" in refused(root / "link.ts", root)
    assert "is a symbolic link" in refused(root / "dangling.ts", root)
    assert "leads out of" in refused(root / "lib/a.ts", root)
    assert "is a folder where a file must go" in refused(root / "folder.ts", root)
    # The folder itself may be anywhere.
    (tmp_path / "linked").symlink_to(root)
    assert read_file(tmp_path / "linked/new.ts", tmp_path / "linked") is None


def test_a_file_where_a_folder_must_be(tmp_path: Path) -> None:
    (tmp_path / "lib").write_bytes(b"")
    with pytest.raises(ProjectError, match=r"cannot write .*: .*; mend that and run init again"):
        write_file(tmp_path / "lib/a.ts", NEW)


def test_a_secret_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    write_file(tmp_path / "a", NEW, 0o600)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    (tmp_path / "b").write_bytes(NEW)
    (tmp_path / "b").chmod(0o644)
    make_private(tmp_path / "b")
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_the_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    path.write_bytes(OLD)
    with pytest.raises(TypeError):
        write_file(path, "not bytes")  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == ["a.ts"]
    assert path.read_bytes() == OLD


def test_a_killed_write_leaves_a_whole_file(tmp_path: Path) -> None:
    """A writer is killed again and again while it changes a file between two contents."""
    path = tmp_path / "a.ts"
    contents = {letter * 300_000 for letter in (b"a", b"b")}
    code = (
        "import sys; from pathlib import Path; from mastra_convex.project.files import write_file\n"
        "print(flush=True)\n"
        "while True:\n"
        "    for letter in (b'a', b'b'): write_file(Path(sys.argv[1]), letter * 300_000)\n"
    )
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", code, path], env=environment(), stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            while not path.exists():
                pass
            writer.send_signal(signal.SIGKILL)
        assert path.read_bytes() in contents
    write_file(path, NEW)
    assert os.listdir(tmp_path) == ["a.ts"]
