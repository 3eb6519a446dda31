"""Group commit: what is acknowledged is there, once, whoever else fails."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.engine.context import SERVICE, MutationCtx
from mastra_convex.engine.registry import mutation
from mastra_convex.errors import (
    InvalidArgumentError,
    StorageClosedError,
)
from mastra_convex.values.validators import v
from tests.engine.jobs import everything, inserting, job, timestamps
from tests.engine.support import (
    MEMORY,
    PATIENCE,
    Doc,
    Settled,
    add,
    book,
    do,
    opened,
    titles,
)


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
