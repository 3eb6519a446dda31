"""Reading, saving and removing records by their own keys."""

from functools import partial
from typing import Any

import pytest

from mastra_convex.engine.context import MutationCtx
from mastra_convex.functions.lib.records import (
    by_key,
    insert,
    later,
    patch,
    public,
    publish,
    remove,
    save,
    thread_visible,
)
from tests.functions.lib.inside import ALICE, Inside

THREAD = {
    "id": "t",
    "resourceId": "alice",
    "createdAt": 1,
    "updatedAt": 1,
    "messageCount": 3,
    "lastSeq": 4,
}


def found(inside: Inside) -> dict[str, Any]:
    """The thread, with all that is in its document."""
    document = inside(lambda ctx: by_key(ctx, "threads", "t"))
    assert document is not None
    return {name: value for name, value in document.items() if name != "_id"}


def test_what_is_inside_stays_inside() -> None:
    document = {"_id": 7, **THREAD}
    record = {"id": "t", "resourceId": "alice", "createdAt": 1, "updatedAt": 1}
    assert public(document) == record
    assert document["_id"] == 7
    assert publish(document) == record


def test_by_key(inside: Inside) -> None:
    assert inside(lambda ctx: by_key(ctx, "threads", "t")) is None
    inside(lambda ctx: insert(ctx, "threads", THREAD))
    assert found(inside) == THREAD
    run = {"id": "w", "workflowName": "f", "createdAt": 1, "updatedAt": 1}
    inside(lambda ctx: insert(ctx, "workflowRuns", run))
    assert inside(lambda ctx: public(by_key(ctx, "workflowRuns", "f", "w") or {})) == run
    assert inside(lambda ctx: by_key(ctx, "workflowRuns", "w", "f")) is None


def test_saving_keeps_creation_and_what_is_inside(inside: Inside) -> None:
    inside(lambda ctx: insert(ctx, "threads", THREAD))
    record = {"id": "t", "resourceId": "bob", "createdAt": 99, "updatedAt": 5}
    inside(lambda ctx: save(ctx, "threads", by_key(ctx, "threads", "t"), record))
    assert found(inside) == {**THREAD, "resourceId": "bob", "updatedAt": 5}


def test_saving_the_same_writes_nothing(inside: Inside) -> None:
    def written(ctx: MutationCtx, record: dict[str, Any]) -> int:
        save(ctx, "threads", by_key(ctx, "threads", "t"), record)
        ctx.db.flush()
        return len(ctx.db.changes)

    inside(lambda ctx: insert(ctx, "threads", THREAD))
    for record in (public(THREAD), {"id": "t", "resourceId": "alice"}):
        assert inside(partial(written, record=record)) == 0
    assert inside(partial(written, record={**public(THREAD), "title": "New"})) == 1
    assert found(inside) == {**THREAD, "title": "New"}


def test_a_change_without_a_time_moves_on(inside: Inside) -> None:
    ahead = 10**14
    inside(lambda ctx: insert(ctx, "threads", {**THREAD, "updatedAt": ahead}))
    record = {"id": "t", "resourceId": "alice", "title": "New"}
    inside(lambda ctx: save(ctx, "threads", by_key(ctx, "threads", "t"), record))
    assert found(inside)["updatedAt"] == ahead + 1


def test_a_first_save_is_of_this_moment(inside: Inside) -> None:
    saved = inside(lambda ctx: (save(ctx, "traces", None, {"id": "x", "timestamp": 1}), ctx.now))
    assert saved[0]["createdAt"] == saved[1]


@pytest.mark.parametrize(
    ("updated_at", "after", "expected"),
    [(0, 0, 0), (10, 0, 11), (-5, 3, 3), (10, 20, 20), (10, 11, 11)],
)
def test_later(inside: Inside, updated_at: int, after: int, expected: int) -> None:
    # In milliseconds from now.
    moment = inside(
        lambda ctx: later(ctx, {"updatedAt": ctx.now + updated_at}, ctx.now + after) - ctx.now
    )
    assert moment == (expected or 1)


def test_a_thread_is_visible_to_its_owner(inside: Inside) -> None:
    inside(lambda ctx: insert(ctx, "threads", THREAD))
    inside(lambda ctx: insert(ctx, "threads", {**THREAD, "id": "u", "resourceId": "bob"}))
    threads = ("t", "u", "none", None)
    assert inside(lambda ctx: [thread_visible(ctx, each) for each in threads]) == [True] * 4
    seen = inside(lambda ctx: [thread_visible(ctx, each) for each in threads], ALICE)
    assert seen == [True, False, False, False]


def test_a_patch_and_a_removal(inside: Inside) -> None:
    inside(lambda ctx: insert(ctx, "threads", THREAD))
    patched = inside(
        lambda ctx: patch(ctx, "threads", by_key(ctx, "threads", "t") or {}, {"title": "A"})
    )
    assert patched["title"] == "A"
    assert found(inside) == {**THREAD, "title": "A"}
    inside(lambda ctx: remove(ctx, "threads", by_key(ctx, "threads", "t") or {}))
    assert inside(lambda ctx: by_key(ctx, "threads", "t")) is None
