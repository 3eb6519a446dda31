"""What logs, metrics, scores and feedback have in common: records that are added and not changed.

They name the trace they belong to, and nothing else holds them: who deletes a trace deletes its
signals by that name.
"""

from __future__ import annotations

from typing import Any

from mastra_convex.engine.context import MutationCtx
from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions.lib.access import Args, Ctx, Doc, principal_of, require_service
from mastra_convex.functions.lib.facets import Facets
from mastra_convex.functions.lib.paging import Indexes, list_by, nothing
from mastra_convex.functions.lib.records import by_key, remove
from mastra_convex.functions.lib.records import save as save_record
from mastra_convex.functions.lib.spans import MAX_SPANS, MAX_TRACES, check_count
from mastra_convex.functions.schema import schema

# Each is looked up, and written into several indexes.
MAX_SIGNALS = MAX_SPANS
# What discovery lists is taken from these, as in Mastra.
_DISCOVERED = frozenset({"logs", "metrics"})
# Signals that one call deletes, or passes by.
_STEP = 500
_PAGE = 20
_TENANT = ("organizationId", "resourceId")


def save_signals(ctx: MutationCtx, table: str, records: list[Doc]) -> None:
    """Save signals by their ids, replacing those that are there; all of them, or none.

    One without a `timestamp` is of now, and stays of then when it is saved again.
    """
    require_service(ctx, f"saving {table}")
    check_count(len(records), table, MAX_SIGNALS)
    (key,) = schema.tables[table].indexes["by_key"].fields
    facets = Facets(ctx, table)
    for record in records:
        if not record[key]:
            raise InvalidArgumentError(f"{key} must not be empty; give each of {table} its own")
        before = by_key(ctx, table, record[key])
        timestamp = before["timestamp"] if before else ctx.now
        save_record(ctx, table, before, {"timestamp": timestamp, **record})
        if table in _DISCOVERED:
            facets.note(record)
    facets.write()


def list_signals(
    ctx: Ctx, table: str, indexes: Indexes, args: Args, also: tuple[str, ...]
) -> dict[str, Any]:
    """A page of signals by `timestamp`, that meet all of the criteria given; a resource's own."""
    own = principal_of(ctx).resource_id
    if own is None:
        return list_by(ctx, table, indexes, args, also)
    args = {"resourceId": own, **args}
    if args["resourceId"] != own:
        return nothing(args)
    everything = (*(name for names in indexes.values() for name in names), *also)
    return list_by(ctx, table, {"by_resource": ("resourceId",)}, args, everything)


def remove_signals(ctx: MutationCtx, table: str, ids: list[str], args: Args) -> None:
    """Delete signals: those of the organization and the resource, if given.

    Unknown ids are fine.
    """
    require_service(ctx, f"deleting {table}")
    check_count(len(ids), table, MAX_SIGNALS)
    for signal_id in dict.fromkeys(ids):
        signal = by_key(ctx, table, signal_id)
        if signal is not None and _is_of(signal, args):
            remove(ctx, table, signal)


def remove_by_traces(ctx: MutationCtx, table: str, args: Args) -> Doc:
    """Delete what belongs to traces, trace by trace, until one call has done enough.

    Each signal is looked at for itself: it goes if it is of the organization and the resource
    given, whatever its trace is.
    """
    require_service(ctx, f"deleting {table}")
    trace_ids = args["traceIds"]
    check_count(len(trace_ids), "ids of traces", MAX_TRACES)
    looked, cursor = 0, args.get("cursor")
    for done, trace_id in enumerate(trace_ids):
        while True:
            if looked >= _STEP:
                return {"rest": len(trace_ids) - done, "cursor": cursor}
            found = _of_trace(ctx, table, trace_id, cursor)
            looked += len(found.page)
            cursor = found.cursor
            for signal in found.page:
                if _is_of(signal, args):
                    remove(ctx, table, signal)
            if cursor is None:
                break
    return {"rest": 0, "cursor": None}


def _of_trace(ctx: Ctx, table: str, trace_id: str, cursor: str | None) -> Any:
    query = ctx.db.query(table).with_index("by_trace", lambda q: q.eq("traceId", trace_id))
    return query.paginate(cursor, _PAGE)


def _is_of(signal: Doc, args: Args) -> bool:
    return all(signal.get(name) == args.get(name, signal.get(name)) for name in _TENANT)
