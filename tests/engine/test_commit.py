"""Group commit: what is acknowledged is there, once, whoever else fails, whatever else happens."""

from __future__ import annotations

import itertools
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.engine.commit import Job
from mastra_convex.engine.context import SERVICE, MutationCtx
from mastra_convex.engine.engine import Engine
from mastra_convex.engine.registry import Function, mutation
from mastra_convex.errors import (
    FileBusyError,
    FileUnavailableError,
    InvalidArgumentError,
    StorageClosedError,
)
from mastra_convex.values.validators import v
from tests.engine.flaky import Connections, fail_once
from tests.engine.support import (
    MEMORY,
    PATIENCE,
    Doc,
    Processes,
    Settled,
    add,
    ask,
    book,
    do,
    finish,
    open_engine,
    opened,
    titles,
    watch,
)


def job(engine: Engine, settled: Settled, *steps: list[Any], waiter: Any = None) -> Job:
    """A job for `test:write`."""
    return engine.prepare("test:write", {"steps": list(steps)}, SERVICE, settled, waiter)


def inserting(title: str) -> list[Any]:
    return ["insert", "books", book(title)]


def whole(path: Path) -> None:
    """Fail unless SQLite finds the file sound."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def timestamps(path: Path) -> list[int]:
    """The timestamps in the commit log."""
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT ts FROM _commits ORDER BY rowid")]


def everything(engine: Engine) -> list[Doc]:
    """All books in the order of insertion; and the totals must know how many."""
    books: list[Doc] = ask(engine, index="by_year", count=100_000)
    assert ask(engine, how="totals")[0] == len(books)
    return sorted(books, key=lambda one: one["_id"])


@pytest.mark.parametrize("where", [MEMORY, "file"])
def test_many_threads_lose_nothing(where: str, tmp_path: Path) -> None:
    threads, each = 20, 25
    kept: list[tuple[int, str]] = []
    with opened(MEMORY if where == MEMORY else tmp_path / "a.db", durable=True) as engine:

        def work(thread: int) -> None:
            for number in range(each):
                title = f"{thread}-{number}"
                kept.extend((key, title) for key in add(engine, book(title)))
                with pytest.raises(ValueError, match=f"^{title} fails$"):
                    do(engine, inserting("not " + title), ["raise", f"{title} fails"])

        workers = [threading.Thread(target=work, args=(thread,)) for thread in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        found = [(one["_id"], one["title"]) for one in everything(engine)]
    assert sorted(found) == sorted(kept)
    assert len(found) == threads * each
    for thread in range(threads):
        mine = [title for _, title in found if title.startswith(f"{thread}-")]
        assert mine == [f"{thread}-{number}" for number in range(each)]


@pytest.mark.parametrize("where", [MEMORY, "file"])
def test_a_group_is_one_commit_and_a_failure_in_it_harms_no_other(
    where: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.db"
    settled = Settled()
    with opened(MEMORY if where == MEMORY else path) as engine:
        jobs = []
        for number in range(30):
            steps = [inserting(f"{number}")]
            if number % 3 == 1:
                steps.append(["raise", f"{number} fails"])
            elif number % 3 == 2:
                steps.append(["insert", "books", {"title": "without a year"}])
            jobs.append(job(engine, settled, *steps))
        engine.enqueue(jobs)
        settled.until(30)
        assert settled.groups == [jobs]
        for number, one in enumerate(jobs):
            assert one.done
            if number % 3 == 1:
                assert isinstance(one.error, ValueError)
                assert str(one.error) == f"{number} fails"
            elif number % 3 == 2:
                assert isinstance(one.error, InvalidArgumentError)
            else:
                assert one.error is None
        found = everything(engine)
        assert titles(found) == [f"{number}" for number in range(0, 30, 3)]
        assert [jobs[3 * place].value for place in range(10)] == [[one["_id"]] for one in found]
    if where != MEMORY:
        assert len(timestamps(path)) == 2  # the file's first, and the group's


def test_more_than_a_group_holds_is_settled_in_order() -> None:
    settled = Settled()
    with opened() as engine:
        jobs = [job(engine, settled, inserting(f"{number}")) for number in range(1500)]
        engine.enqueue(jobs)
        assert settled.until(1500) == jobs
        assert 1 < len(settled.groups) < 30
        assert titles(everything(engine)) == [f"{number}" for number in range(1500)]


def test_each_listener_is_told_once_a_group() -> None:
    one, other = Settled(), Settled()
    with opened() as engine:
        jobs = [job(engine, (one, other)[n % 2], inserting(f"{n}"), waiter=n) for n in range(10)]
        engine.enqueue(jobs)
        assert one.until(5) == jobs[0::2]
        assert other.until(5) == jobs[1::2]
        assert len(one.groups) == len(other.groups) == 1
        assert [each.waiter for each in jobs] == list(range(10))


def test_what_is_wrong_with_a_call_is_said_before_it_queues() -> None:
    with opened() as engine:
        with pytest.raises(InvalidArgumentError, match="steps"):
            engine.prepare("test:write", {}, SERVICE)
        with pytest.raises(InvalidArgumentError, match="steps"):
            engine.mutation("test:write", {"steps": 1}, SERVICE)


def test_a_function_that_returns_what_it_may_not_has_done_nothing() -> None:
    @mutation(args={}, returns=v.string())
    def wrong(ctx: MutationCtx, args: Doc) -> Any:
        return ctx.db.insert("books", book("a"))

    with opened(wrong=wrong) as engine:
        with pytest.raises(InvalidArgumentError, match="the result of test:wrong must be text"):
            engine.mutation("test:wrong", {}, SERVICE)
        assert everything(engine) == []


def test_closing_commits_what_is_queued(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    settled = Settled()
    with opened(path) as engine:
        engine.enqueue([job(engine, settled, inserting(f"{number}")) for number in range(600)])
        engine.close()
        assert len(settled.jobs) == 600
        assert all(one.error is None for one in settled.jobs)
    with opened(path) as engine:
        assert len(everything(engine)) == 600


@pytest.mark.parametrize("used", [False, True])
def test_what_is_queued_after_closing_is_told_so(used: bool) -> None:
    settled = Settled()
    with opened() as engine:
        late = [job(engine, settled, inserting("late")) for _ in range(2)]
        if used:
            engine.enqueue([job(engine, settled, inserting("in time"))])
            settled.until(1)
        engine.close()
        engine.enqueue(late)
        settled.until(2 + used)
        assert all(isinstance(one.error, StorageClosedError) for one in late)
        with pytest.raises(StorageClosedError):
            job(engine, settled, inserting("later"))


def test_closing_while_others_write_leaves_nobody_waiting(tmp_path: Path) -> None:
    def close_in_the_middle(path: Path) -> None:
        settled = Settled()
        acknowledged: list[str] = []
        begun = threading.Barrier(4)

        def blocking(name: str) -> None:
            begun.wait()
            with suppress(StorageClosedError):
                for number in itertools.count():
                    add(engine, book(f"{name}-{number}"))
                    acknowledged.append(f"{name}-{number}")

        def queueing() -> None:
            begun.wait()
            for number in itertools.count():
                try:
                    one = job(engine, settled, inserting(f"q-{number}"), waiter=number)
                except StorageClosedError:
                    settled.until(number)
                    return
                engine.enqueue([one])

        workers = [threading.Thread(target=blocking, args=(name,)) for name in "ab"]
        workers.append(threading.Thread(target=queueing))
        with opened(path) as engine:
            for worker in workers:
                worker.start()
            begun.wait()
            time.sleep(0.005)
            engine.close()
            for worker in workers:
                worker.join(PATIENCE)
                assert not worker.is_alive()
        acknowledged += [f"q-{one.waiter}" for one in settled.jobs if one.error is None]
        with opened(path) as engine:
            assert sorted(titles(everything(engine))) == sorted(acknowledged)

    for number in range(10):
        close_in_the_middle(tmp_path / f"{number}.db")


class Crowd:
    """Jobs and threads that queue up while the test's thread has the write lock."""

    def __init__(self, path: str | Path, **functions: Any) -> None:
        self.settled = Settled()
        self.engine = open_engine(path, wait=self._function(), **functions)
        self.ahead = [job(self.engine, self.settled, inserting(f"job {n}")) for n in range(3)]
        self.writers = [
            threading.Thread(target=add, args=(self.engine, book(f"writer {number}")))
            for number in range(4)
        ]

    def _function(self) -> Function:
        @mutation(args={}, returns=v.null())
        def wait(ctx: MutationCtx, args: Doc) -> None:
            self.engine.enqueue(self.ahead)
            for writer in self.writers:
                writer.start()
            time.sleep(0.02)

        return wait

    def gather(self) -> None:
        """Let them queue, and return: whoever is quick enough now commits for all of them."""
        self.engine.mutation("test:wait", {}, SERVICE)

    def titles(self, jobs: int = 3) -> list[str]:
        """Wait for all of them; the titles of what there is but "mine"."""
        for writer in self.writers:
            writer.join(PATIENCE)
            assert not writer.is_alive()
        assert all(one.error is None for one in self.settled.until(jobs))
        return [title for title in titles(everything(self.engine)) if title != "mine"]


