"""Pages: bounded in records and in bytes, bound to their arguments."""

import base64
import json
from typing import Any

import pytest

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions.lib import paging
from mastra_convex.functions.lib.paging import MAX_PAGE, arrivals_of, limit_of, page_of
from tests.functions.lib.inside import Inside

LIST = {"order": "asc", "limit": 3}


def save(inside: Inside, count: int, size: int = 1) -> None:
    """A thread with messages whose content has a size."""
    inside.mutation("threads:save", thread={"id": "t", "resourceId": "r"})
    for n in range(count):
        message = {"id": f"m{n}", "threadId": "t", "role": "user", "content": "1" * size}
        inside.mutation("messages:save", messages=[{**message, "createdAt": n}])


def page(inside: Inside, keep: Any = None, **args: Any) -> dict[str, Any]:
    """A page of the thread, as the helper gives it."""
    found: dict[str, Any] = inside(
        lambda ctx: page_of(ctx, "messages", "by_thread_created", ("t",), {**LIST, **args}, keep)
    )
    return found


def names(page: dict[str, Any]) -> list[str]:
    return [each["id"] for each in page["page"]]


def test_a_walk_in_both_directions(inside: Inside) -> None:
    save(inside, 7)
    for order in ("asc", "desc"):
        found, cursor, pages = [], None, 0
        while True:
            more: dict[str, Any] = {} if cursor is None else {"cursor": cursor}
            each = page(inside, order=order, **more)
            found += names(each)
            pages += 1
            cursor = each["cursor"]
            if cursor is None:
                break
        assert (found if order == "asc" else found[::-1]) == [f"m{n}" for n in range(7)]
        assert pages == 3


def test_nothing_internal_is_given_out(inside: Inside) -> None:
    save(inside, 1)
    (each,) = page(inside)["page"]
    assert "_id" not in each
    threads = inside(lambda ctx: page_of(ctx, "threads", "by_created", (), LIST))["page"]
    assert threads[0].keys() == {"id", "resourceId", "createdAt", "updatedAt"}


def test_a_page_ends_where_it_is_large(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    save(inside, 5, size=400)
    monkeypatch.setattr(paging, "MAX_PAGE_BYTES", 1000)
    first = page(inside, limit=5)
    assert names(first) == ["m0", "m1", "m2"]
    assert names(page(inside, limit=5, cursor=first["cursor"])) == ["m3", "m4"]
    # Whatever its size, a page has one record at least, and the walk goes on.
    monkeypatch.setattr(paging, "MAX_PAGE_BYTES", 1)
    found, cursor = [], None
    for _ in range(6):
        each = page(inside, limit=5, **({} if cursor is None else {"cursor": cursor}))
        found += names(each)
        cursor = each["cursor"]
        if cursor is None:
            break
    assert found == [f"m{n}" for n in range(5)]


def test_a_cursor_belongs_to_its_arguments(inside: Inside) -> None:
    save(inside, 5)
    cursor = page(inside)["cursor"]
    for change in ({"order": "desc"}, {"from": 1}, {"to": 9}):
        with pytest.raises(InvalidArgumentError, match="belongs to another query"):
            page(inside, cursor=cursor, **change)
    with pytest.raises(InvalidArgumentError, match="belongs to another query"):
        inside(lambda ctx: page_of(ctx, "threads", "by_created", (), {**LIST, "cursor": cursor}))
    # The size of a page may change on the way.
    assert names(page(inside, cursor=cursor, limit=1)) == ["m3"]


@pytest.mark.parametrize("cursor", ["", "x", "e30=", "bnVsbA==", "WzFd", "ü", "[1]"])
def test_a_damaged_cursor_is_refused(inside: Inside, cursor: str) -> None:
    save(inside, 5)
    with pytest.raises(InvalidArgumentError, match="cursor"):
        page(inside, cursor=cursor)


def test_a_total_is_given_where_it_is_kept(inside: Inside) -> None:
    save(inside, 5)
    # Messages have theirs in their thread, where the function takes it from.
    assert "total" not in page(inside, withTotal=True)

    def total(**args: Any) -> Any:
        work = {**LIST, "withTotal": True, **args}
        return inside(lambda ctx: page_of(ctx, "threads", "by_created", (), work)).get("total")

    assert total() == 1
    assert total(withTotal=False) is None
    assert total(**{"from": 0}) is None
    assert total(to=1) is None


def evens(document: dict[str, Any]) -> bool:
    return bool(document["createdAt"] % 2 == 0)


@pytest.mark.parametrize("keep", [None, evens])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_records_are_passed_over(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, keep: Any, order: str
) -> None:
    save(inside, 9)
    whole = [f"m{n}" for n in range(9) if keep is None or n % 2 == 0]
    if order == "desc":
        whole.reverse()

    limit = 9

    def walk(skip: int) -> tuple[list[str], int, int]:
        """What is after `skip` records, how many were skipped, and in how many calls."""
        args: dict[str, Any] = {**LIST, "order": order, "limit": limit}
        skipped = calls = 0
        while True:
            more = {"skip": skip - skipped} if skip > skipped else {}
            found = page(inside, keep, **args, **more)
            calls += 1
            assert ("skipped" in found) == bool(more)
            skipped += found.get("skipped", 0)
            if found["page"] or found["cursor"] is None:
                return names(found), skipped, calls
            # An empty page has not passed over all, or looked at enough that is not to be kept.
            assert skipped < skip or keep is not None
            args["cursor"] = found["cursor"]

    for skip in (1, 3, 4, 5, 8, 9, 10, 2**53 - 1):
        assert walk(skip) == (whole[skip:], min(skip, len(whole)), 1)
    monkeypatch.setattr(paging, "MAX_SKIP", 2)
    monkeypatch.setattr(paging, "MAX_LOOK", 2)
    monkeypatch.setattr(paging, "MAX_PAGE", 2)
    limit = 2
    for skip in (1, 2, 3, 4, 5, 8, 9, 10, 2**53 - 1):
        found, skipped, calls = walk(skip)
        assert (found, skipped) == (whole[skip:][: len(found)], min(skip, len(whole)))
        assert bool(found) == (skip < len(whole))
        assert calls <= 9 / 2 + 2


@pytest.mark.parametrize("skip", [-1, 0.5, 2**53, float("inf"), float("-inf")])
def test_a_skip_that_is_not_allowed(inside: Inside, skip: float) -> None:
    with pytest.raises(InvalidArgumentError, match="skip must be whole and >= 0, not"):
        page(inside, skip=skip)
    with pytest.raises(InvalidArgumentError, match="skip must be whole and >= 0, not"):
        paging.nothing({"limit": 1, "skip": skip})


@pytest.mark.parametrize("limit", [1, 2.0, MAX_PAGE])
def test_a_limit_that_is_allowed(limit: float) -> None:
    assert limit_of({"limit": limit}) == limit
    assert type(limit_of({"limit": limit})) is int


@pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1, 1.5, float("inf"), float("-inf")])
def test_a_limit_that_is_not(limit: float) -> None:
    with pytest.raises(InvalidArgumentError, match=f"from 1 to {MAX_PAGE}, not"):
        limit_of({"limit": limit})


