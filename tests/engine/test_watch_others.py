"""Live queries and what is not ours: other processes, and a file in trouble."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.engine import log
from mastra_convex.engine.context import SERVICE, QueryCtx
from mastra_convex.engine.engine import Engine
from mastra_convex.engine.registry import Function, query
from mastra_convex.errors import (
    ConvexStorageError,
    StorageClosedError,
)
from mastra_convex.values.outcome import Outcome
from mastra_convex.values.validators import v
from tests.engine.counted import (
    BETWEEN,
    FIRST_TWO,
    MORE_THAN_ALL,
    SHELF,
    Runs,
    counting,
    delete,
    held,
    patch,
)
from tests.engine.support import (
    PATIENCE,
    Doc,
    Inbox,
    Processes,
    Spec,
    add,
    ask,
    book,
    do,
    finish,
    opened,
    program,
    settle,
    titles,
    watch,
)


@pytest.mark.parametrize("back", [False, True])
def test_one_who_was_stopped_for_longer_than_the_log_reaches_misses_nothing(
    back: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = Runs()
    path = tmp_path / "a.db"
    with opened(path, counted=counter.function()) as engine, opened(path) as other:
        add(engine, *SHELF)
        specs: list[Spec] = [BETWEEN, FIRST_TWO, {"index": "by_title", "eq": ["nobody"]}]
        inboxes = [Inbox() for _ in specs]
        for spec, inbox in zip(specs, inboxes):
            engine.subscribe(counting(spec), inbox, SERVICE)
        settle(engine)
        deliver, holding, go_on = held()
        engine.subscribe(program({"how": "totals", "table": "shelves"}), deliver, SERVICE)
        assert holding.wait(PATIENCE)
        counter.specs.clear()
        if back:
            monkeypatch.setattr(log, "KEEP_NANOSECONDS", 0)
        for number in range(600):
            do(other, *patch(1, year=number % 7), ["insert", "shelves", {"name": "x"}])
        go_on.set()
        settle(engine)
        # All of them if the log does not reach back, else those that were touched.
        assert len(counter.specs) == (3 if back else 2)
        for spec, inbox in zip(specs, inboxes):
            assert inbox.outcomes[-1] == Outcome(ask(engine, **spec))


def test_commits_of_another_engine_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with opened(path) as engine, opened(path) as other:
        inbox, _ = watch(engine, MORE_THAN_ALL)
        inbox.until_value([])
        time.sleep(0.2)  # long enough for it to poll as slowly as it ever does
        add(other, book("a"))
        inbox.until_value(ask(other, **MORE_THAN_ALL), timeout=1.0)
        do(other, *delete(1))
        inbox.until_value([], timeout=1.0)


def test_commits_of_another_process_are_seen(tmp_path: Path, processes: Processes) -> None:
    path = tmp_path / "a.db"
    with opened(path) as engine:
        late: list[float] = []
        done = threading.Event()

        def deliver(outcome: Outcome) -> None:
            for one in outcome.value:
                late.append(time.time() - float(one["title"]))
                do(engine, ["delete", "books", one["_id"]])
            if len(late) == 10:
                done.set()

        engine.subscribe(program(MORE_THAN_ALL), deliver, SERVICE)
        finish(processes.work("tick", path, 10))
        assert done.wait(PATIENCE)
        assert max(late) < 1.0
        assert min(late) < 0.1


def trouble() -> tuple[Function, Callable[[bool], None]]:
    """A query over a file that can be in trouble, and how to put it there."""
    now = [False]

    @query(args={}, returns=v.any())
    def troubled(ctx: QueryCtx, args: Doc) -> Any:
        if now[0]:
            raise sqlite3.OperationalError("disk I/O error")
        return titles(ctx.db.query("books").with_index("by_year").take(10))

    def put(trouble: bool) -> None:
        now[0] = trouble

    return troubled, put


def troubled_program() -> Generator[tuple[str, Doc], Any, Any]:
    return (yield "test:troubled", {})


@pytest.fixture
def in_trouble() -> Iterator[tuple[Engine, Inbox, Callable[[bool], None]]]:
    troubled, put = trouble()
    with opened(troubled=troubled) as engine:
        inbox = Inbox()
        engine.subscribe(troubled_program, inbox, SERVICE)
        inbox.until_value([])
        put(True)
        add(engine, book("a"))
        error = inbox.until_error(ConvexStorageError)
        assert isinstance(error, ConvexStorageError)
        assert error.code == "FILE_UNAVAILABLE"
        yield engine, inbox, put


def test_a_file_in_trouble_is_tried_again(
    in_trouble: tuple[Engine, Inbox, Callable[[bool], None]],
) -> None:
    engine, inbox, put = in_trouble
    put(False)
    inbox.until_value(["a"])
    add(engine, book("b"))
    inbox.until_value(["a", "b"])


def test_a_file_in_trouble_can_be_closed_at_once(
    in_trouble: tuple[Engine, Inbox, Callable[[bool], None]],
) -> None:
    engine, inbox, _ = in_trouble
    begun = time.monotonic()
    engine.close()
    assert time.monotonic() - begun < 0.8
    inbox.until_error(StorageClosedError)


def test_a_file_in_trouble_that_nobody_watches_any_more_can_be_closed_at_once() -> None:
    troubled, put = trouble()
    with opened(troubled=troubled) as engine:
        put(True)
        inbox = Inbox()
        stop = engine.subscribe(troubled_program, inbox, SERVICE)
        inbox.until_error(ConvexStorageError)
        stop()
        begun = time.monotonic()
        engine.close()
        assert time.monotonic() - begun < 0.8


def test_a_file_in_trouble_when_a_program_starts_is_tried_again() -> None:
    troubled, put = trouble()
    with opened(troubled=troubled) as engine:
        put(True)
        inbox = Inbox()
        stop = engine.subscribe(troubled_program, inbox, SERVICE)
        gone = Inbox()
        engine.subscribe(troubled_program, gone, SERVICE)()
        inbox.until_error(ConvexStorageError)
        put(False)
        inbox.until_value([])
        assert not any(outcome.value for outcome in gone.outcomes)
        stop()
