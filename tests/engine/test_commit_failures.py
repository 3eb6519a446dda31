"""What fails or is interrupted in a group takes nobody else along."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from mastra_convex.engine import commit
from mastra_convex.engine.context import SERVICE, MutationCtx
from mastra_convex.engine.registry import Function, mutation
from mastra_convex.errors import (
    FileUnavailableError,
)
from mastra_convex.values.validators import v
from tests.engine.flaky import Connections, fail_once
from tests.engine.jobs import everything, inserting, job, whole
from tests.engine.support import (
    MEMORY,
    PATIENCE,
    Doc,
    Settled,
    add,
    ask,
    book,
    open_engine,
    opened,
    titles,
    watch,
)


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


def interrupted_at(line: int) -> Callable[[FrameType, str, Any], Any]:
    """A trace function that interrupts at the so-and-so-many-th line of engine/commit.py."""
    left = [line]

    def trace(frame: FrameType, event: str, _arg: Any) -> Any:
        if frame.f_code.co_filename != commit.__file__:
            return None
        left[0] -= event == "line"
        if not left[0]:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    return trace


def test_an_interrupt_at_any_line_loses_nothing_and_does_nothing_twice() -> None:
    interrupted = 0
    for line in range(1, 61):
        settled = Settled()
        interval = sys.getswitchinterval()
        with opened() as engine:
            add(engine, book("before"))
            inbox, _ = watch(engine, {"how": "totals"})
            sys.setswitchinterval(5.0)  # so that both jobs are of this thread's group
            engine.enqueue([job(engine, settled, inserting("other"))])
            sys.settrace(interrupted_at(line))
            try:
                engine.mutation("test:write", {"steps": [inserting("mine")]}, SERVICE)
            except KeyboardInterrupt:
                interrupted += 1
            finally:
                sys.settrace(None)
                sys.setswitchinterval(interval)
            assert settled.until(1)[0].error is None
            inbox.until_value(ask(engine, how="totals"))
            at_once = titles(everything(engine))
            assert [title for title in at_once if title != "mine"] == ["before", "other"]
            assert len(at_once) <= 3
            add(engine, book("after"))
            assert titles(everything(engine)) == [*at_once, "after"]
    # A commit has some fifty lines; now and then the commit thread is quicker.
    assert interrupted > 20


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