EVERYBODY = [*(f"job {n}" for n in range(3)), *(f"writer {n}" for n in range(4))]


@pytest.mark.parametrize("where", [MEMORY, "file"])
def test_an_interrupt_takes_only_the_job_of_its_thread(where: str, tmp_path: Path) -> None:
    def interrupted_in_company(number: int) -> bool:
        in_company: list[bool] = []

        @mutation(args={}, returns=v.null())
        def interrupted(ctx: MutationCtx, args: Doc) -> None:
            ctx.db.insert("books", book("mine"))
            if threading.current_thread() is threading.main_thread():
                in_company.append(not crowd.ahead[0].done)
                crowd.engine.enqueue(behind)  # behind the others, and there it must stay
                raise KeyboardInterrupt

        path = MEMORY if where == MEMORY else tmp_path / f"{number}.db"
        crowd = Crowd(path, interrupted=interrupted)
        behind = [job(crowd.engine, crowd.settled, inserting("job 3"))]
        crowd.gather()
        with suppress(KeyboardInterrupt):
            while not in_company:
                crowd.engine.mutation("test:interrupted", {}, SERVICE)
            pytest.fail("the interrupt was swallowed")
        found = crowd.titles(jobs=4)
        assert sorted(found) == sorted([*EVERYBODY, "job 3"])
        assert [title for title in found if title.startswith("job")] == [
            f"job {n}" for n in range(4)
        ]
        add(crowd.engine, book("after"))
        crowd.engine.close()
        return in_company[0]

    assert any(map(interrupted_in_company, range(100)))


