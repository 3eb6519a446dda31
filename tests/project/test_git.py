import subprocess
from pathlib import Path

import pytest

from mastra_convex.errors import ProjectError
from mastra_convex.project.git import ignoring

NAME = ".env.local"


def git(folder: Path, *arguments: str) -> int:
    done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, check=False)
    return done.returncode


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    assert git(tmp_path, "init", "--quiet") == 0
    return tmp_path


def test_outside_a_repository_nothing_is_to_be_done(tmp_path: Path) -> None:
    assert ignoring(tmp_path, NAME) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, b".env.local\n"),
        (b"node_modules", b"node_modules\n.env.local\n"),
        (b"node_modules\r\n", b"node_modules\r\n.env.local\r\n"),
        (b"*.local\n!.env.local\n", b"*.local\n!.env.local\n.env.local\n"),
    ],
)
def test_the_file_is_ignored_afterwards(
    repository: Path, before: bytes | None, after: bytes
) -> None:
    if before is not None:
        (repository / ".gitignore").write_bytes(before)
    assert ignoring(repository, NAME) == after
    (repository / ".gitignore").write_bytes(after)
    assert git(repository, "check-ignore", "--quiet", NAME) == 0
    assert ignoring(repository, NAME) is None


def test_any_pattern_that_git_knows_will_do(repository: Path) -> None:
    (repository / ".gitignore").write_text(".env*\n", encoding="utf-8")
    app = repository / "apps" / "web"
    app.mkdir(parents=True)
    assert ignoring(app, NAME) is None
    (repository / ".gitignore").unlink()
    assert ignoring(app, NAME) == b".env.local\n"


def test_a_file_that_git_has_is_refused(repository: Path) -> None:
    (repository / NAME).write_bytes(b"")
    assert git(repository, "add", NAME) == 0
    with pytest.raises(ProjectError, match=r"git rm --cached \.env\.local"):
        ignoring(repository, NAME)


def test_without_git_the_line_is_added(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert ignoring(repository, NAME) == b".env.local\n"
    (repository / ".gitignore").write_bytes(b".env.local\n")
    assert ignoring(repository, NAME) is None
