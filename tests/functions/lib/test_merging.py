"""Several threads as one list, against a sorted list of what is in them."""

import random
from typing import Any

import pytest

from mastra_convex.engine.cursor import encode_cursor
from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions.lib import merging
from tests.functions.lib.inside import Inside

THREADS = ["c", "a", "b"]


def fill(inside: Inside, dice: random.Random, count: int = 60) -> list[dict[str, Any]]:
    """Messages of three threads at few times, of two owners; in the order of the list."""
    found = []
    for name in THREADS:
        inside.mutation("threads:save", thread={"id": name, "resourceId": "r"})
    for n in range(count):
        thread = dice.choice(THREADS)
        message: dict[str, Any] = {
            "id": f"m{n}",
            "threadId": thread,
            "role": "user",
            "content": "1" * 100,
        }
        message |= {"createdAt": dice.randrange(6), "resourceId": dice.choice("rs")}
        (saved,) = inside.mutation("messages:save", messages=[message])
        found.append(saved)
    return sorted(found, key=lambda m: (m["createdAt"], THREADS.index(m["threadId"]), m["seq"]))


def walk(inside: Inside, skip: int = 0, **args: Any) -> tuple[list[str], int]:
    """The ids of all pages after `skip` messages, and how many were passed over."""
    found: list[str] = []
    skipped = 0
    more: dict[str, Any] = {}
    for _ in range(200):
        if skip > skipped:
            more["skip"] = skip - skipped
        reply = inside.query("messages:listByThreads", threadIds=THREADS, **args, **more)
        found += [each["id"] for each in reply["page"]]
        skipped += reply.get("skipped", 0)
        more = {"cursor": reply["cursor"]}
        if reply["cursor"] is None:
            return found, skipped
        assert len(reply["page"]) <= args["limit"]
    raise AssertionError("the list does not end")


@pytest.mark.parametrize("bounds", [{}, {"_MAX_KEYS": 7}, {"MAX_LOOK": 5}, {"MAX_PAGE_BYTES": 250}])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_join_to_the_list(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, order: str, bounds: dict[str, int]
) -> None:
    dice = random.Random(f"{order} {bounds}")
    messages = fill(inside, dice)
    if order == "desc":
        messages.reverse()
    for name, value in bounds.items():
        monkeypatch.setattr(merging, name, value)
    for _ in range(12):
        owner: dict[str, Any] = dice.choice([{}, {"resourceId": "r"}, {"resourceId": "none"}])
        times: dict[str, Any] = dice.choice([{}, {"from": 2}, {"to": 3}, {"from": 1, "to": 4}])
        expected = [
            each["id"]
            for each in messages
            if owner.items() <= each.items()
            and times.get("from", 0) <= each["createdAt"] <= times.get("to", 9)
        ]
        skip = dice.choice([0, 1, 5, 40, 99])
        args = {"order": order, "limit": dice.choice([1, 2, 7, 25, 100]), **owner, **times}
        assert walk(inside, skip, **args) == (expected[skip:], min(skip, len(expected)))
    reply = inside.query("messages:listByThreads", threadIds=THREADS, order=order, limit=1)
    assert reply["cursor"]


def test_a_page_that_is_full_is_the_last_one(inside: Inside) -> None:
    messages = fill(inside, random.Random(1), 20)
    args: dict[str, Any] = {"threadIds": THREADS, "order": "asc", "withTotal": True}
    for limit, more in ((19, True), (20, False), (21, False)):
        reply = inside.query("messages:listByThreads", **args, limit=limit)
        assert [each["id"] for each in reply["page"]] == [m["id"] for m in messages][:limit]
        assert ((reply["cursor"] is not None), reply["total"]) == (more, 20)


@pytest.mark.parametrize(
    "key",
    [
        *([], [1], [1, 0, 1], [1, 0, 1, 1, 1], ["x", 0, 1, 1], [1, 0.5, 1, 1], [1, 0, None, 1]),
        *([1, 0, 1, 2**70], [1, 0, 1, "x"], [True, 0, 1, 1], [1, True, 1, 1]),
        *([2**70, 0, 1, 1], [1, 0, 10**400, 1], [float("nan"), 0, 1, 1]),
    ],
)
def test_a_forged_cursor_is_refused(inside: Inside, key: list[Any]) -> None:
    fill(inside, random.Random(1), 5)
    identity = ("messages", "by_threads", THREADS, None, None, "asc", None)
    cursor = encode_cursor(identity, tuple(key))
    with pytest.raises(InvalidArgumentError, match="the cursor is damaged; start from the first"):
        inside.query(
            "messages:listByThreads", threadIds=THREADS, order="asc", limit=1, cursor=cursor
        )
