"""Live queries: run again when a commit touches what they read, and only then."""

from __future__ import annotations

import pytest

from mastra_convex.engine.context import SERVICE
from mastra_convex.values.outcome import Outcome
from tests.engine.counted import (
    BETWEEN,
    FIRST_TWO,
    FOUND,
    FOUND_NOTHING,
    INSIDE,
    LAST_TWO,
    MORE_THAN_ALL,
    NAMED,
    NONE_YET,
    ONE,
    PAGE,
    PAGE_OF_BYTES,
    SHELF,
    TOTALS,
    WITHOUT_NOTE,
    Runs,
    Steps,
    clear,
    counting,
    delete,
    insert,
    patch,
)
from tests.engine.support import (
    Inbox,
    Spec,
    add,
    ask,
    book,
    do,
    opened,
    settle,
)


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
