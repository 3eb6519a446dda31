"""Snapshots that are held: some calls read at one commit, for a while and within bounds."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mastra_convex.engine import snapshots
from mastra_convex.engine.context import SERVICE
from mastra_convex.engine.engine import Engine
from mastra_convex.engine.snapshots import SnapshotGoneError
from tests.engine.support import PATIENCE, add, book, opened, titles

ALL: dict[str, Any] = {"spec": {"table": "books", "index": "by_title"}}


def at(engine: Engine, ts: int) -> list[str]:
    return titles(engine.query_at(ts, "test:read", ALL, SERVICE))


def test_a_held_moment_stays(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as engine:
        add(engine, book("a"))
        first = engine.hold_snapshot()
        assert engine.hold_snapshot() == first
        add(engine, book("b"))
        second = engine.hold_snapshot()
        assert second > first
        add(engine, book("c"))
        assert [at(engine, first), at(engine, second)] == [["a"], ["a", "b"]]


def test_the_newest_commit_can_be_read_though_nobody_held_it() -> None:
    with opened() as engine:
        add(engine, book("a"))
        ts = engine.hold_snapshot()
        assert at(engine, ts) == ["a"]
        add(engine, book("b"))
        with pytest.raises(SnapshotGoneError):
            at(engine, ts)


def test_what_was_never_held_cannot_be_read(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as engine, pytest.raises(SnapshotGoneError):
        at(engine, 5)


def test_a_moment_is_held_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    clock = SimpleNamespace(monotonic=lambda: now)
    monkeypatch.setattr("mastra_convex.engine.snapshots.time", clock)
    with opened(tmp_path / "a.db") as engine:
        add(engine, book("a"))
        ts = engine.hold_snapshot()
        add(engine, book("b"))
        now += snapshots.HOLD_SECONDS
        assert at(engine, ts) == ["a"]
        now += 0.1
        with pytest.raises(SnapshotGoneError):
            at(engine, ts)


def test_a_moment_is_let_go_though_nobody_asks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "HOLD_SECONDS", 0.2)
    with opened(tmp_path / "a.db") as engine:
        for title in "ab":
            add(engine, book(title))
            engine.hold_snapshot()
            time.sleep(0.1)
        assert engine._held._held
        deadline = time.monotonic() + PATIENCE
        while engine._held._held:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        # With nobody in its way, the write-ahead log can be folded into the file.
        add(engine, book("c"))
        with engine._store.lock:
            busy, _, _ = engine._store.writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert busy == 0


def test_the_oldest_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "_AT_MOST", 2)
    with opened(tmp_path / "a.db") as engine:
        held = []
        for title in "abc":
            add(engine, book(title))
            held.append(engine.hold_snapshot())
        add(engine, book("d"))
        with pytest.raises(SnapshotGoneError):
            at(engine, held[0])
        assert [at(engine, ts) for ts in held[1:]] == [["a", "b"], ["a", "b", "c"]]


def test_many_read_one_moment_at_a_time(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as engine:
        add(engine, *(book(f"{number}") for number in range(50)))
        ts = engine.hold_snapshot()
        add(engine, book("later"))
        found: list[int] = []
        threads = [
            threading.Thread(target=lambda: found.append(len(at(engine, ts)))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [50] * 8


def test_a_moment_that_is_let_go_while_somebody_waits_for_it(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as engine:
        add(engine, book("a"))
        ts = engine.hold_snapshot()
        add(engine, book("b"))
        held = engine._held._held[ts]

        class TurnThatComesLate:
            """Somebody else had it, and has let the moment go."""

            def __enter__(self) -> None:
                del engine._held._held[ts]

            def __exit__(self, *_: object) -> None: ...

        held.turn = TurnThatComesLate()  # type: ignore[assignment]
        with pytest.raises(SnapshotGoneError):
            at(engine, ts)
        held.connection.close()
