"""Pages of Convex's clients: intervals that keep their end; the scenarios have the rest."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions.lib import pagination
from tests.functions.lib.inside import Inside, opened

ARGS: dict[str, Any] = {"threadId": "t", "order": "asc"}


def save(inside: Inside, *names: str, size: int = 1) -> None:
    """Messages whose names say their times."""
    inside.mutation("threads:save", thread={"id": "t", "resourceId": "r"})
    for name in names:
        message = {"id": name, "threadId": "t", "role": "user", "content": "1" * size}
        inside.mutation("messages:save", messages=[{**message, "createdAt": float(name)}])


def page(inside: Inside, **options: Any) -> dict[str, Any]:
    """A page, with the names of its messages in place of them."""
    wanted = {"numItems": 3, "cursor": None, **options}
    found: dict[str, Any] = inside.query("messages:paginate", **ARGS, paginationOpts=wanted)
    return {**found, "page": [each["id"] for each in found["page"]]}


def test_a_page_says_where_its_middle_is(inside: Inside) -> None:
    save(inside, "1", "2", "3", "4", "5")
    whole = page(inside, numItems=5)
    assert (whole["isDone"], whole["continueCursor"]) == (True, pagination.END)
    split = whole["splitCursor"]
    assert page(inside, endCursor=split)["page"] == ["1", "2", "3"]
    assert page(inside, cursor=split, endCursor=pagination.END)["page"] == ["4", "5"]
    assert "splitCursor" not in page(inside, numItems=1)


def test_a_page_that_has_grown_too_long_is_to_be_split(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(inside, "1", "9")
    end = page(inside, numItems=2)["continueCursor"]
    save(inside, *(f"{n / 10}" for n in range(20, 40)))
    monkeypatch.setattr(pagination, "MAX_PAGE", 8)
    found, pending = [], [(None, end)]
    for _ in range(9):
        cursor, until = pending.pop(0)
        each = page(inside, cursor=cursor, endCursor=until)
        if each.get("pageStatus") == "SplitRequired":
            assert len(each["page"]) == 8
            assert each["continueCursor"] == until
            pending = [(cursor, each["splitCursor"]), (each["splitCursor"], until), *pending]
        else:
            found += each["page"]
        if not pending:
            break
    assert found == ["1", *(f"{n / 10}" for n in range(20, 40)), "9"]


def test_one_large_message_is_a_page(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagination, "MAX_PAGE_BYTES", 1000)
    save(inside, "1", "2", "3", size=2000)
    first = page(inside)
    assert (first["page"], first["isDone"]) == (["1"], False)
    both = page(inside, endCursor=pagination.END)
    assert (both["page"], both["pageStatus"]) == (["1"], "SplitRequired")
    assert page(inside, cursor=both["splitCursor"])["page"] == ["2"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"maximumRowsRead": 2}, ["1", "2"]),
        ({"maximumRowsRead": 0}, ["1"]),
        ({"maximumBytesRead": -5}, ["1"]),
        ({"maximumBytesRead": 1e9, "maximumRowsRead": 1e9}, ["1", "2", "3"]),
    ],
)
def test_a_page_may_be_asked_to_end_sooner(
    inside: Inside, options: dict[str, Any], names: list[str]
) -> None:
    save(inside, "1", "2", "3", "4")
    assert page(inside, **options)["page"] == names


@pytest.mark.parametrize("cursor", ["", "x", "e30=", "WzFd"])
def test_a_cursor_of_nobody_is_refused(inside: Inside, cursor: str) -> None:
    save(inside, "1", "2")
    for options in ({"cursor": cursor}, {"endCursor": cursor or "x"}):
        with pytest.raises(InvalidArgumentError, match="cursor"):
            page(inside, **options)


@settings(deadline=None, max_examples=25)
@given(
    first=st.sets(st.integers(1, 60), min_size=1, max_size=12),
    size=st.integers(1, 5),
    changes=st.lists(st.integers(1, 60), max_size=25),
)
def test_pages_with_their_ends_are_the_list(first: set[int], size: int, changes: list[int]) -> None:
    """Whatever comes and goes: side by side, without a gap, nothing twice."""
    with opened() as inside:
        save(inside, *map(str, first))
        ends: list[str | None] = [None]
        while ends[-1] != pagination.END:
            ends.append(page(inside, numItems=size, cursor=ends[-1])["continueCursor"])
        there = {str(number) for number in first}
        for name in map(str, changes):
            if name in there:
                inside.mutation("messages:remove", ids=[name])
            else:
                save(inside, name)
            there ^= {name}
        found = [
            name
            for cursor, end in pairwise(ends)
            for name in page(inside, numItems=size, cursor=cursor, endCursor=end)["page"]
        ]
    assert found == sorted(there, key=int)
