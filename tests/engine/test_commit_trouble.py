"""Commits on a full disk, under an odd clock, and beside other processes."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from mastra_convex.errors import (
    FileBusyError,
    FileUnavailableError,
)
from tests.engine.flaky import Connections, fail_once
from tests.engine.jobs import everything, inserting, job, timestamps, whole
from tests.engine.support import (
    PATIENCE,
    Processes,
    Settled,
    add,
    ask,
    book,
    do,
    finish,
    opened,
    titles,
    watch,
)


def test_a_full_disk_is_said_and_leaves_the_file_whole(
    connections: Connections, tmp_path: Path
) -> None:
    path = tmp_path / "a.db"
    settled = Settled()
    with opened(path) as engine:
        kept = add(engine, book("before"))
        pages = connections.all[0].execute("PRAGMA page_count").fetchone()[0]
        connections.all[0].execute(f"PRAGMA max_page_count = {pages + 10}")
        large = [book(f"{number}", note="x" * 20_000) for number in range(8)]
        engine.enqueue([job(engine, settled, ["insert", "books", one]) for one in large])
        settled.until(8)
        kept += [one.value[0] for one in settled.jobs if one.error is None]
        failed = [one.error for one in settled.jobs if one.error is not None]
        assert failed
        for error in failed:
            assert isinstance(error, FileUnavailableError)
            assert "full" in str(error)
        with suppress(FileUnavailableError):
            for _ in range(8):
                kept += add(engine, book("more", note="x" * 20_000))
            pytest.fail("there cannot have been room")
        assert [one["_id"] for one in everything(engine)] == kept
        connections.all[0].execute("PRAGMA max_page_count = 1000000")
        kept += add(engine, *large)
        assert [one["_id"] for one in everything(engine)] == kept
    whole(path)


def test_totals_survive_a_commit_that_failed_while_the_clock_stood_still(
    connections: Connections, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next commit of another engine then has the very timestamp of the failed one."""
    path = tmp_path / "a.db"
    with opened(path) as engine, opened(path) as other:
        add(engine, book("before"))
        monkeypatch.setattr(time, "time_ns", lambda: 5)
        connections.before = fail_once("COMMIT", sqlite3.OperationalError("disk I/O error"))
        with pytest.raises(FileUnavailableError):
            add(engine, *[book("lost")] * 5)
        add(other, book("other"))
        add(engine, book("after"))
        assert (
            titles(everything(engine)) == titles(everything(other)) == ["before", "other", "after"]
        )


def test_a_clock_that_steps_back_does_not_take_time_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    clock = [10**18]
    monkeypatch.setattr(time, "time_ns", lambda: clock[0])
    with opened(path) as engine, opened(path) as other:
        seen = [ask(engine, index="by_year")]
        inbox, _ = watch(engine, {"index": "by_year"})
        moments = []
        for number, step in enumerate([0, -(10**12), 0, 0, -5, 10**9, -1]):
            clock[0] += step
            first, second = do((engine, other)[number % 2], ["now"], ["now"], inserting("a"))[:2]
            assert first == second
            moments.append(first)
            seen.append(everything(engine))
        inbox.until_value(seen[-1])
    assert moments == sorted(moments)
    assert moments[0] == 10**12
    written = timestamps(path)
    assert written == sorted(set(written))
    assert len(written) >= 7


def test_a_clock_that_was_far_ahead_once_does_not_date_what_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    clock = [2 * 10**18]
    monkeypatch.setattr(time, "time_ns", lambda: clock[0])
    with opened(path) as engine:
        do(engine, inserting("a"))
        clock[0] = 10**18
        assert do(engine, ["now"], inserting("b"))[0] == 10**12
        assert do(engine, ["now"], inserting("c"))[0] == 10**12
    written = timestamps(path)
    assert written == sorted(set(written))


def test_now_is_the_time_in_milliseconds() -> None:
    with opened() as engine:
        before = time.time_ns() // 10**6
        now = do(engine, ["now"])[0]
        assert type(now) is int
        assert before <= now <= time.time_ns() // 10**6


def test_a_lock_held_by_another_process_is_waited_for(tmp_path: Path, processes: Processes) -> None:
    path = tmp_path / "a.db"
    with opened(path) as engine:
        add(engine, book("before"))
        holder = processes.work("hold", path, 0.3)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert titles(everything(engine)) == ["before"]  # readers do not wait
        add(engine, book("after"))
        finish(holder)
        assert titles(everything(engine)) == ["before", "after"]


def test_a_lock_held_for_too_long_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mastra_convex.engine.store.BUSY_SECONDS", 0.2)
    path = tmp_path / "a.db"
    settled = Settled()
    with opened(path) as engine:
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            with pytest.raises(FileBusyError, match="another process") as caught:
                add(engine, book("a"))
            assert caught.value.code == "FILE_BUSY"
            assert caught.value.data == {"path": str(path)}
            engine.enqueue([job(engine, settled, inserting("b"))])
            assert isinstance(settled.until(1)[0].error, FileBusyError)
        add(engine, book("c"))
        assert titles(everything(engine)) == ["c"]


def test_processes_that_write_to_one_file_lose_nothing(
    tmp_path: Path, processes: Processes
) -> None:
    path = tmp_path / "a.db"
    names = [f"p{number}" for number in range(4)]
    with opened(path) as engine:
        inbox, _ = watch(engine, {"how": "totals"})
        writers = [processes.work("write", path, name, 100) for name in names]
        for number in range(100):
            add(engine, book(f"here-{number}"))
        for writer in writers:
            finish(writer)
        found = titles(everything(engine))
        assert sorted(found) == sorted(f"{n}-{i}" for n in (*names, "here") for i in range(100))
        for name in names:
            mine = [title for title in found if title.startswith(f"{name}-")]
            assert mine == [f"{name}-{number}" for number in range(100)]
        inbox.until_value(ask(engine, how="totals"))
    whole(path)


def test_processes_that_open_a_new_file_together_all_can(
    tmp_path: Path, processes: Processes
) -> None:
    names, rounds = [f"p{number}" for number in range(5)], 10
    start = f"{time.time() + 1.2}"
    running = [processes.work("open_together", tmp_path, name, start, rounds) for name in names]
    for process in running:
        finish(process)
    for number in range(rounds):
        with opened(tmp_path / f"{number}.db") as engine:
            assert sorted(titles(everything(engine))) == names
        whole(tmp_path / f"{number}.db")


def test_what_a_killed_process_had_acknowledged_is_there(
    tmp_path: Path, processes: Processes
) -> None:
    """Two writers at a time, killed at random moments, 50 times in all."""
    path = tmp_path / "a.db"
    moments = random.Random(4)
    acknowledged: set[str] = set()

    def reap(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        lines = process.stdout.read().split("\n")
        acknowledged.update(lines[:-1])  # the last may have been cut short
        assert process.wait(PATIENCE) == -signal.SIGKILL

    def start(number: int) -> subprocess.Popen[str]:
        return processes.work("write_until_killed", path, number)

    running = [start(0), start(1)]
    for number in range(2, 52):
        victim = running.pop(0)
        if number < 50:
            running.append(start(number))
        assert victim.stdout is not None
        acknowledged.add(victim.stdout.readline().strip())
        time.sleep(moments.random() * 0.06)
        reap(victim)
        if number % 10 == 0:
            whole(path)
    whole(path)
    with opened(path) as engine:
        found = titles(everything(engine))
    assert len(found) == len(set(found))
    assert acknowledged <= set(found)
    assert len(acknowledged) > 200
