"""Live programs: their calls are shared, kept, let go of and, when they fail, told of."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from mastra_convex.engine.context import SERVICE, Principal, QueryCtx
from mastra_convex.engine.registry import query
from mastra_convex.errors import (
    FunctionNotFoundError,
    InvalidArgumentError,
)
from mastra_convex.values.validators import v
from tests.engine.counted import (
    BETWEEN,
    MORE_THAN_ALL,
    NAMED,
    SHELF,
    Runs,
    clear,
    counting,
    delete,
    insert,
    patch,
)
from tests.engine.support import (
    Doc,
    Inbox,
    add,
    book,
    do,
    opened,
    program,
    settle,
    titles,
    watch,
)


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
        ("test:read", {"spec": {}, "more": object()}, InvalidArgumentError),
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
