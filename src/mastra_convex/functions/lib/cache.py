"""What Mastra's server caches: values, numbers and lists, until they expire.

An entry that has expired is not there for readers. It is deleted with what is written later, some
at a time.
"""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx
from mastra_convex.engine.query import Query
from mastra_convex.errors import ConflictError, LimitExceededError
from mastra_convex.functions.lib.access import Doc

ENTRIES = "cacheEntries"
ITEMS = "cacheItems"
# On Convex a value is a document, which may have 1 MiB with everything that belongs to it.
_MAX_VALUE_BYTES = 900 * 1024
_MAX_ITEMS = 8000
_MAX_BYTES = 7 * 1024 * 1024
# How many entries one call deletes that have expired, or that have a prefix.
_AT_ONCE = 25


def live(ctx: MutationCtx, key: str) -> Doc | None:
    """The entry of that key, if it has not expired."""
    entry = ctx.db.find(ENTRIES, "by_key", key)
    return None if entry is None or _expired(ctx, entry) else entry


def put(ctx: MutationCtx, entry: Doc) -> Doc:
    """Make this the entry of its key, whatever was there."""
    before = ctx.db.find(ENTRIES, "by_key", entry["key"])
    if before is not None:
        forget(ctx, before)
    purge(ctx)
    return {**entry, "_id": ctx.db.insert(ENTRIES, entry)}


def grow(ctx: MutationCtx, kind: str, entry: Doc) -> Doc:
    """The number, or the length of the list, of a key and one more; it expires anew.

    Raises `ConflictError` if something else is there.
    """
    before = live(ctx, entry["key"])
    if before is None:
        return put(ctx, {**entry, "kind": kind, "count": 1})
    require_kind(before, kind)
    purge(ctx)
    change = {"prefix": entry["prefix"], "expiresAt": entry.get("expiresAt")}
    change["count"] = before["count"] + 1
    ctx.db.patch(ENTRIES, before["_id"], change)
    return {**before, **change}


def require_kind(entry: Doc, kind: str) -> None:
    """Raise `ConflictError` if the entry is of another kind."""
    if entry["kind"] != kind:
        raise ConflictError(
            f"{entry['key']!r} is there and is no {kind}; delete it, or use another key",
            table=ENTRIES,
            id=entry["key"],
        )


def append(ctx: MutationCtx, head: Doc, value: str) -> None:
    """Add the element that the list has grown by."""
    item = {"list": str(head["_id"]), "position": head["count"] - 1, "value": value}
    ctx.db.insert(ITEMS, item)


def items(ctx: MutationCtx, head: Doc, start: int, end: int) -> list[str]:
    """The elements from `start` to before `end`.

    Raises `LimitExceededError` for more than one call takes.
    """
    wanted = _items_of(ctx, head, start, end).take(_MAX_ITEMS + 1)
    found = [item["value"] for item in wanted]
    if len(found) > _MAX_ITEMS or sum(map(len, found)) > _MAX_BYTES:
        raise LimitExceededError(
            f"the list {head['key']!r} has more elements there than one call takes; read it in "
            "ranges",
            limit=_MAX_ITEMS,
        )
    return found


def check_value(key: str, text: str) -> str:
    """The text. Raises `LimitExceededError` for one that is too large."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > _MAX_VALUE_BYTES:
        raise LimitExceededError(
            f"the value of {key!r} has {size} bytes; at most {_MAX_VALUE_BYTES} can be cached",
            limit=_MAX_VALUE_BYTES,
            given=size,
        )
    return text


def forget(ctx: MutationCtx, entry: Doc) -> None:
    """Delete an entry with its elements."""
    if entry["kind"] == "list":
        ctx.db.delete_range(_items_of(ctx, entry, 0, entry["count"]))
    ctx.db.delete(ENTRIES, entry["_id"])


def clear(ctx: MutationCtx, prefix: str) -> bool:
    """Delete entries with that prefix; whether all."""
    of_prefix = ctx.db.query(ENTRIES).with_index("by_prefix", lambda q: q.eq("prefix", prefix))
    found = of_prefix.take(_AT_ONCE)
    for entry in found:
        forget(ctx, entry)
    return len(found) < _AT_ONCE


def purge(ctx: MutationCtx) -> None:
    """Delete some of what has expired."""
    expired = ctx.db.query(ENTRIES).with_index(
        "by_expiry", lambda q: q.gte("expiresAt", 0).lte("expiresAt", ctx.now)
    )
    for entry in expired.take(_AT_ONCE):
        forget(ctx, entry)


def _expired(ctx: MutationCtx, entry: Doc) -> bool:
    return "expiresAt" in entry and entry["expiresAt"] <= ctx.now


def _items_of(ctx: MutationCtx, head: Doc, start: int, end: float) -> Query:
    return ctx.db.query(ITEMS).with_index(
        "by_key",
        lambda q: q.eq("list", str(head["_id"])).gte("position", start).lt("position", end),
    )
