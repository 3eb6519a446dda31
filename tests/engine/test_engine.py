"""The engine from outside: run, refuse, close; and what is left of it afterwards."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.engine.context import SERVICE, MutationCtx, Principal, QueryCtx
from mastra_convex.engine.engine import Engine
from mastra_convex.engine.engine import _abandon_all as in_fork
from mastra_convex.engine.engine import _close_all as at_exit
from mastra_convex.engine.engine import _hold_all as before_fork
from mastra_convex.engine.engine import _release_all as after_fork
from mastra_convex.engine.registry import mutation, query
from mastra_convex.errors import (
    CorruptFileError,
    FunctionNotFoundError,
    InvalidArgumentError,
    StorageClosedError,
)
from mastra_convex.values.validators import v
from tests.engine.flaky import Connections
from tests.engine.support import (
    MEMORY,
    PATIENCE,
    SCHEMA,
    Doc,
    add,
    ask,
    book,
    do,
    open_engine,
    opened,
    registry_of,
    settle,
    titles,
    watch,
)


def threads() -> set[str]:
    """The names of our threads."""
    return {t.name for t in threading.enumerate() if t.name.startswith("mastra-convex")}


def files_open() -> list[str]:
    """What the file descriptors of this process point at."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("open files can be counted where there is /proc")
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            continue  # the listing's own
    return found


def test_what_was_written_is_read_and_outlives_the_engine(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with opened(path, durable=True) as engine:
        assert engine.path == str(path)
        assert add(engine, book("a"), book("b")) == [1, 2]
        assert titles(ask(engine, index="by_title")) == ["a", "b"]
    with opened(path) as engine:
        assert titles(ask(engine, index="by_title")) == ["a", "b"]
        assert add(engine, book("c")) == [3]


def test_each_store_in_memory_is_its_own() -> None:
    with opened() as one, opened() as other:
        assert one.path == MEMORY
        add(one, book("a"))
        assert ask(other, index="by_title") == []
    assert not Path(MEMORY).exists()


def test_calls_are_checked() -> None:
    @query(args={}, returns=v.string())
    def wrong(ctx: QueryCtx, args: Doc) -> Any:
        return 1

    with opened(wrong=wrong) as engine:
        with pytest.raises(FunctionNotFoundError):
            engine.query("test:nothing", {}, SERVICE)
        with pytest.raises(FunctionNotFoundError):
            engine.query("test:write", {"steps": []}, SERVICE)
        with pytest.raises(FunctionNotFoundError):
            engine.mutation("test:read", {"spec": 1}, SERVICE)
        with pytest.raises(InvalidArgumentError, match=r"test:read\.spec must be given"):
            engine.query("test:read", {}, SERVICE)
        with pytest.raises(InvalidArgumentError, match=r"test:write\.steps must be an array"):
            engine.mutation("test:write", {"steps": 1}, SERVICE)
        with pytest.raises(InvalidArgumentError, match="the result of test:wrong must be text"):
            engine.query("test:wrong", {}, SERVICE)


def test_functions_know_who_asks() -> None:
    @query(args={}, returns=v.any())
    def who_reads(ctx: QueryCtx, args: Doc) -> Any:
        return ctx.principal

    @mutation(args={}, returns=v.any())
    def who_writes(ctx: MutationCtx, args: Doc) -> Any:
        return ctx.principal

    with opened(who_reads=who_reads, who_writes=who_writes) as engine:
        for principal in (None, SERVICE, Principal("ann")):
            assert engine.query("test:whoReads", {}, principal) == principal
            assert engine.mutation("test:whoWrites", {}, principal) == principal


def test_a_query_cannot_write() -> None:
    @query(args={}, returns=v.any())
    def sneaky(ctx: QueryCtx, args: Doc) -> Any:
        return ctx.db.insert("books", book("a"))  # type: ignore[attr-defined]

    with opened(sneaky=sneaky) as engine, pytest.raises(AttributeError, match="insert"):
        engine.query("test:sneaky", {}, SERVICE)


@pytest.mark.parametrize("where", [MEMORY, "file"])
def test_after_closing_everything_says_so(where: str, tmp_path: Path) -> None:
    with opened(MEMORY if where == MEMORY else tmp_path / "a.db") as engine:
        add(engine, book("a"))
        engine.close()
        engine.close()
        with pytest.raises(StorageClosedError, match="was closed"):
            ask(engine, index="by_title")
        with pytest.raises(StorageClosedError, match="was closed"):
            add(engine, book("b"))
        with pytest.raises(StorageClosedError, match="was closed"):
            watch(engine, {"how": "totals"})


def test_no_thread_is_started_before_it_is_needed(tmp_path: Path) -> None:
    before = threads()
    with opened(tmp_path / "a.db") as engine:
        add(engine, book("a"))
        ask(engine, index="by_title")
        assert threads() == before


@pytest.mark.parametrize("where", [MEMORY, "file"])
def test_nothing_is_left_after_closing(where: str, tmp_path: Path) -> None:
    gc.collect()
    threads_before, files_before = threads(), len(files_open())
    for number in range(5):
        with opened(MEMORY if where == MEMORY else tmp_path / f"{number}.db") as engine:
            inbox, _ = watch(engine, {"how": "totals"})
            engine.enqueue([engine.prepare("test:write", {"steps": []}, SERVICE)])
            readers = [
                threading.Thread(target=ask, args=(engine,), kwargs={"index": "by_title"})
                for _ in range(5)
            ]
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join()
            inbox.until(bool)
            assert {"mastra-convex-commit", "mastra-convex-live"} <= threads()
        assert threads() == threads_before
        assert len(files_open()) == files_before


def test_an_engine_that_could_not_open_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"garbage " * 1000)
    gc.collect()
    threads_before, files_before = threads(), len(files_open())
    for _ in range(3):
        with pytest.raises(CorruptFileError):
            Engine(path, SCHEMA, registry_of())
    assert threads() == threads_before
    assert len(files_open()) == files_before


