"""System: what is in the store, and clearing it."""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.engine.migrations import FORMAT_VERSION
from mastra_convex.functions.lib import counters, facets
from mastra_convex.functions.lib.access import (
    Args,
    Doc,
    require_service,
    storage_mutation,
    storage_query,
)
from mastra_convex.values.validators import v
from mastra_convex.values.version import FUNCTIONS_VERSION

TABLES = (
    *("threads", "messages", "resources", "traces", "spans"),
    *("logs", "metrics", "scoreEvents", "feedback", "evals", "workflowRuns"),
    *("observationalMemory", "observationChunks"),
    *("scores", "schedules", "scheduleTriggers", "backgroundTasks"),
    *("channelInstallations", "channelConfigs"),
)
# Tables whose documents are parts of other tables' records: they are counted and cleared with them.
_PARTS = {"spans": ("spanBodies", "spanTraces", "traceRoots", "traceBranches")}

_table = v.union(*(v.literal(name) for name in TABLES))
_STEP = 500


@storage_query(args={}, returns=v.object({"format": v.number(), "functions": v.number()}))
def version(_ctx: QueryCtx, _args: Args) -> Doc:
    """The number of the format of what is stored, and that of these functions."""
    return {"format": FORMAT_VERSION, "functions": FUNCTIONS_VERSION}


@storage_query(
    args={},
    returns=v.array(v.object({"table": _table, "records": v.number(), "bytes": v.number()})),
)
def statistics(ctx: QueryCtx, _args: Args) -> list[Doc]:
    """Records, and bytes of their values, per table."""
    require_service(ctx, "reading statistics")
    found = []
    for name in TABLES:
        totals = [ctx.db.totals(each) for each in (name, *_PARTS.get(name, ()))]
        size = sum(total.bytes for total in totals)
        found.append({"table": name, "records": totals[0].documents, "bytes": size})
    return found


@storage_mutation(args={"table": _table}, returns=v.null())
def clear(ctx: MutationCtx, args: Args) -> None:
    """Delete every record of a table. Threads take their messages along."""
    require_service(ctx, "clearing a table")
    table = args["table"]
    for each in (table, *_PARTS.get(table, ())):
        ctx.db.delete_range(ctx.db.query(each).with_index("by_key"))
        counters.reset(ctx, each)
    facets.forget(ctx, table)
    if table == "threads":
        ctx.db.delete_range(ctx.db.query("messages").with_index("by_key"))
        counters.reset(ctx, "messages")
    elif table == "schedules":
        ctx.db.delete_range(ctx.db.query("scheduleTriggers").with_index("by_key"))
    elif table == "messages":
        _forget_messages(ctx)
    elif table == "observationalMemory":
        ctx.db.delete_range(ctx.db.query("observationChunks").with_index("by_key"))


def _forget_messages(ctx: MutationCtx) -> None:
    """Set the message count of every thread to zero."""
    cursor: str | None = None
    while True:
        threads = ctx.db.query("threads").with_index("by_key").paginate(cursor, _STEP)
        for thread in threads.page:
            ctx.db.patch("threads", thread["_id"], {"messageCount": 0})
        cursor = threads.cursor
        if cursor is None:
            return