def test_arrivals_are_bounded_in_bytes_too(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    save(inside, 4, size=400)
    monkeypatch.setattr(paging, "MAX_PAGE_BYTES", 700)
    found = inside(lambda ctx: arrivals_of(ctx, "messages", {"limit": 4, "after": 0}))
    assert (names(found), found["isDone"]) == (["m0", "m1"], False)
    found = inside(
        lambda ctx: arrivals_of(ctx, "messages", {"limit": 4, "after": found["position"]})
    )
    assert names(found) == ["m2", "m3"]
    newest = inside(lambda ctx: arrivals_of(ctx, "messages", {"limit": 4}))
    assert (names(newest), newest["isDone"]) == (["m2", "m3"], True)


@pytest.mark.parametrize(
    "key",
    [
        [],
        [1],
        [1, 2, 3, 4],
        ["x", 2, 3],
        [None, 2, 3],
        [True, 2, 3],
        [[], 2, 3],
        [{}, 2, 3],
        [float("nan"), 2, 3],
        ["\ud800", 2, 3],
        [1, 2, "x"],
        [1, 2, None],
        [1, 2, 1.5],
        [1, 2, 2**63],
    ],
)
def test_a_forged_cursor_is_refused(inside: Inside, key: list[Any]) -> None:
    save(inside, 5)
    fingerprint, *real = json.loads(base64.urlsafe_b64decode(page(inside)["cursor"]))
    assert len(real) == 3
    cursor = base64.urlsafe_b64encode(json.dumps([fingerprint, *key]).encode()).decode()
    with pytest.raises(InvalidArgumentError, match="the cursor is damaged; start from the first"):
        page(inside, cursor=cursor)


def test_a_cursor_may_stand_on_a_missing_value(inside: Inside) -> None:
    run = {"workflowName": "f", "createdAt": 1}
    for n in range(3):
        inside.mutation("workflowRuns:save", run={"id": f"w{n}", **run})

    def states(**args: Any) -> dict[str, Any]:
        index, values = "by_workflow_status", ("f",)
        found: dict[str, Any] = inside(
            lambda ctx: page_of(ctx, "workflowRuns", index, values, {**LIST, "limit": 2, **args})
        )
        return found

    assert names(states(cursor=states()["cursor"])) == ["w2"]
