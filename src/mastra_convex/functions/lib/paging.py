"""Pages: one index, one range of time, bounded in records and in bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mastra_convex.engine.query import Page, Query, RangeBuilder
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
# The most that one call passes over: in the index alone, and where each record is looked at.
MAX_SKIP = 100_000
MAX_LOOK = 4000
Keep = Callable[[Doc], bool]
Show = Callable[[Doc], Doc]


def arrivals_of(ctx: Ctx, table: str, args: Args, show: Show = publish) -> dict[str, Any]:
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
    records = _shown(page, show)
    done = done and len(records) == len(page)
    return {"page": records, "position": positions[len(records)], "isDone": done}


def _shown(documents: list[Doc], show: Show) -> list[Doc]:
    """The records of documents; of the first of them, if all are too many bytes."""
    if show is publish:
        return [publish(document) for document in documents]
    records: list[Doc] = []
    size = 0
    for document in documents:
        if size >= MAX_PAGE_BYTES:
            break
        records.append(show(document))
        size += text_in(records[-1])
    return records


def text_in(record: Doc) -> int:
    """How much text a record has, with that of records inside it."""
    size = 0
    for value in record.values():
        if type(value) is str:
            size += len(value)
        elif type(value) is list:
            size += sum(map(text_in, value))
    return size


def limit_of(args: Args) -> int:
    """The page size asked for. Raises `InvalidArgumentError` unless it is whole, from 1 to 500."""
    limit: float = args["limit"]
    if not 1 <= limit <= MAX_PAGE or limit != int(limit):
        raise InvalidArgumentError(f"limit must be whole, from 1 to {MAX_PAGE}, not {limit}")
    return int(limit)


def nothing(args: Args) -> dict[str, Any]:
    """The page of a list whose subject the caller may not see."""
    limit_of(args)
    skipped = {"skipped": 0} if skip_of(args) else {}
    return {"page": [], "cursor": None, "total": 0, **skipped}


def skip_of(args: Args) -> int:
    """How many records to pass over. Raises `InvalidArgumentError` unless it is whole and >= 0."""
    skip: float = args.get("skip", 0)
    if not 0 <= skip < 2**53 or skip != int(skip):
        raise InvalidArgumentError(f"skip must be whole and >= 0, not {skip}")
    return int(skip)


def page_of(
    ctx: Ctx,
    table: str,
    index: str,
    values: tuple[Any, ...],
    args: Args,
    keep: Keep | None = None,
    show: Show = publish,
) -> dict[str, Any]:
    """One page of `table`: documents whose leading index fields are `values`, in order of the last.

    `args` are `list_args`. The total is given when it was asked for, is kept, and no time range
    narrows the list. `keep` leaves documents out, so that the page may have fewer; `show` makes
    records of them.

    With `skip`, so many of the list are passed over first, and `skipped` says how many were: where
    it is less, the page is empty, and the cursor goes on from there.
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
    cursor, limit, skip = args.get("cursor"), limit_of(args), skip_of(args)
    found = _paged(query, cursor, limit, skip, keep)
    records = _shown(found.page, show)
    cut = len(records) < len(found.page)
    cursor = query.cursor_after(found.page[len(records) - 1]) if cut else found.cursor
    page: dict[str, Any] = {"page": records, "cursor": cursor}
    if skip:
        page["skipped"] = found.skipped
    if args.get("withTotal") and low is None and high is None:
        total = counters.total(ctx, table, index, values)
        if total is not None:
            page["total"] = total
    return page


def _paged(query: Query, cursor: str | None, limit: int, skip: int, keep: Keep | None) -> Page:
    """A page of the query, or nothing and how far it came in passing over what is before."""
    if keep is not None:
        return _kept(query, cursor, limit, skip, keep)
    if skip <= MAX_SKIP:
        return query.paginate(cursor, limit, MAX_PAGE_BYTES, skip=skip)
    last = query.paginate(cursor, 1, skip=MAX_SKIP - 1)
    return Page([], last.cursor, last.skipped + len(last.page))


def _kept(query: Query, cursor: str | None, limit: int, skip: int, keep: Keep) -> Page:
    """As `_paged`, of the documents that are to be kept: each is looked at."""
    page: list[Doc] = []
    skipped = looked = size = 0
    wanted = min(limit + skip, MAX_PAGE)
    while looked < MAX_LOOK:
        found = query.paginate(cursor, wanted, MAX_PAGE_BYTES)
        cursor, wanted = found.cursor, MAX_PAGE
        looked += len(found.page)
        for document in filter(keep, found.page):
            if skipped < skip:
                skipped += 1
                continue
            page.append(document)
            size += text_in(document)
            if len(page) == limit or size >= MAX_PAGE_BYTES:
                if cursor is not None or document is not found.page[-1]:
                    cursor = query.cursor_after(document)
                return Page(page, cursor, skipped)
        if cursor is None:
            break
    return Page(page, cursor, skipped)


# Indexes of a table with the arguments that they serve, in order, the narrowest first.
Indexes = Mapping[str, tuple[str, ...]]


def list_by(
    ctx: Ctx,
    table: str,
    indexes: Indexes,
    args: Args,
    also: tuple[str, ...] = (),
    keep: Keep | None = None,
) -> dict[str, Any]:
    """One page of `table`, by the first index whose arguments are all given.

    Records that differ from another argument of `indexes` or `also`, or that `keep` leaves out, are
    not in it: then the page may be shorter than asked for, and has no total. Only with `skip` are
    more documents looked at than that. Raises `InvalidArgumentError` if no index serves.
    """
    given = {name for names in (*indexes.values(), also) for name in names if name in args}
    for index, names in indexes.items():
        if given.issuperset(names):
            values = tuple(args[name] for name in names)
            left = given.difference(names)
            if not left and keep is None:
                return page_of(ctx, table, index, values, args)
            matching = _matching({name: args[name] for name in left}, keep)
            if args.get("skip"):
                return page_of(ctx, table, index, values, {**args, "withTotal": False}, matching)
            page = page_of(ctx, table, index, values, args)
            return {"page": [*filter(matching, page["page"])], "cursor": page["cursor"]}
    wanted = "; or ".join(" and ".join(names) for names in indexes.values())
    raise InvalidArgumentError(f"a list of {table} needs {wanted}")


def _matching(wanted: Args, keep: Keep | None) -> Keep:
    return lambda document: (
        all(document.get(name) == value for name, value in wanted.items())
        and (keep is None or keep(document))
    )
