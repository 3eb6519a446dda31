"""Pages as Convex's own clients ask for them: `usePaginatedQuery` and its kin.

Such a page is an interval of an index. It begins after a cursor; where it ends is found out once,
and handed back as `endCursor` from then on, so that pages that are watched neither overlap nor
leave a gap while records come and go. A page that has grown too long says where to split it.
"""

from __future__ import annotations

from mastra_convex.engine.query import Query
from mastra_convex.functions.lib.access import Args, Doc
from mastra_convex.functions.lib.paging import MAX_PAGE, MAX_PAGE_BYTES, limit_of
from mastra_convex.functions.lib.records import publish

# The cursor after the last record, also of those to come.
END = "end"


def nothing_paginated(options: Args) -> Doc:
    """The page of a list whose subject the caller may not see: where it ends is still open."""
    limit_of({"limit": options["numItems"]})
    return {"page": [], "isDone": True, "continueCursor": ""}


def paginated(query: Query, options: Args) -> Doc:
    """The page that `paginationOpts` describe; `query` is in order, inside its range.

    Raises `InvalidArgumentError` for a cursor of another query, and for a page of less than one
    record or more than 500.
    """
    limit = limit_of({"limit": options["numItems"]})
    cursor, end = options["cursor"], options.get("endCursor")
    if cursor == END:
        return {"page": [], "isDone": True, "continueCursor": END}
    count = MAX_PAGE if end else _least(limit, options.get("maximumRowsRead"))
    most = _least(MAX_PAGE_BYTES, options.get("maximumBytesRead"))
    found = query.paginate(cursor, count, most, None if end == END else end)
    documents = found.page
    page: Doc = {"continueCursor": end or found.cursor or END}
    page["isDone"] = page["continueCursor"] == END
    if len(documents) > 1:
        page["splitCursor"] = query.cursor_after(documents[(len(documents) - 1) // 2])
    if end and found.cursor:
        # There is more up to the end than one page can hold: the caller is to ask for two.
        page.setdefault("splitCursor", found.cursor)
        page["pageStatus"] = "SplitRequired"
    page["page"] = [publish(document) for document in documents]
    return page


def _least(most: int, wished: float | None) -> int:
    return most if wished is None else int(max(1, min(most, wished)))
