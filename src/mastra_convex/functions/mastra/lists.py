"""All records of a list, which is what the adapter asks for: in bounded reads, or not at all."""

from __future__ import annotations

from typing import Any

from mastra_convex.engine.context import MutationCtx
from mastra_convex.engine.registry import Function
from mastra_convex.errors import LimitExceededError
from mastra_convex.functions.lib.access import Args, Doc
from mastra_convex.functions.lib.paging import MAX_PAGE, arrivals_of

# Convex's arrays hold 8,192, and its transactions read 16 MiB.
MAX_ROWS = 8000
MAX_BYTES = 7 * 1024 * 1024
# The limit of a list that is to be whole.
MORE = MAX_ROWS + 1


class _Found:
    """The records of one list so far."""

    def __init__(self, what: str, limit: int) -> None:
        self.records: list[Doc] = []
        self._what = what
        self._limit = limit
        self._bytes = 0

    def add(self, page: list[Doc], *, more: bool) -> bool:
        """Take in a page; whether to go on. Raises `LimitExceededError` when it is too much."""
        self.records += page
        self._bytes += sum(_size(record) for record in page)
        if not more or len(self.records) >= self._limit:
            del self.records[self._limit :]
            return False
        if len(self.records) >= MAX_ROWS or self._bytes >= MAX_BYTES:
            raise LimitExceededError(
                f"{self._what}: there are more than {len(self.records)} records, or more bytes "
                "than one call takes, and @mastra/convex asks for all of them at once; delete "
                "some, or use the functions that have pages",
                limit=MAX_ROWS,
            )
        return True


def every(
    ctx: MutationCtx, function: Function, args: Args, what: str, limit: int = MORE
) -> list[Doc]:
    """All records that a list function gives, or the first `limit`.

    Raises `LimitExceededError` when there are more than one transaction takes.
    """
    found, cursor = _Found(what, limit), None
    while True:
        asked = {"order": "asc", "limit": MAX_PAGE, **args}
        if cursor is not None:
            asked["cursor"] = cursor
        page = function.handler(ctx, asked)
        cursor = page["cursor"]
        if not found.add(page["page"], more=cursor is not None):
            return found.records


def arrived(ctx: MutationCtx, table: str, what: str, limit: int = MORE) -> list[Doc]:
    """All records of a table in the order of arrival; as `every`."""
    found, position = _Found(what, limit), 0
    while True:
        page = arrivals_of(ctx, table, {"after": position, "limit": MAX_PAGE})
        position = page["position"]
        if not found.add(page["page"], more=not page["isDone"]):
            return found.records


def _size(record: dict[str, Any]) -> int:
    return sum(len(value) for value in record.values() if isinstance(value, str))
