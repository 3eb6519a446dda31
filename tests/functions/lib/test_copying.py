"""Copying threads that are longer than a page."""

from typing import Any

import pytest

from mastra_convex.functions.lib import copying
from mastra_convex.values.names import copy_id
from tests.functions.lib.inside import Inside

COUNT = 1205


@pytest.fixture
def long(inside: Inside) -> Inside:
    """A store with a thread of messages, of which ten at a time were created at one time."""
    inside.mutation("threads:save", thread={"id": "t", "resourceId": "r"})
    one = {"threadId": "t", "role": "user", "content": "1"}
    for start in range(0, COUNT, 1000):
        some = range(start, min(start + 1000, COUNT))
        messages = [{"id": f"m{n}", "createdAt": n // 10, **one} for n in some]
        inside.mutation("messages:save", messages=messages)
    return inside


def clone(inside: Inside, new: str, **args: Any) -> list[str]:
    """Clone the thread; returns the ids of the copies, oldest first."""
    inside.mutation("threads:clone", id="t", thread={"id": new}, **args)
    found: list[str] = []
    more: dict[str, Any] = {}
    while True:
        page = inside.query("messages:list", threadId=new, order="asc", limit=500, **more)
        found += [message["id"] for message in page["page"]]
        if page["cursor"] is None:
            return found
        more = {"cursor": page["cursor"]}


@pytest.mark.parametrize(
    ("args", "first", "end"),
    [
        ({}, 0, COUNT),
        ({"limit": 500}, COUNT - 500, COUNT),
        ({"limit": 501}, COUNT - 501, COUNT),
        ({"limit": COUNT + 1}, 0, COUNT),
        ({"from": 10, "to": 99}, 100, 1000),
        ({"to": 99, "limit": 703}, 297, 1000),
    ],
)
def test_copies_are_in_the_order_of_their_sources(
    long: Inside, args: dict[str, Any], first: int, end: int
) -> None:
    assert clone(long, "n", **args) == [copy_id("n", f"m{n}") for n in range(first, end)]
    page = long.query("messages:list", threadId="n", order="asc", limit=1, withTotal=True)
    assert page["total"] == end - first
    assert page["page"][0]["seq"] == COUNT - (end - first) + 1


def test_pages_are_bounded_in_bytes(long: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "MAX_PAGE_BYTES", 100)
    assert len(clone(long, "n")) == COUNT
