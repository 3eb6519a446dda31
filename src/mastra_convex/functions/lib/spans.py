"""Spans: a row that lists look at, a body apart from it, and the trace that both belong to."""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx
from mastra_convex.errors import InvalidArgumentError, LimitExceededError
from mastra_convex.functions.lib import counters
from mastra_convex.functions.lib.access import Ctx, Doc, owns
from mastra_convex.functions.lib.facets import Facets
from mastra_convex.functions.lib.listed import keep_branch, keep_failed, keep_root
from mastra_convex.functions.lib.paging import MAX_PAGE_BYTES
from mastra_convex.functions.lib.payloads import merge
from mastra_convex.functions.lib.records import (
    by_key,
    insert,
    later,
    patch,
    public,
    remove,
    replace,
)
from mastra_convex.functions.validators import span_body_fields

# Several look-ups a span have to fit into one transaction on Convex.
MAX_SPANS = 500
# Each trace is looked up, hidden, and its spans are looked for.
MAX_TRACES = 50
# What a trace has of its head.
_OF_HEAD = ("resourceId", "organizationId")
# The counter of a trace's spans with an error.
_ERRORS = "errors"


def check_count(count: int, what: str, most: int) -> None:
    """Raise `LimitExceededError` for more than one call takes."""
    if count > most:
        raise LimitExceededError(
            f"{count} {what} in one call, which takes at most {most}; split them",
            limit=most,
            given=count,
        )


def visible_trace(ctx: Ctx, trace_id: str) -> Doc | None:
    """The trace with this id if the caller may see what belongs to it."""
    trace = by_key(ctx, "spanTraces", trace_id)
    return trace if trace and owns(ctx, trace.get("resourceId")) else None


def key_of(trace: Doc) -> str:
    """What the spans of a trace name it by."""
    return str(trace["_id"])


def whole(ctx: Ctx, row: Doc) -> Doc:
    """The span of a row, with its body."""
    body = by_key(ctx, "spanBodies", row["trace"], row["spanId"])
    return {**public(row), **public(body or {})}


def some_by_key(ctx: Ctx, keys: list[Doc]) -> Doc:
    """The spans of these keys that there are, and how many keys this call had no room for."""
    check_count(len(keys), "ids of spans", MAX_SPANS)
    page: list[Doc] = []
    traces: dict[str, Doc | None] = {}
    size = looked = 0
    while looked < len(keys) and size < MAX_PAGE_BYTES:
        key = keys[looked]
        looked += 1
        trace_id = key["traceId"]
        if trace_id not in traces:
            traces[trace_id] = visible_trace(ctx, trace_id)
        trace = traces[trace_id]
        row = trace and by_key(ctx, "spans", key_of(trace), key["spanId"])
        if row:
            page.append(whole(ctx, row))
            size += sum(len(text) for text in page[-1].values() if isinstance(text, str))
    return {"page": page, "rest": len(keys) - looked}


class Traces:
    """The traces that one mutation touches: read once, written once at the end."""

    def __init__(self, ctx: MutationCtx) -> None:
        self._ctx = ctx
        self._read: dict[str, Doc | None] = {}
        # What is to be set, and how many spans with an error came in or went, by the trace's id.
        self._heads: dict[str, Doc] = {}
        self._roots: dict[str, Doc | None] = {}
        self._errors: dict[str, int] = {}
        # Traces that this mutation has made, and the ids of the spans that they have: no others.
        self._made: dict[str, set[str]] = {}
        self._facets = Facets(ctx, "spans")

    def get(self, trace_id: str) -> Doc | None:
        """The trace as it was before this mutation, or as it made it."""
        if trace_id not in self._read:
            self._read[trace_id] = by_key(self._ctx, "spanTraces", trace_id)
        return self._read[trace_id]

    def obtain(self, span: Doc) -> Doc:
        """The trace of a span, made if the span is its first."""
        trace = self.get(span["traceId"])
        if trace is None:
            fresh = {"traceId": span["traceId"], "headSpanId": span["spanId"], "failed": False}
            trace = self._read[span["traceId"]] = insert(self._ctx, "spanTraces", fresh)
            self._made[key_of(trace)] = set()
        return trace

    def row_of(self, trace: str, span_id: str) -> Doc | None:
        """The row of a span, if it is there; where it cannot be, nobody looks for it."""
        made = self._made.get(trace)
        if made is not None and span_id not in made:
            made.add(span_id)
            return None
        return by_key(self._ctx, "spans", trace, span_id)

    def changed(self, before: Doc | None, after: Doc) -> None:
        """Take over what the trace, the lists and discovery have of its spans' rows."""
        keep_branch(self._ctx, before, after)
        self._facets.note(after)
        trace_id = after["traceId"]
        trace = self._read[trace_id]
        assert trace is not None
        delta = ("error" in after) - (before is not None and "error" in before)
        self._errors[trace_id] = self._errors.get(trace_id, 0) + delta
        is_root = "parentSpanId" not in after
        head = self._heads.get(trace_id, trace)
        if is_root or head["headSpanId"] == after["spanId"]:
            fields = {name: after.get(name) for name in _OF_HEAD}
            fields["headSpanId"] = after["spanId"]
            fields["startedAt"] = after["startedAt"] if is_root else None
            self._heads[trace_id] = fields
            self._roots[trace_id] = after if is_root else None

    def write(self) -> None:
        """Patch the traces that have changed, and add what is new to discovery."""
        self._facets.write()
        for trace_id, delta in self._errors.items():
            trace = self._read[trace_id]
            assert trace is not None
            fields = self._heads.get(trace_id, {})
            if delta:
                left = counters.add(self._ctx, "spans", _ERRORS, key_of(trace), delta)
                fields["failed"] = left > 0
            patch(self._ctx, "spanTraces", trace, fields)
            failed = bool({**trace, **fields}["failed"])
            if trace_id in self._roots:
                key = key_of(trace)
                listed = None if key in self._made else by_key(self._ctx, "traceRoots", key)
                keep_root(self._ctx, listed, self._roots[trace_id], failed)
            elif failed != trace["failed"]:
                keep_failed(self._ctx, key_of(trace), failed)


