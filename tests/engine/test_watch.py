"""Live queries: run again when a commit touches what they read, and only then; always current."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.engine import log
from mastra_convex.engine.context import SERVICE, Principal, QueryCtx
from mastra_convex.engine.engine import Engine
from mastra_convex.engine.registry import Function, query
from mastra_convex.errors import (
    ConvexStorageError,
    FunctionNotFoundError,
    InvalidArgumentError,
    StorageClosedError,
)
from mastra_convex.values.outcome import Outcome
from mastra_convex.values.validators import v
from tests.engine.support import (
    MEMORY,
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
    read,
    settle,
    titles,
    watch,
)

Steps = list[list[Any]]


class Runs:
    """The calls of a query that counts how often it is run."""

    def __init__(self) -> None:
        self.specs: list[Spec] = []

    def function(self) -> Function:
        """The counting query: `read` with a count."""

        @query(args={"spec": v.any()}, returns=v.any())
        def counted(ctx: QueryCtx, args: Doc) -> Any:
            self.specs.append(args["spec"])
            return read.handler(ctx, args)

        return counted


def counting(spec: Spec) -> Callable[[], Generator[tuple[str, Doc], Any, Any]]:
    """A program of one call to the counting query."""

    def run() -> Generator[tuple[str, Doc], Any, Any]:
        return (yield "test:counted", {"spec": {"table": "books", **spec}})

    return run


# Ids 1 to 5, as their years.
SHELF = [book(title, year, note=title, tags=[title]) for year, title in enumerate("abcde", 1)]
BETWEEN: Spec = {"index": "by_year", "bounds": [["gte", 2], ["lte", 4]]}
INSIDE = {"index": "by_year", "bounds": [["gt", 2], ["lt", 4]]}
FIRST_TWO: Spec = {"index": "by_year", "count": 2}
LAST_TWO: Spec = {"index": "by_year", "count": 2, "order": "desc"}
MORE_THAN_ALL: Spec = {"index": "by_year", "count": 10}
NAMED = {"index": "by_title", "eq": ["b"]}
WITHOUT_NOTE = {"index": "by_note", "eq": [None]}
PAGE = {"index": "by_year", "how": "paginate", "count": 2}
PAGE_OF_BYTES = {"index": "by_year", "how": "paginate", "count": 4, "max_bytes": 1}
ONE = {"how": "get", "id": 2}
NONE_YET = {"how": "get", "id": 6}
FOUND = {"how": "find", "index": "by_title_year", "eq": ["b", 2]}
FOUND_NOTHING = {"how": "find", "index": "by_title_year", "eq": ["b", 6]}
TOTALS: Spec = {"how": "totals"}


def insert(year: float, title: str = "z", **fields: Any) -> Steps:
    return [["insert", "books", book(title, year, **fields)]]


def patch(key: int, **fields: Any) -> Steps:
    return [["patch", "books", key, fields]]


def delete(key: int) -> Steps:
    return [["delete", "books", key]]


def clear(low: float, high: float) -> Steps:
    bounds = [["gte", low], ["lte", high]]
    return [["delete_range", {"table": "books", "index": "by_year", "bounds": bounds}]]


@pytest.mark.parametrize(
    ("spec", "steps", "runs"),
    [
        (BETWEEN, insert(1), 0),
        (BETWEEN, insert(1.99), 0),
        (BETWEEN, insert(2), 1),
        (BETWEEN, insert(3), 1),
        (BETWEEN, insert(4), 1),
        (BETWEEN, insert(4.01), 0),
        (BETWEEN, insert(1) + insert(5), 0),
        (BETWEEN, insert(1) + insert(3), 1),
        (BETWEEN, insert(2) + insert(3), 1),
        (BETWEEN, delete(1), 0),
        (BETWEEN, delete(2), 1),
        (BETWEEN, delete(4), 1),
        (BETWEEN, delete(5), 0),
        (BETWEEN, patch(1, year=3), 1),
        (BETWEEN, patch(3, year=9), 1),
        (BETWEEN, patch(1, year=0), 0),
        (BETWEEN, patch(3, lent=True), 1),
        (BETWEEN, patch(5, lent=True), 0),
        (BETWEEN, patch(3, title="c"), 0),
        (BETWEEN, [["replace", "books", 5, book("e", 5)]], 0),
        (BETWEEN, [["replace", "books", 5, book("e", 4)]], 1),
        (BETWEEN, [["insert", "shelves", {"name": "a"}]], 0),
        # A range that is deleted is not told document by document.
        (BETWEEN, clear(5, 5), 1),
        (BETWEEN, clear(7, 9), 0),
        (BETWEEN, [["delete_range", {"table": "shelves", "index": "by_name"}]], 0),
        (INSIDE, insert(2), 0),
        (INSIDE, insert(2.01), 1),
        (INSIDE, insert(4), 0),
        (INSIDE, delete(2), 0),
        (INSIDE, patch(2, year=4), 0),
        (FIRST_TWO, insert(3), 0),
        # After (2, id 2), the last of the two, because its id is greater.
        (FIRST_TWO, insert(2), 0),
        (FIRST_TWO, insert(1.5), 1),
        (FIRST_TWO, delete(3), 0),
        (FIRST_TWO, delete(2), 1),
        (FIRST_TWO, patch(2, lent=True), 1),
        (FIRST_TWO, patch(3, lent=True), 0),
        (FIRST_TWO, patch(5, year=0), 1),
        (LAST_TWO, insert(3), 0),
        (LAST_TWO, insert(4), 1),
        (LAST_TWO, insert(6), 1),
        (LAST_TWO, delete(3), 0),
        (LAST_TWO, delete(4), 1),
        (MORE_THAN_ALL, insert(100), 1),
        (MORE_THAN_ALL, delete(5), 1),
        (NAMED, insert(2, "c"), 0),
        (NAMED, insert(9, "b"), 1),
        (NAMED, patch(1, title="b"), 1),
        (NAMED, patch(1, title="bb"), 0),
        (NAMED, patch(2, title="c"), 1),
        (NAMED, patch(3, year=2), 0),
        ({**NAMED, "how": "first"}, insert(9, "b"), 0),
        ({**NAMED, "how": "unique"}, insert(9, "c"), 0),
        ({**NAMED, "how": "unique"}, insert(9, "b"), 1),
        (WITHOUT_NOTE, insert(1, note="x"), 0),
        (WITHOUT_NOTE, insert(1), 1),
        (WITHOUT_NOTE, patch(1, note=None), 1),
        (WITHOUT_NOTE, patch(1, note="y"), 0),
        # A page reads one more than it gives, to know whether there is another.
        (PAGE, insert(4), 0),
        (PAGE, insert(3), 0),
        (PAGE, insert(2.5), 1),
        (PAGE, delete(3), 1),
        (PAGE, delete(4), 0),
        (PAGE_OF_BYTES, delete(1), 1),
        (PAGE_OF_BYTES, delete(2), 0),
        (PAGE_OF_BYTES, insert(1.5), 0),
        (ONE, patch(2, lent=True), 1),
        (ONE, delete(2), 1),
        (ONE, patch(3, lent=True), 0),
        (ONE, insert(2), 0),
        (ONE, clear(5, 5), 1),
        (NONE_YET, insert(9), 1),
        (NONE_YET, delete(5), 0),
        (FOUND, insert(3, "b"), 0),
        (FOUND, patch(2, lent=True), 1),
        (FOUND, insert(2, "b"), 1),
        (FOUND_NOTHING, insert(6, "c"), 0),
        (FOUND_NOTHING, patch(2, year=6), 1),
        (TOTALS, insert(9), 1),
        (TOTALS, patch(1, note="longer"), 1),
        (TOTALS, [["insert", "shelves", {"name": "a"}]], 0),
    ],
)
def test_a_commit_runs_again_exactly_what_it_touches(spec: Spec, steps: Steps, runs: int) -> None:
    counter = Runs()
    with opened(counted=counter.function()) as engine:
        add(engine, *SHELF)
        inbox = Inbox()
        engine.subscribe(counting(spec), inbox, SERVICE)
        settle(engine)
        counter.specs.clear()
        do(engine, *steps)
        settle(engine)
        assert len(counter.specs) == runs
        try:
            assert inbox.outcomes[-1] == Outcome(ask(engine, **spec))
        except ValueError:  # the only one has become two
            assert isinstance(inbox.outcomes[-1].error, ValueError)


def test_later_pages_are_touched_from_their_cursor_on() -> None:
    counter = Runs()
    with opened(counted=counter.function()) as engine:
        add(engine, *SHELF)
        second = {**PAGE, "cursor": ask(engine, **PAGE)["cursor"]}
        engine.subscribe(counting(second), Inbox(), SERVICE)
        settle(engine)
        for steps, runs in [
            (insert(1.5), 0),
            (patch(2, lent=True), 0),
            (insert(2), 1),
            (patch(5, lent=True), 0),
            (insert(3.5), 1),
        ]:
            counter.specs.clear()
            do(engine, *steps)
            settle(engine)
            assert len(counter.specs) == runs, steps


def test_a_mutation_that_fails_touches_nothing() -> None:
    counter = Runs()
    with opened(counted=counter.function()) as engine:
        inbox = Inbox()
        engine.subscribe(counting(MORE_THAN_ALL), inbox, SERVICE)
        settle(engine)
        with pytest.raises(ValueError, match="on purpose"):
            do(engine, *insert(1), ["raise", "on purpose"])
        settle(engine)
        assert len(counter.specs) == 1
        assert inbox.values == [[]]


def test_a_result_that_stays_equal_is_not_delivered_again() -> None:
    with opened() as engine:
        add(engine, *SHELF)
        inbox, _ = watch(engine, BETWEEN)
        settle(engine)
        do(engine, *clear(5, 5))  # runs it again
        do(engine, *insert(3), ["delete", "books", 6])  # and so does this
        settle(engine)
        assert len(inbox.outcomes) == 1


def test_one_call_is_run_once_for_all_who_watch_it() -> None:
    counter = Runs()
    with opened(counted=counter.function()) as engine:
        inboxes = [Inbox() for _ in range(5)]
        for inbox in inboxes:
            engine.subscribe(counting(BETWEEN), inbox, SERVICE)
        settle(engine)
        assert len(counter.specs) == 1
        add(engine, book("a", 3))
        settle(engine)
        assert len(counter.specs) == 2
        for inbox in inboxes:
            assert [len(value) for value in inbox.values] == [0, 1]


def test_principals_do_not_share_a_call() -> None:
    @query(args={}, returns=v.any())
    def who(ctx: QueryCtx, args: Doc) -> Any:
        return None if ctx.principal is None else [ctx.principal.resource_id]

    def run() -> Generator[tuple[str, Doc], Any, Any]:
        return (yield "test:who", {})

    with opened(who=who) as engine:
        for principal, answer in [
            (None, None),
            (SERVICE, [None]),
            (Principal("ann"), ["ann"]),
            (Principal("bob"), ["bob"]),
        ]:
            inbox = Inbox()
            engine.subscribe(run, inbox, principal)
            inbox.until_value(answer)


def test_a_program_reads_again_only_the_call_that_changed() -> None:
    counter = Runs()

    def both() -> Generator[tuple[str, Doc], Any, Any]:
        years = yield "test:counted", {"spec": {"table": "books", **BETWEEN}}
        named = yield "test:counted", {"spec": {"table": "books", **NAMED}}
        return [len(years), len(named)]

    with opened(counted=counter.function()) as engine:
        inbox = Inbox()
        engine.subscribe(both, inbox, SERVICE)
        inbox.until_value([0, 0])
        counter.specs.clear()
        add(engine, book("b", 9))
        inbox.until_value([0, 1])
        assert [spec["index"] for spec in counter.specs] == ["by_title"]


def test_a_program_lets_go_of_the_calls_it_no_longer_makes() -> None:
    counter = Runs()

    def follow() -> Generator[tuple[str, Doc], Any, Any]:
        first = yield "test:read", {"spec": {"table": "books", "index": "by_year", "how": "first"}}
        spec = {"table": "books", "index": "by_title", "eq": [first["title"]]}
        return titles((yield "test:counted", {"spec": spec}))

    with opened(counted=counter.function()) as engine:
        add(engine, book("a", 5), book("b", 6))
        inbox = Inbox()
        engine.subscribe(follow, inbox, SERVICE)
        inbox.until_value(["a"])
        add(engine, book("b", 1))
        inbox.until_value(["b", "b"])
        settle(engine)
        counter.specs.clear()
        add(engine, book("a", 7))  # nobody looks at "a" any more
        settle(engine)
        assert counter.specs == []


def test_a_program_may_call_nothing_or_handle_an_error() -> None:
    def nothing() -> Generator[tuple[str, Doc], Any, Any]:
        yield from ()
        return "at once"

    def careful() -> Generator[tuple[str, Doc], Any, Any]:
        try:
            return (yield "test:read", {"spec": {"table": "books", **NAMED, "how": "unique"}})
        except ValueError:
            found = yield "test:read", {"spec": {"table": "books", **NAMED}}
            return titles(found)

    with opened() as engine:
        inbox, careful_inbox = Inbox(), Inbox()
        engine.subscribe(nothing, inbox, SERVICE)
        inbox.until_value("at once")
        engine.subscribe(careful, careful_inbox, SERVICE)
        careful_inbox.until_value(None)
        add(engine, book("b"), book("b"))
        careful_inbox.until_value(["b", "b"])
        do(engine, *delete(1))
        assert careful_inbox.until(lambda outcomes: isinstance(outcomes[-1].value, dict))
        assert len(inbox.outcomes) == 1


def test_a_program_is_closed_after_each_run() -> None:
    open_now: list[int] = []

    def run() -> Generator[tuple[str, Doc], Any, Any]:
        open_now.append(1)
        try:
            found = yield "test:read", {"spec": {"table": "books", **MORE_THAN_ALL}}
            if len(found) == 1:
                yield "test:nothing", {}
            return len(found)
        finally:
            open_now.pop()

    with opened() as engine:
        inbox = Inbox()
        engine.subscribe(run, inbox, SERVICE)
        inbox.until_value(0)
        add(engine, book("a"))
        inbox.until_error(FunctionNotFoundError)
        add(engine, book("b"))
        inbox.until_value(2)
        assert open_now == []


@pytest.mark.parametrize(
    ("path", "args", "error"),
    [
        ("test:nothing", {}, FunctionNotFoundError),
        ("test:write", {"steps": []}, FunctionNotFoundError),
        ("test:read", {}, InvalidArgumentError),
        ("test:read", {"spec": {}, "more": object()}, TypeError),
    ],
)
def test_a_call_that_cannot_be_made_is_delivered(
    path: str, args: Doc, error: type[Exception]
) -> None:
    def run() -> Generator[tuple[str, Doc], Any, Any]:
        return (yield path, args)

    with opened() as engine:
        inbox = Inbox()
        engine.subscribe(run, inbox, SERVICE)
        inbox.until_error(error)
        other, _ = watch(engine, MORE_THAN_ALL)
        other.until_value([])


def test_errors_are_delivered_and_recovery_follows() -> None:
    @query(args={}, returns=v.array(v.string()))
    def picky(ctx: QueryCtx, args: Doc) -> Any:
        found = ctx.db.query("books").with_index("by_year").take(10)
        if any(one["year"] < 0 for one in found):
            raise LookupError("a book from before the first year")
        return titles(found)

    def run() -> Generator[tuple[str, Doc], Any, Any]:
        return (yield "test:picky", {})

    with opened(picky=picky) as engine:
        inbox, other = Inbox(), Inbox()
        engine.subscribe(run, inbox, SERVICE)
        engine.subscribe(program(MORE_THAN_ALL), other, SERVICE)
        inbox.until_value([])
        add(engine, book("a", -1))
        inbox.until_error(LookupError)
        assert other.until(lambda outcomes: len(outcomes[-1].value) == 1)
        do(engine, *patch(1, year=1))
        inbox.until_value(["a"])


def test_unsubscribing_stops_deliveries_and_runs() -> None:
    counter = Runs()
    with opened(counted=counter.function()) as engine:
        inbox, stays = Inbox(), Inbox()
        stop = engine.subscribe(counting(BETWEEN), inbox, SERVICE)
        engine.subscribe(counting(MORE_THAN_ALL), stays, SERVICE)
        settle(engine)
        stop()
        stop()
        counter.specs.clear()
        add(engine, book("a", 3))
        settle(engine)
        assert [spec["index"] for spec in counter.specs] == ["by_year"]
        assert inbox.values == [[]]
        assert len(stays.outcomes) == 2


def test_unsubscribing_at_once_delivers_nothing_after_it() -> None:
    with opened() as engine:
        for _ in range(50):
            inbox, stop = watch(engine, MORE_THAN_ALL)
            stop()
            told = len(inbox.outcomes)
            settle(engine)
            # What was on its way when it stopped may come, once.
            assert len(inbox.outcomes) <= max(told, 1)


def test_who_was_unsubscribed_before_its_turn_is_not_told() -> None:
    with opened() as engine:
        deliver, holding, go_on = held()
        engine.subscribe(program(TOTALS), deliver, SERVICE)
        assert holding.wait(PATIENCE)
        told: list[Outcome] = []
        stops: list[Callable[[], None]] = []
        engine.subscribe(program(MORE_THAN_ALL), lambda outcome: stops[0](), SERVICE)
        stops.append(engine.subscribe(program(MORE_THAN_ALL), told.append, SERVICE))
        go_on.set()
        settle(engine)
        assert told == []


def held() -> tuple[Callable[[Outcome], None], threading.Event, threading.Event]:
    """A subscriber that holds the live thread up; when it has it, and when it may go on."""
    holding, go_on = threading.Event(), threading.Event()

    def deliver(outcome: Outcome) -> None:
        holding.set()
        go_on.wait(PATIENCE)

    return deliver, holding, go_on


def test_bursts_coalesce_and_end_at_the_last_state() -> None:
    counter = Runs()
    with opened(counted=counter.function()) as engine:
        inbox = Inbox()
        engine.subscribe(counting(MORE_THAN_ALL), inbox, SERVICE)
        settle(engine)
        deliver, holding, go_on = held()
        engine.subscribe(program(TOTALS), deliver, SERVICE)
        assert holding.wait(PATIENCE)
        counter.specs.clear()
        for year in range(50):
            do(engine, *insert(year), *(delete(year) if year else []))
        go_on.set()
        assert inbox.until(lambda outcomes: outcomes[-1].value != [])
        settle(engine)
        assert len(counter.specs) == 1
        assert [len(value) for value in inbox.values] == [0, 1]
        assert inbox.values[-1][0]["year"] == 49


@pytest.mark.parametrize("where", [MEMORY, "file"])
def test_many_commits_from_many_threads_end_at_the_last_state(where: str, tmp_path: Path) -> None:
    path = MEMORY if where == MEMORY else tmp_path / "a.db"
    with opened(path) as engine:
        specs = [MORE_THAN_ALL | {"count": 1000}, FIRST_TWO, LAST_TWO, TOTALS, BETWEEN]
        inboxes = [(spec, watch(engine, spec)[0]) for spec in specs]

        def work(number: int) -> None:
            for year in range(25):
                add(engine, book(f"{number}", year))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for spec, inbox in inboxes:
            inbox.until_value(ask(engine, **spec))


def test_a_subscriber_that_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def raises(outcome: Outcome) -> None:
        raise RuntimeError("this subscriber is broken")

    with opened() as engine:
        engine.subscribe(program(MORE_THAN_ALL), raises, SERVICE)
        inbox, _ = watch(engine, MORE_THAN_ALL)
        inbox.until_value([])
        add(engine, book("a"))
        inbox.until_value(ask(engine, **MORE_THAN_ALL))
    inbox.until_error(StorageClosedError)
    assert "this subscriber is broken" in caplog.text


def test_a_subscriber_may_write_subscribe_and_unsubscribe() -> None:
    with opened() as engine:
        late = Inbox()
        stops: list[Callable[[], None]] = []

        def deliver(outcome: Outcome) -> None:
            if not outcome.value:
                add(engine, book("from the subscriber"))
                engine.subscribe(program(MORE_THAN_ALL), late, SERVICE)
            else:
                stops[0]()

        stops.append(engine.subscribe(program(MORE_THAN_ALL), deliver, SERVICE))
        assert late.until(lambda o: bool(o) and titles(o[-1].value) == ["from the subscriber"])


def test_a_subscriber_may_close_the_engine() -> None:
    with opened() as engine:
        other, _ = watch(engine, MORE_THAN_ALL)
        other.until_value([])

        def deliver(outcome: Outcome) -> None:
            if outcome.error is None:
                engine.close()

        engine.subscribe(program(TOTALS), deliver, SERVICE)
        other.until_error(StorageClosedError)


@pytest.mark.parametrize("where", [MEMORY, "file"])
def test_closing_ends_every_subscription(where: str, tmp_path: Path) -> None:
    with opened(MEMORY if where == MEMORY else tmp_path / "a.db") as engine:
        inboxes = [watch(engine, spec)[0] for spec in (BETWEEN, TOTALS, NAMED)]
        settle(engine)
        last, stop = watch(engine, MORE_THAN_ALL)
        engine.close()
        for inbox in (*inboxes, last):
            error = inbox.until_error(StorageClosedError)
            assert "closed" in str(error)
            assert sum(outcome.error is not None for outcome in inbox.outcomes) == 1
        stop()
        with pytest.raises(StorageClosedError):
            watch(engine, MORE_THAN_ALL)
        engine.close()
        with pytest.raises(StorageClosedError):
            ask(engine, **MORE_THAN_ALL)
        with pytest.raises(StorageClosedError):
            add(engine, book("a"))


def test_nobody_can_subscribe_while_all_are_told_of_the_end() -> None:
    refused: list[StorageClosedError] = []

    def deliver(outcome: Outcome) -> None:
        if outcome.error is not None:
            try:
                engine.subscribe(program(MORE_THAN_ALL), Inbox(), SERVICE)
            except StorageClosedError as error:
                refused.append(error)

    with opened() as engine:
        engine.subscribe(program(MORE_THAN_ALL), deliver, SERVICE)
        settle(engine)
    assert len(refused) == 1


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
