"""Where a server finds its keys, and the file that it makes if there are none."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from mastra_convex.errors import FileUnavailableError, InvalidArgumentError
from mastra_convex.server.keys import key_file, open_keyring
from mastra_convex.tokens import KEY_VARIABLE, Key

FIRST, SECOND = Key.generate(), Key.generate()


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)


def kids(folder: Path) -> tuple[list[str], str]:
    keyring, source = open_keyring(folder / "a.db", folder / ".env.local")
    return [key.kid for key in keyring.accepted()], source


def test_a_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    made, source = kids(tmp_path)
    file = tmp_path / "a.db.keys"
    assert source == str(file) == str(key_file(tmp_path / "a.db"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert kids(tmp_path) == (made, source)
    assert list(tmp_path.iterdir()) == [file]


def test_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, FIRST.to_text())
    (tmp_path / ".env.local").write_text(f"{KEY_VARIABLE}={SECOND.to_text()}\n")
    assert kids(tmp_path) == ([FIRST.kid], "the environment")
    assert not key_file(tmp_path / "a.db").exists()


def test_then_the_env_file(tmp_path: Path) -> None:
    env = tmp_path / ".env.local"
    env.write_text(f"OTHER=1\n{KEY_VARIABLE}={SECOND.to_text()}\n")
    assert kids(tmp_path) == ([SECOND.kid], str(env))
    env.write_text("OTHER=1\n")
    assert kids(tmp_path)[1] == str(key_file(tmp_path / "a.db"))


def test_a_key_file_may_hold_several(tmp_path: Path) -> None:
    key_file(tmp_path / "a.db").write_text(f"{SECOND.to_text()}\n\n{FIRST.to_text()}\n")
    assert kids(tmp_path)[0] == [SECOND.kid, FIRST.kid]


def test_a_new_key_comes_on_top(tmp_path: Path) -> None:
    old, _ = kids(tmp_path)
    keyring, _ = open_keyring(tmp_path / "a.db", tmp_path / ".env.local", new_key=True)
    first, *others = [key.kid for key in keyring.accepted()]
    assert others == old != [first]
    file = key_file(tmp_path / "a.db")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert kids(tmp_path)[0] == [first, *old]
    assert list(tmp_path.iterdir()) == [file]


def test_a_new_key_where_there_was_none(tmp_path: Path) -> None:
    keyring, _ = open_keyring(tmp_path / "a.db", tmp_path / ".env.local", new_key=True)
    assert len(keyring.accepted()) == 1


def test_a_new_key_is_for_the_key_file(tmp_path: Path) -> None:
    env = tmp_path / ".env.local"
    env.write_text(f"{KEY_VARIABLE}={SECOND.to_text()}\n")
    with pytest.raises(InvalidArgumentError, match="change it there") as refused:
        open_keyring(tmp_path / "a.db", env, new_key=True)
    assert SECOND.to_text() not in str(refused.value)


@pytest.mark.parametrize(
    "content", ["", "\n", "secret", "mastra-convex-key-1.secret", "\xffsecret"]
)
def test_what_is_no_key_is_refused_and_not_quoted(tmp_path: Path, content: str) -> None:
    key_file(tmp_path / "a.db").write_bytes(content.encode("latin-1"))
    with pytest.raises(InvalidArgumentError) as refused:
        kids(tmp_path)
    assert "secret" not in str(refused.value)


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileUnavailableError, match="cannot be made"):
        kids(tmp_path / "missing")


def test_servers_that_start_together_have_one_key(tmp_path: Path) -> None:
    found: list[list[str]] = []
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        found.append(kids(tmp_path)[0])

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(each == found[0] for each in found)