def save_spans(ctx: MutationCtx, spans: list[Doc]) -> float:
    """Save spans; returns when the last of them has changed."""
    check_count(len(spans), "spans", MAX_SPANS)
    traces = Traces(ctx)
    newest = 0.0
    for span in spans:
        if not span["traceId"] or not span["spanId"]:
            raise InvalidArgumentError("a span's traceId and spanId must not be empty; give both")
        newest = max(newest, save_span(ctx, traces, span))
    traces.write()
    return newest


def save_span(ctx: MutationCtx, traces: Traces, span: Doc) -> float:
    """Make a span what its trace has under its id; returns when it has changed."""
    key = key_of(traces.obtain(span))
    body = {name: span[name] for name in span_body_fields if name in span}
    row = {name: value for name, value in span.items() if name not in span_body_fields}
    row["trace"] = key
    before = traces.row_of(key, span["spanId"])
    if before is not None:
        stored = by_key(ctx, "spanBodies", key, span["spanId"])
        return _write_over(ctx, traces, before, row, stored, body)
    row = {"createdAt": ctx.now, "updatedAt": ctx.now, **row}
    insert(ctx, "spans", row)
    if body:
        insert(ctx, "spanBodies", {"trace": key, "spanId": span["spanId"], **body})
    traces.changed(None, row)
    changed: float = row["updatedAt"]
    return changed


def change_span(ctx: MutationCtx, traces: Traces, before: Doc, change: Doc) -> None:
    """Set fields of a span, and remove those that are `cleared`."""
    fields = {**dict.fromkeys(change.get("cleared", ())), **change}
    for name in ("traceId", "spanId", "cleared"):
        fields.pop(name, None)
    row = {name: value for name, value in before.items() if name not in ("_id", "updatedAt")}
    stored: Doc | None = None
    if not fields.keys().isdisjoint(span_body_fields):
        stored = by_key(ctx, "spanBodies", before["trace"], before["spanId"])
    body = _content(stored)
    if fields.get("extra") is not None:
        fields["extra"] = merge(body.get("extra"), fields["extra"])
    for name, value in fields.items():
        target = body if name in span_body_fields else row
        if value is None:
            target.pop(name, None)
        else:
            target[name] = value
    _write_over(ctx, traces, before, row, stored, body)


def _content(stored: Doc | None) -> Doc:
    return {name: stored[name] for name in span_body_fields if name in stored} if stored else {}


def _write_over(
    ctx: MutationCtx, traces: Traces, before: Doc, row: Doc, stored: Doc | None, body: Doc
) -> float:
    """Make `row` and `body` the whole span, where `before` and `stored` are; not if they are equal.

    A span keeps its `createdAt`. Returns when it has changed.
    """
    row["createdAt"] = before["createdAt"]
    old = {name: value for name, value in before.items() if name != "_id"}
    same_body = body == _content(stored)
    changed: float = old["updatedAt"]
    if same_body and {"updatedAt": changed, **row} == old:
        return changed
    changed = row.setdefault("updatedAt", later(ctx, before))
    replace(ctx, "spans", before, row)
    traces.changed(before, row)
    if same_body:
        return changed
    document = {"trace": before["trace"], "spanId": before["spanId"], **body}
    if stored is None:
        insert(ctx, "spanBodies", document)
    elif body:
        replace(ctx, "spanBodies", stored, document)
    else:
        remove(ctx, "spanBodies", stored)
    return changed


def remove_trace(ctx: MutationCtx, trace: Doc) -> None:
    """Delete a trace with its spans."""
    key = key_of(trace)
    remove(ctx, "spanTraces", trace)
    counters.forget(ctx, "spans", _ERRORS, key)
    root = by_key(ctx, "traceRoots", key)
    if root is not None:
        remove(ctx, "traceRoots", root)
    for table in ("traceBranches", "spans", "spanBodies"):
        ctx.db.delete_range(ctx.db.query(table).with_index("by_key", lambda q: q.eq("trace", key)))
