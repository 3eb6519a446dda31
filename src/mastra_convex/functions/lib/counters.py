"""Totals of lists, kept in the transaction that changes them.

A counted index has one counter for each combination of its leading values (all its fields but the
last, which is a time). A list by those values reads its total from there. Messages are counted by
owner and thread together: so two threads of one owner have no counter in common, and what an owner
has in all of them is a sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mastra_convex.engine.context import MutationCtx
from mastra_convex.functions.lib.access import Ctx, Doc
from mastra_convex.functions.schema import schema

_COUNTED = {
    "threads": ("by_resource_created",),
    "traces": ("by_thread", "by_run", "by_scope", "by_name"),
    # Of branches none: on Convex, who adds a span to a trace would meet others there.
    "traceRoots": ("by_thread_started", "by_resource_started", "by_entity_started"),
    "evals": ("by_agent", "by_agent_type", "by_type", "by_thread"),
    "scores": ("by_scorer", "by_scorer_source", "by_run", "by_entity", "by_span"),
    "backgroundTasks": (
        "by_status",
        "by_agent",
        "by_agent_status",
        "by_run",
        "by_thread",
        "by_resource",
        "by_tool",
    ),
    "workflowRuns": ("by_workflow", "by_workflow_status", "by_resource", "by_status"),
}
_LEADING = {
    table: {index: schema.tables[table].indexes[index].fields[:-1] for index in indexes}
    for table, indexes in _COUNTED.items()
}

OWNED = "owned"
_LEADING["messages"] = {OWNED: ("resourceId", "threadId")}

# An index with the leading fields of a counted one has the same totals.
_SAME_TOTALS = {
    "by_resource_updated": "by_resource_created",
    "by_thread_ended": "by_thread_started",
    "by_resource_ended": "by_resource_started",
    "by_entity_ended": "by_entity_started",
}

_AT_ONCE = 100
Values = tuple[str, ...]


def total(ctx: Ctx, table: str, index: str, values: Values) -> float | None:
    """How many documents the index has under `values`; None if that is not counted."""
    if not values:
        return ctx.db.totals(table).documents
    index = _SAME_TOTALS.get(index, index)
    if index not in _LEADING.get(table, {}):
        return None
    counter = _find(ctx, table, index, values)
    return counter["count"] if counter else 0


def changed(ctx: MutationCtx, table: str, before: Doc | None, after: Doc | None) -> None:
    """Count a document that was inserted (no `before`), changed, or deleted (no `after`)."""
    if table not in _LEADING:
        return
    for index, fields in _LEADING[table].items():
        old = None if before is None else _values(before, fields)
        new = None if after is None else _values(after, fields)
        if old != new:
            if old is not None:
                _add(ctx, table, index, old, -1)
            if new is not None:
                _add(ctx, table, index, new, 1)


def owned(ctx: Ctx, resource_id: str, thread_id: str) -> float:
    """How many messages of a thread belong to the resource."""
    counter = _find(ctx, "messages", OWNED, (resource_id, thread_id))
    return counter["count"] if counter else 0


def owned_after(ctx: Ctx, resource_id: str, after: str) -> Iterator[Doc]:
    """Counters of a resource's messages, one for each thread (`second`) that has any, after one."""
    of_resource = ctx.db.query("counters").with_index(
        "by_key",
        lambda q: (
            q.eq("table", "messages")
            .eq("index", OWNED)
            .eq("first", resource_id)
            .gt("second", after)
        ),
    )
    cursor: str | None = None
    while True:
        found = of_resource.paginate(cursor, _AT_ONCE)
        yield from found.page
        cursor = found.cursor
        if cursor is None:
            return


def give_thread(ctx: MutationCtx, thread_id: str, resource_id: str, messages: int) -> None:
    """Count all messages of a thread as the resource's."""
    forget_thread(ctx, thread_id)
    if messages:
        _add(ctx, "messages", OWNED, (resource_id, thread_id), messages)


def forget_thread(ctx: MutationCtx, thread_id: str) -> None:
    """Forget what is counted of a thread whose messages were deleted."""
    of_thread = ctx.db.query("counters").with_index(
        "by_second", lambda q: q.eq("table", "messages").eq("index", OWNED).eq("second", thread_id)
    )
    while some := of_thread.take(_AT_ONCE):
        for counter in some:
            ctx.db.delete("counters", counter["_id"])


def add(ctx: MutationCtx, table: str, name: str, value: str, delta: int) -> float:
    """Add to a counter that is no list's; returns what it counts then."""
    _add(ctx, table, name, (value,), delta)
    counter = _find(ctx, table, name, (value,))
    return counter["count"] if counter else 0


def forget(ctx: MutationCtx, table: str, name: str, value: str) -> None:
    """Forget a counter that is no list's, if it is there."""
    counter = _find(ctx, table, name, (value,))
    if counter is not None:
        ctx.db.delete("counters", counter["_id"])


def reset(ctx: MutationCtx, table: str) -> None:
    """Forget all counters of a table that was cleared."""
    ctx.db.delete_range(
        ctx.db.query("counters").with_index("by_key", lambda q: q.eq("table", table))
    )


def _values(document: Doc, fields: Values) -> Values | None:
    values: tuple[Any, ...] = tuple(map(document.get, fields))
    return None if None in values else values


def _find(ctx: Ctx, table: str, index: str, values: Values) -> Doc | None:
    first, second = (*values, "")[:2]
    return ctx.db.find("counters", "by_key", table, index, first, second)


def _add(ctx: MutationCtx, table: str, index: str, values: Values, delta: int) -> None:
    counter = _find(ctx, table, index, values)
    if counter is None:
        first, second = (*values, "")[:2]
        ctx.db.insert(
            "counters",
            {"table": table, "index": index, "first": first, "second": second, "count": delta},
        )
    elif counter["count"] + delta == 0:
        ctx.db.delete("counters", counter["_id"])
    else:
        ctx.db.patch("counters", counter["_id"], {"count": counter["count"] + delta})
