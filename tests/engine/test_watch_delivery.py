"""Delivering: to the end, in bursts, to subscribers of every kind, until the engine is closed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mastra_convex.engine.context import SERVICE
from mastra_convex.errors import (
    StorageClosedError,
)
from mastra_convex.values.outcome import Outcome
from tests.engine.counted import (
    BETWEEN,
    FIRST_TWO,
    LAST_TWO,
    MORE_THAN_ALL,
    NAMED,
    TOTALS,
    Runs,
    counting,
    delete,
    held,
    insert,
)
from tests.engine.support import (
    MEMORY,
    PATIENCE,
    Inbox,
    add,
    ask,
    book,
    do,
    opened,
    program,
    settle,
    titles,
    watch,
)


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
