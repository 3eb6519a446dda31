"""Reading, saving and removing records by their own keys: what all entities have in common."""

from __future__ import annotations

from typing import Any

from mastra_convex.engine.context import MutationCtx
from mastra_convex.errors import ConflictError
from mastra_convex.functions.lib import counters
from mastra_convex.functions.lib.access import Args, Ctx, Doc, owns, principal_of

# Fields that stay inside: never part of a record that a function returns.
_INTERNAL = frozenset({"_id", "messageCount", "lastSeq", "trace", "inputPreview"})


def public(document: Doc) -> Doc:
    """The record in a document."""
    return {name: value for name, value in document.items() if name not in _INTERNAL}


def publish(document: Doc) -> Doc:
    """As `public`, on a document that nobody else holds: a page's, fresh from the table."""
    for name in _INTERNAL:
        document.pop(name, None)
    return document


def by_key(ctx: Ctx, table: str, *key: str) -> Doc | None:
    """The document with this key, or None."""
    return ctx.db.find(table, "by_key", *key)


def save(ctx: MutationCtx, table: str, before: Doc | None, record: Doc) -> Doc:
    """Make `record` what the table has of it; returns the document.

    `before` is what the table has now. A saved record keeps its `createdAt`. Saving what is there
    already writes nothing, so that a retry after a lost reply changes nothing.
    """
    if before is None:
        return insert(ctx, table, {"createdAt": ctx.now, **record})
    record = {**record, "createdAt": before["createdAt"]}
    if "updatedAt" in before and "updatedAt" not in record:
        unchanged = {**record, "updatedAt": before["updatedAt"]} == public(before)
        record["updatedAt"] = before["updatedAt"] if unchanged else later(ctx, before)
    kept = {name: before[name] for name in _INTERNAL if name in before and name != "_id"}
    return replace(ctx, table, before, {**kept, **record})


def thread_visible(ctx: Ctx, thread_id: str | None) -> bool:
    """Whether the caller may see what belongs to this thread."""
    if principal_of(ctx).is_service:
        return True
    thread = None if thread_id is None else by_key(ctx, "threads", thread_id)
    return thread is not None and owns(ctx, thread["resourceId"])


def later(ctx: MutationCtx, before: Doc, after: float = 0) -> float:
    """The next `updatedAt`: now, but at least 1 ms after the one before, and after `after`."""
    moment: float = max(ctx.now, before["updatedAt"] + 1, after)
    return moment


def require_expected(document: Doc, args: Args, table: str) -> None:
    """Raise `ConflictError` if fields are not as `expected`; null stands for a missing one."""
    for name, value in args.get("expected", {}).items():
        if document.get(name) != value:
            raise ConflictError(
                f"{name} of {document['id']!r} in {table} has changed meanwhile; read it again, "
                "and try again",
                table=table,
                id=document["id"],
            )


def changed(record: Doc, fields: Doc) -> Doc:
    """The record with other values; null takes a field away."""
    return {name: value for name, value in {**record, **fields}.items() if value is not None}


def insert(ctx: MutationCtx, table: str, record: Doc) -> Doc:
    """Add a document and count it; returns it."""
    document_id = ctx.db.insert(table, record)
    counters.changed(ctx, table, None, record)
    return {**record, "_id": document_id}


def replace(ctx: MutationCtx, table: str, before: Doc, record: Doc) -> Doc:
    """Make `record` the whole document and keep the counters right; returns it."""
    ctx.db.replace(table, before["_id"], record)
    counters.changed(ctx, table, before, record)
    return {**record, "_id": before["_id"]}


def patch(ctx: MutationCtx, table: str, before: Doc, fields: Doc) -> Doc:
    """Change some fields and keep the counters right; returns the document."""
    ctx.db.patch(table, before["_id"], fields)
    after: dict[str, Any] = {**before, **fields}
    counters.changed(ctx, table, before, after)
    return after


def remove(ctx: MutationCtx, table: str, before: Doc) -> None:
    """Delete a document and keep the counters right."""
    ctx.db.delete(table, before["_id"])
    counters.changed(ctx, table, before, None)