def test_what_nobody_closed_is_closed_when_the_program_ends() -> None:
    engine = open_engine()
    inbox, _ = watch(engine, {"how": "totals"})
    inbox.until(bool)
    at_exit()
    inbox.until_error(StorageClosedError)
    with pytest.raises(StorageClosedError):
        add(engine, book("a"))


def test_a_fork_uses_nothing_of_its_parent(connections: Connections, tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as engine:
        add(engine, book("a"))
        ask(engine, index="by_title")
        in_fork()
        for call in (ask, add, watch):
            with pytest.raises(StorageClosedError, match="before this process was forked"):
                call(engine)
        engine.close()
        for connection in connections.all:
            connection.execute("SELECT 1")  # left open, because SQLite forbids closing them
            connection.close()


def test_nobody_writes_over_a_fork(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as engine, opened(tmp_path / "b.db") as other:
        writers = [threading.Thread(target=add, args=[each, book("a")]) for each in (engine, other)]
        before_fork()
        for writer in writers:
            writer.start()
        writers[0].join(0.1)
        assert [ask(each, index="by_title") for each in (engine, other)] == [[], []]
        after_fork()
        for writer in writers:
            writer.join(PATIENCE)
        assert [titles(ask(each, index="by_title")) for each in (engine, other)] == [["a"], ["a"]]


def test_many_engines_may_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with opened(path) as one, opened(path) as two, opened(path) as three:
        engines = [one, two, three]
        inboxes = [watch(engine, {"index": "by_creation_time"})[0] for engine in engines]
        for number, engine in enumerate(engines * 3):
            add(engine, book(f"{number}"))
        wanted = ask(one, index="by_creation_time")
        assert titles(wanted) == [f"{number}" for number in range(9)]
        for engine, inbox in zip(engines, inboxes):
            settle(engine)
            inbox.until_value(wanted)


def test_a_large_document_comes_back(tmp_path: Path) -> None:
    text = "\u00fc\0" * 2_000_000
    with opened(tmp_path / "a.db") as engine:
        inbox, _ = watch(engine, {"how": "get", "id": 1})
        add(engine, book("a", note=text))
        assert ask(engine, how="get", id=1)["note"] == text
        assert inbox.until(lambda outcomes: outcomes[-1].value is not None)
        do(engine, ["delete", "books", 1])
        inbox.until_value(None)


def test_subscribing_checks_nothing_beforehand() -> None:
    """What is wrong with a call is delivered: a program may make it only later."""
    with opened() as engine:
        inbox, _ = watch(engine, {"index": "by_nothing"})
        inbox.until_error(KeyError)
