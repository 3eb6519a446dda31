"""What `ConvexServerCache` of `@mastra/convex` calls: a cache with expiry.

The adapter has one mutation for everything, which takes the operator's admin key.
"""

from __future__ import annotations

from typing import Any

from mastra_convex.engine.context import MutationCtx
from mastra_convex.functions.lib import cache
from mastra_convex.functions.lib.access import Args, Doc, service_mutation
from mastra_convex.functions.lib.payloads import decoded
from mastra_convex.functions.mastra.requests import (
    Operation,
    answer,
    done,
    found,
    perform,
    requested,
    whole,
)
from mastra_convex.functions.validators import Fields
from mastra_convex.values.payload import encode_payload
from mastra_convex.values.validators import v

_key: Fields = {"key": v.string()}
_entry: Fields = {**_key, "keyPrefix": v.string(), "expiresAt": v.union(v.number(), v.null())}
_value: Fields = {"value": v.optional(v.any())}


@requested(_key)
def get(ctx: MutationCtx, args: Args) -> Doc:
    """The value, the number, or the list of that key; null if there is none."""
    entry = cache.live(ctx, args["key"])
    if entry is None:
        return found(None)
    if entry["kind"] == "list":
        return found([decoded(text) for text in cache.items(ctx, entry, 0, entry["count"])])
    return found(entry["count"] if entry["kind"] == "counter" else decoded(entry["value"]))


@requested({**_entry, **_value})
def set_(ctx: MutationCtx, args: Args) -> Doc:
    """Make this the value of the key, whatever was there."""
    cache.put(ctx, {**_entry_of(args), "kind": "value", "value": _text_of(args)})
    return done()


@requested(_key)
def list_length(ctx: MutationCtx, args: Args) -> Doc:
    """How long the list is; 0 if there is none."""
    entry = cache.live(ctx, args["key"])
    if entry is None:
        return found(0)
    cache.require_kind(entry, "list")
    return found(entry["count"])


@requested({**_entry, **_value})
def list_push(ctx: MutationCtx, args: Args) -> Doc:
    """Add to the end of the list, which begins with it if there is none."""
    text = _text_of(args)
    cache.append(ctx, cache.grow(ctx, "list", _entry_of(args)), text)
    return done()


@requested({**_key, "from": v.number(), "to": v.number()})
def list_from_to(ctx: MutationCtx, args: Args) -> Doc:
    """The elements from one position to another, both included; negative ones from the end."""
    entry = cache.live(ctx, args["key"])
    if entry is None or entry["kind"] != "list":
        return found([])
    length = int(entry["count"])
    start, end = whole(args["from"]), whole(args["to"])
    start = max(length + start, 0) if start < 0 else start
    end = min((length + end if end < 0 else end) + 1, length)
    texts = cache.items(ctx, entry, start, end) if start < end else []
    return found([decoded(text) for text in texts])


@requested(_key)
def delete(ctx: MutationCtx, args: Args) -> Doc:
    """Delete what is there."""
    entry = ctx.db.find(cache.ENTRIES, "by_key", args["key"])
    if entry is not None:
        cache.forget(ctx, entry)
    cache.purge(ctx)
    return done()


@requested({"keyPrefix": v.string()})
def clear(ctx: MutationCtx, args: Args) -> Doc:
    """Delete all with that prefix."""
    return done(more=not cache.clear(ctx, args["keyPrefix"]))


@requested(_entry)
def increment(ctx: MutationCtx, args: Args) -> Doc:
    """Add 1 to a number, which begins at 0; gives the sum."""
    return found(cache.grow(ctx, "counter", _entry_of(args))["count"])


OPERATIONS: dict[str, Operation] = {
    "get": get,
    "set": set_,
    "listLength": list_length,
    "listPush": list_push,
    "listFromTo": list_from_to,
    "delete": delete,
    "clear": clear,
    "increment": increment,
}


@service_mutation(returns=answer)
def handle(ctx: MutationCtx, args: Args) -> Doc:
    """Answer one request of the cache protocol. What goes wrong is thrown."""
    return perform(OPERATIONS, ctx, args)


def _entry_of(args: Args) -> Doc:
    entry: Doc = {"key": args["key"], "prefix": args["keyPrefix"]}
    if args["expiresAt"] is not None:
        entry["expiresAt"] = args["expiresAt"]
    return entry


def _text_of(args: dict[str, Any]) -> str:
    return cache.check_value(args["key"], encode_payload(args.get("value")))
