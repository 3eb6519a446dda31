"""What one operation of the adapter is: the members of its request, and the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mastra_convex.engine.context import MutationCtx
from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions.lib.access import Args, Doc
from mastra_convex.values.validators import Validator, v

answer = v.object(
    {"ok": v.literal(True), "result": v.optional(v.any()), "hasMore": v.optional(v.boolean())}
)
_MOST = 2**53
Work = Callable[[MutationCtx, Args], Doc]


class Operation(NamedTuple):
    """The members of the request beside `op`, and the work, which gives the answer."""

    request: Validator
    work: Work


def operation(members: Mapping[str, Validator]) -> Callable[[Work], Operation]:
    """Declare an operation on a table, whose request has these members."""
    return requested({"tableName": v.string(), **members})


def requested(members: Mapping[str, Validator]) -> Callable[[Work], Operation]:
    """Declare an operation whose request has these members."""
    request = v.object({"op": v.string(), **members})
    return lambda work: Operation(request, work)


def whole(number: float) -> int:
    """The whole part of a number; of one without end, more than there is of anything."""
    return int(max(-_MOST, min(number, _MOST)))


def found(result: Any) -> Doc:
    """The answer that has a result."""
    return {"ok": True, "result": result}


def done(*, more: bool = False) -> Doc:
    """The answer that has none; with `more`, the adapter asks again until nothing is left."""
    return {"ok": True, "hasMore": True} if more else {"ok": True}


def perform(operations: Mapping[str, Operation], ctx: MutationCtx, args: Args) -> Doc:
    """Check a request and do its work. Raises `InvalidArgumentError` for one that is none."""
    name = args.get("op")
    chosen = operations.get(name) if isinstance(name, str) else None
    if chosen is None:
        raise InvalidArgumentError(f"there is no operation {name!r:.60}", path="op")
    chosen.request.validate(args, name or "")
    return chosen.work(ctx, args)
