"""Reading the lists of traces and of branches.

A list walks its own small documents (lib/listed.py) and reads the row of each span, no body.
"""

from __future__ import annotations

import math

from mastra_convex.functions.lib.access import Args, Ctx, Doc, owns, principal_of
from mastra_convex.functions.lib.paging import (
    MAX_PAGE_BYTES,
    arrivals_of,
    limit_of,
    nothing,
    page_of,
    skip_of,
    text_in,
)
from mastra_convex.functions.lib.records import by_key, public
from mastra_convex.functions.lib.spans import key_of, visible_trace

# The tables of the lists, by what they are called.
LISTS = {"traces": "traceRoots", "branches": "traceBranches"}

# What a list can be read by, the narrowest first: the name in indexes, and the argument.
_CRITERIA = {
    "traceRoots": (
        ("message", "messageId"),
        ("run", "runId"),
        ("thread", "threadId"),
        ("resource", "resourceId"),
        ("entity", "entityId"),
        ("status", "status"),
    ),
    "traceBranches": (
        ("run", "runId"),
        ("thread", "threadId"),
        ("resource", "resourceId"),
        ("entity", "entityId"),
    ),
}
# What a row shows besides its span's fields.
_SHOWN = ("inputPreview", "hasChildError")
_ORDERS = {"startedAt": "started", "endedAt": "ended"}
# Traces that one call looks at, with those that the caller may not see.
_MOST_LOOKS = 1200
_PAGING = ("orderBy", "order", "cursor", "skip", "limit", "withTotal", "from", "to", "traceId")


def listed(ctx: Ctx, table: str, args: Args) -> Doc:
    """A page of a list, of what meets all of the criteria among `args`."""
    criteria = {name: value for name, value in args.items() if name not in _PAGING}
    trace = visible_trace(ctx, args["traceId"]) if "traceId" in args else None
    own = principal_of(ctx).resource_id
    # What a resource may see of one trace, the trace says; else it walks its own rows.
    if own is not None and trace is None:
        criteria.setdefault("resourceId", own)
    hidden = "traceId" in args and trace is None
    if hidden or not (trace or owns(ctx, criteria.get("resourceId"))):
        return nothing(args)
    ordered = _ORDERS[args["orderBy"]]
    paging = {name: args[name] for name in _PAGING if name in args}

    def found(index: str, values: tuple[str, ...], served: str | None = None) -> Doc:
        left = {name: value for name, value in criteria.items() if name != served}
        paging["withTotal"] = args.get("withTotal", False) and not left
        look = _Look(ctx, table, left)
        return page_of(ctx, table, index, values, paging, look.keep, look.show)

    if trace is not None and table == "traceRoots":
        return _root_alone(ctx, key_of(trace), args, criteria)
    if trace is not None:
        return found(f"by_trace_{ordered}", (key_of(trace),))
    for word, name in _CRITERIA[table]:
        if name in criteria and (own is None or name == "resourceId"):
            return found(f"by_{word}_{ordered}", (criteria[name],), name)
    return found(f"by_{ordered}", ())


def _root_alone(ctx: Ctx, trace: str, args: Args, criteria: Doc) -> Doc:
    """The list of one trace: its row, if that meets the criteria."""
    limit_of(args)
    skip = skip_of(args)
    look = _Look(ctx, "traceRoots", criteria)
    row = by_key(ctx, "traceRoots", trace)
    time = row and row["startedAt" if args["orderBy"] == "startedAt" else "endsAt"]
    inside = row and args.get("from", -math.inf) <= time <= args.get("to", math.inf)
    kept = row and inside and (look.keep is None or look.keep(row))
    page: Doc = {"page": [look.show(row)] if row and kept and not skip else [], "cursor": None}
    return {**page, "skipped": int(bool(kept))} if skip else page


def arrived(ctx: Ctx, table: str, args: Args) -> Doc:
    """Rows of a list in the order in which they came into it."""
    return arrivals_of(ctx, table, args, _Look(ctx, table, {}).show)


def traces_of_message(ctx: Ctx, args: Args) -> Doc:
    """Rows of the traces of which a span names the message: one look into the index for each.

    A page goes on past the traces of others, so that its end says nothing of them.
    """
    limit = limit_of(args)
    look = _Look(ctx, "traceRoots", {})
    page: list[Doc] = []
    size = 0
    after = args.get("cursor", "")
    for _ in range(_MOST_LOOKS):
        named = _after(ctx, "by_message", "messageId", args["messageId"], "trace", after)
        if named is None:
            return {"page": page, "cursor": None}
        after = named["trace"]
        trace = ctx.db.get("spanTraces", int(after))
        if trace is not None and owns(ctx, trace.get("resourceId")):
            root = by_key(ctx, "traceRoots", after)
            if root is not None:
                page.append(look.show(root))
                size += text_in(page[-1])
                if len(page) == limit or size >= MAX_PAGE_BYTES:
                    break
    return {"page": page, "cursor": after}


def message_ids_of(ctx: Ctx, args: Args) -> list[str]:
    """The ids of the messages that spans of a trace name: one look into the index for each."""
    limit = limit_of(args)
    trace = visible_trace(ctx, args["traceId"])
    ids: list[str] = []
    after = args.get("after", "")
    while trace is not None and len(ids) < limit:
        named = _after(ctx, "by_trace_message", "trace", key_of(trace), "messageId", after)
        if named is None:
            break
        after = named["messageId"]
        ids.append(after)
    return ids


def _after(ctx: Ctx, index: str, first: str, value: str, second: str, after: str) -> Doc | None:
    """The first span of an index of two fields with this value, and the other one after that."""
    return (
        ctx.db.query("spans")
        .with_index(index, lambda q: q.eq(first, value).gt(second, after))
        .first()
    )


class _Look:
    """Which rows are in a list, and the rows of their spans; each span is read once."""

    def __init__(self, ctx: Ctx, table: str, criteria: Doc) -> None:
        self._ctx = ctx
        self._criteria = criteria
        self._spans: dict[int, Doc] = {}
        # A trace's root is found by whose it is; a branch may be in a trace of somebody else's.
        self._owned: dict[str, bool] | None = {}
        if table == "traceRoots" or principal_of(ctx).is_service:
            self._owned = None
        # Where all rows are in the list, they can be passed over without their spans.
        self.keep = self._keep if criteria or self._owned is not None else None

    def show(self, row: Doc) -> Doc:
        """The record of a row."""
        known = self._known(row)
        found = public(known)
        found.update((name, known[name]) for name in _SHOWN if name in known)
        del found["status"]
        return found

    def _keep(self, row: Doc) -> bool:
        if self._owned is not None and not self._is_own(row["trace"]):
            return False
        known = self._known(row)
        return all(known.get(name) == value for name, value in self._criteria.items())

    def _is_own(self, key: str) -> bool:
        assert self._owned is not None
        if key not in self._owned:
            trace = self._ctx.db.get("spanTraces", int(key))
            self._owned[key] = trace is not None and owns(self._ctx, trace.get("resourceId"))
        return self._owned[key]

    def _known(self, row: Doc) -> Doc:
        """The span of a row, with what the list knows of it."""
        if row["_id"] not in self._spans:
            span = by_key(self._ctx, "spans", row["trace"], row["spanId"])
            known: Doc = {**(span or {}), "status": row["status"]}
            if "failed" in row:
                known["hasChildError"] = row["failed"]
            self._spans[row["_id"]] = known
        return self._spans[row["_id"]]
