"""Pages: one index, one range of time, bounded in records and in bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mastra_convex.engine.query import RangeBuilder
from mastra_convex.engine.schema import BY_CREATION_TIME
from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions.lib import counters
from mastra_convex.functions.lib.access import Args, Ctx, Doc, require_service
from mastra_convex.functions.lib.records import publish
from mastra_convex.functions.schema import schema

MAX_PAGE = 500
# A page is cut when its documents reach this size, so that it fits what a transaction may read
# (16 MiB on Convex) and what a WebSocket frame may carry.
MAX_PAGE_BYTES = 4 * 1024 * 1024


# The record of a document, or None if it is to be left out.
Pick = Callable[[Doc], "Doc | None"]


def arrivals_of(ctx: Ctx, table: str, args: Args, pick: Pick = publish) -> dict[str, Any]:
    """Records in the order in which they came into the table, after `after` or the newest.

    `after` is the `position` of an earlier answer; without it the newest `limit` records are given.
    A record that is saved again, or changed, does not arrive again.
    """
    require_service(ctx, "following what arrives")
    arrivals = ctx.db.query(table)
    if "after" in args:
        arrivals.with_index(BY_CREATION_TIME, lambda q: q.gt("_id", args["after"]))
        found = arrivals.paginate(None, limit_of(args), MAX_PAGE_BYTES)
        page, done = found.page, found.cursor is None
    else:
        newest = arrivals.with_index(BY_CREATION_TIME).order("desc")
        page, done = newest.paginate(None, limit_of(args), MAX_PAGE_BYTES).page[::-1], True
    positions = [args.get("after", 0), *(document["_id"] for document in page)]
    records, looked = _picked(page, pick)
    return {
        "page": records,
        "position": positions[looked],
        "isDone": done and looked == len(page),
    }


def _picked(documents: list[Doc], pick: Pick) -> tuple[list[Doc], int]:
    """The records of documents, up to so many bytes; and how many documents that are."""
    if pick is publish:
        return [publish(document) for document in documents], len(documents)
    records: list[Doc] = []
    size = looked = 0
    while looked < len(documents) and size < MAX_PAGE_BYTES:
        record = pick(documents[looked])
        looked += 1
        if record is not None:
            records.append(record)
            size += sum(len(text) for text in record.values() if isinstance(text, str))
    return records, looked


def limit_of(args: Args) -> int:
    """The page size asked for. Raises `InvalidArgumentError` unless it is whole, from 1 to 500."""
    limit: float = args["limit"]
    if not 1 <= limit <= MAX_PAGE or limit != int(limit):
        raise InvalidArgumentError(f"limit must be whole, from 1 to {MAX_PAGE}, not {limit}")
    return int(limit)


def nothing(args: Args) -> dict[str, Any]:
    """The page of a list whose subject the caller may not see."""
    limit_of(args)
    return {"page": [], "cursor": None, "total": 0}


def page_of(
    ctx: Ctx,
    table: str,
    index: str,
    values: tuple[str, ...],
    args: Args,
    pick: Pick = publish,
) -> dict[str, Any]:
    """One page of `table`: documents whose leading index fields are `values`, in order of the last.

    `args` are `list_args`. The total is given when it was asked for, is kept, and no time range
    narrows the list. `pick` makes records of documents and leaves some out, so that the page may
    have fewer.
    """
    fields = schema.tables[table].indexes[index].fields
    low, high = args.get("from"), args.get("to")

    def inside(q: RangeBuilder) -> RangeBuilder:
        for field, value in zip(fields, values):
            q.eq(field, value)
        if low is not None:
            q.gte(fields[len(values)], low)
        if high is not None:
            q.lte(fields[len(values)], high)
        return q

    query = ctx.db.query(table).with_index(index, inside).order(args["order"])
    found = query.paginate(args.get("cursor"), limit_of(args), MAX_PAGE_BYTES)
    records, looked = _picked(found.page, pick)
    cut = looked < len(found.page)
    cursor = query.cursor_after(found.page[looked - 1]) if cut else found.cursor
    page: dict[str, Any] = {"page": records, "cursor": cursor}
    if args.get("withTotal") and low is None and high is None:
        total = counters.total(ctx, table, index, values)
        if total is not None:
            page["total"] = total
    return page


# Indexes of a table with the arguments that they serve, in order, the narrowest first.
Indexes = Mapping[str, tuple[str, ...]]


def list_by(
    ctx: Ctx, table: str, indexes: Indexes, args: Args, also: tuple[str, ...] = ()
) -> dict[str, Any]:
    """One page of `table`, by the first index whose arguments are all given.

    Records that differ from another argument of `indexes` or `also` are left out: then the page may
    be shorter than asked for, and has no total. Raises `InvalidArgumentError` if no index serves.
    """
    given = {name for names in (*indexes.values(), also) for name in names if name in args}
    for index, names in indexes.items():
        if given.issuperset(names):
            found = page_of(ctx, table, index, tuple(args[name] for name in names), args)
            left = given.difference(names)
            if not left:
                return found
            page = [d for d in found["page"] if all(d.get(name) == args[name] for name in left)]
            return {"page": page, "cursor": found["cursor"]}
    wanted = "; or ".join(" and ".join(names) for names in indexes.values())
    raise InvalidArgumentError(f"a list of {table} needs {wanted}")
