from typing import Any

import pytest

from mastra_convex.values.journal import is_open, journal_of, pinned

OPEN = {"threadId": "t", "paginationOpts": {"numItems": 5, "cursor": None}}
PAGE = {"page": [], "isDone": False, "continueCursor": "here"}


def test_a_page_gets_the_end_that_it_had() -> None:
    assert is_open(OPEN)
    found = pinned(OPEN, journal_of(PAGE))
    assert found == {
        "threadId": "t",
        "paginationOpts": {"numItems": 5, "cursor": None, "endCursor": "here"},
    }
    assert not is_open(found)
    assert "endCursor" not in OPEN["paginationOpts"]
    # What the caller has fixed stays.
    assert pinned(found, "there") is found


@pytest.mark.parametrize("args", [{}, {"paginationOpts": None}, {"paginationOpts": [1]}])
def test_what_asks_for_no_page_is_left_alone(args: dict[str, Any]) -> None:
    assert not is_open(args)
    assert pinned(args, "here") is args


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"page": [], "cursor": "here"},
        {**PAGE, "continueCursor": ""},
        {**PAGE, "continueCursor": None},
    ],
)
def test_a_result_without_an_end_has_no_journal(value: Any) -> None:
    assert journal_of(value) is None
    assert pinned(OPEN, journal_of(value)) is OPEN