@pytest.mark.parametrize("statement", ["COMMIT", "BEGIN IMMEDIATE", "INSERT INTO _commits"])
def test_a_commit_that_fails_fails_its_group_and_no_other(
    statement: str, connections: Connections, tmp_path: Path
) -> None:
    path = tmp_path / "a.db"
    settled = Settled()
    with opened(path) as engine:
        inbox, _ = watch(engine, {"index": "by_year"})
        add(engine, book("before"))
        connections.before = fail_once(statement, sqlite3.OperationalError("disk I/O error"))
        engine.enqueue([job(engine, settled, inserting(f"{number}")) for number in range(3)])
        for one in settled.until(3):
            assert isinstance(one.error, FileUnavailableError)
            assert one.error.code == "FILE_UNAVAILABLE"
            assert one.error.data == {"path": str(path)}
        assert titles(everything(engine)) == ["before"]
        connections.before = fail_once(statement, sqlite3.OperationalError("disk I/O error"))
        with pytest.raises(FileUnavailableError):
            add(engine, book("alone"))
        add(engine, book("after"))
        assert titles(everything(engine)) == ["before", "after"]
        inbox.until_value(ask(engine, index="by_year"))
    whole(path)


def test_an_interrupt_after_the_commit_does_nothing_twice(
    connections: Connections, tmp_path: Path
) -> None:
    """Ctrl-C is noticed when the disk has answered: most often, then, right after COMMIT."""

    def interrupted_in_company(number: int) -> bool:
        in_company: list[bool] = []

        def interrupt(sql: str) -> None:
            if sql == "COMMIT" and threading.current_thread() is threading.main_thread():
                connections.after = None
                in_company.append(not crowd.ahead[0].done)
                raise KeyboardInterrupt

        crowd = Crowd(tmp_path / f"{number}.db")
        inbox, _ = watch(crowd.engine, {"how": "totals"})
        crowd.gather()
        connections.after = interrupt
        with suppress(KeyboardInterrupt):
            while not in_company:
                add(crowd.engine, book("mine"))
            pytest.fail("the interrupt was swallowed")
        assert sorted(crowd.titles()) == EVERYBODY
        inbox.until_value(ask(crowd.engine, how="totals"))
        crowd.engine.close()
        return in_company[0]

    assert any(map(interrupted_in_company, range(100)))


def test_an_interrupt_before_the_commit_undoes_it(connections: Connections, tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as engine:
        connections.before = fail_once("COMMIT", KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            add(engine, book("interrupted"))
        assert everything(engine) == []
        add(engine, book("after"))
        assert titles(everything(engine)) == ["after"]


def test_what_an_interrupt_puts_back_is_taken_up_again() -> None:
    """Also when the commit thread has meanwhile found the queue empty and gone to sleep."""
    settled = Settled()

    @mutation(args={}, returns=v.null())
    def interrupted(ctx: MutationCtx, args: Doc) -> None:
        if threading.current_thread() is threading.main_thread():
            time.sleep(0.03)
            raise KeyboardInterrupt

    with opened(interrupted=interrupted) as engine:
        engine.enqueue([job(engine, settled, inserting("first"))])
        settled.until(1)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(5.0)  # so that this thread is the first to have the lock
        try:
            engine.enqueue([job(engine, settled, inserting("second"))])
            with pytest.raises(KeyboardInterrupt):
                engine.mutation("test:interrupted", {}, SERVICE)
        finally:
            sys.setswitchinterval(interval)
        settled.until(2)
        assert titles(everything(engine)) == ["first", "second"]


def test_many_who_queue_first_at_once_share_one_commit_thread(tmp_path: Path) -> None:
    settled = Settled()
    others = set(threading.enumerate())
    starting: list[threading.Thread] = []

    @mutation(args={}, returns=v.null())
    def wait(ctx: MutationCtx, args: Doc) -> None:
        for thread in starting:
            thread.start()
        time.sleep(0.02)

    with opened(tmp_path / "a.db", wait=wait) as engine:
        jobs = [job(engine, settled, inserting(f"{number}")) for number in range(4)]
        starting += [threading.Thread(target=engine.enqueue, args=([one],)) for one in jobs]
        engine.mutation("test:wait", {}, SERVICE)
        settled.until(4)
        names = [thread.name for thread in threading.enumerate() if thread not in others]
        assert names.count("mastra-convex-commit") == 1


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
