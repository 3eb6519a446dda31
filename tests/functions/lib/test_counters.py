"""Totals of lists, kept with each change."""

import random
from collections import Counter
from typing import Any

import pytest

from mastra_convex.functions.lib import counters
from mastra_convex.functions.lib.records import by_key, insert, patch, remove, replace
from mastra_convex.functions.schema import schema
from tests.functions.lib.inside import Inside

COUNTED = {
    (table, index): fields
    for table, indexes in counters._LEADING.items()
    for index, fields in indexes.items()
}


def an_eval(id: str, agent: str, type: str, **fields: Any) -> dict[str, Any]:
    return {"id": id, "agentName": agent, "type": type, "createdAt": 1, **fields}


def totals(inside: Inside, table: str) -> dict[tuple[str, ...], float]:
    """Every counter of a table, by its index and values."""
    everything = inside(
        lambda ctx: (
            ctx.db.query("counters")
            .with_index("by_key", lambda q: q.eq("table", table))
            # More than any test makes.
            .take(1000)
        )
    )
    return {
        tuple(filter(None, (each["index"], each["first"], each.get("second")))): each["count"]
        for each in everything
    }


def test_inserted_changed_and_removed_documents_are_counted(inside: Inside) -> None:
    inside(lambda ctx: insert(ctx, "evals", an_eval("1", "a", "test", threadId="t")))
    inside(lambda ctx: insert(ctx, "evals", an_eval("2", "a", "live")))
    assert totals(inside, "evals") == {
        ("by_agent", "a"): 2,
        ("by_agent_type", "a", "test"): 1,
        ("by_agent_type", "a", "live"): 1,
        ("by_type", "test"): 1,
        ("by_type", "live"): 1,
        ("by_thread", "t"): 1,
    }

    def change(ctx: Any) -> None:
        one, two = by_key(ctx, "evals", "1"), by_key(ctx, "evals", "2")
        assert one is not None
        assert two is not None
        patch(ctx, "evals", one, {"threadId": None, "agentName": "b"})
        replace(ctx, "evals", two, an_eval("2", "b", "live", threadId="u"))

    inside(change)
    assert totals(inside, "evals") == {
        ("by_agent", "b"): 2,
        ("by_agent_type", "b", "test"): 1,
        ("by_agent_type", "b", "live"): 1,
        ("by_type", "test"): 1,
        ("by_type", "live"): 1,
        ("by_thread", "u"): 1,
    }
    for id in "12":
        inside(lambda ctx, id=id: remove(ctx, "evals", by_key(ctx, "evals", id) or {}))  # type: ignore[misc]
    # A counter that comes to nothing goes away.
    assert totals(inside, "evals") == {}


def test_a_total_is_read(inside: Inside) -> None:
    inside(lambda ctx: insert(ctx, "evals", an_eval("1", "a", "test")))

    def total(table: str, index: str, *values: str) -> Any:
        return inside(lambda ctx: counters.total(ctx, table, index, values))

    assert total("evals", "by_agent", "a") == 1
    assert total("evals", "by_agent_type", "a", "live") == 0
    assert total("evals", "by_agent", "none") == 0
    assert total("evals", "by_created") == 1
    assert total("messages", "by_thread_created", "t") is None
    assert total("resources", "by_key") == 0


def test_indexes_that_begin_alike_share_their_totals(inside: Inside) -> None:
    inside.mutation("threads:save", thread={"id": "t", "resourceId": "r"})
    values = [
        inside(lambda ctx, index=index: counters.total(ctx, "threads", index, ("r",)))  # type: ignore[misc]
        for index in ("by_resource_created", "by_resource_updated")
    ]
    assert values == [1, 1]


def test_resetting_forgets_the_counters_of_one_table(inside: Inside) -> None:
    inside(lambda ctx: insert(ctx, "evals", an_eval("1", "a", "test")))
    inside.mutation("threads:save", thread={"id": "t", "resourceId": "r"})
    inside(lambda ctx: counters.reset(ctx, "evals"))
    assert totals(inside, "evals") == {}
    assert totals(inside, "threads") == {("by_resource_created", "r"): 1}


@pytest.mark.parametrize(("table", "index"), COUNTED)
def test_a_counted_index_ends_in_a_time(table: str, index: str) -> None:
    if index == counters.OWNED:
        assert COUNTED[table, index] == ("resourceId", "threadId")
        return
    fields = schema.tables[table].indexes[index].fields
    assert fields[-1] in ("createdAt", "timestamp", "startedAt")
    assert 1 <= len(COUNTED[table, index]) <= 2


def test_counters_agree_with_counting(inside: Inside) -> None:
    dice = random.Random(7)
    for _ in range(150):
        owner = {"resourceId": dice.choice("rs")} if dice.random() < 0.7 else {}
        state = {"stateType": dice.choice("xy")} if dice.random() < 0.7 else {}
        run = {"id": dice.choice("abcdef"), "workflowName": dice.choice("fg"), **owner, **state}
        inside.mutation("workflowRuns:save", run=run)
    runs = inside.query("workflowRuns:list", order="asc", limit=500)["page"]
    expected: Counter[tuple[str, ...]] = Counter()
    for index, fields in counters._LEADING["workflowRuns"].items():
        for each in runs:
            if all(field in each for field in fields):
                key = (index, *(each[field] for field in fields))
                expected[key] += 1
    assert totals(inside, "workflowRuns") == expected
