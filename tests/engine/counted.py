"""A query that counts its runs, a shelf of books to watch, how to change it, and how to hold up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any

from mastra_convex.engine.context import QueryCtx
from mastra_convex.engine.registry import Function, query
from mastra_convex.values.outcome import Outcome
from mastra_convex.values.validators import v
from tests.engine.support import (
    PATIENCE,
    Doc,
    Spec,
    book,
    read,
)

Steps = list[list[Any]]


class Runs:
    """The calls of a query that counts how often it is run."""

    def __init__(self) -> None:
        self.specs: list[Spec] = []

    def function(self) -> Function:
        """The counting query: `read` with a count."""

        @query(args={"spec": v.any()}, returns=v.any())
        def counted(ctx: QueryCtx, args: Doc) -> Any:
            self.specs.append(args["spec"])
            return read.handler(ctx, args)

        return counted


def counting(spec: Spec) -> Callable[[], Generator[tuple[str, Doc], Any, Any]]:
    """A program of one call to the counting query."""

    def run() -> Generator[tuple[str, Doc], Any, Any]:
        return (yield "test:counted", {"spec": {"table": "books", **spec}})

    return run


# Ids 1 to 5, as their years.
SHELF = [book(title, year, note=title, tags=[title]) for year, title in enumerate("abcde", 1)]
BETWEEN: Spec = {"index": "by_year", "bounds": [["gte", 2], ["lte", 4]]}
INSIDE = {"index": "by_year", "bounds": [["gt", 2], ["lt", 4]]}
FIRST_TWO: Spec = {"index": "by_year", "count": 2}
LAST_TWO: Spec = {"index": "by_year", "count": 2, "order": "desc"}
MORE_THAN_ALL: Spec = {"index": "by_year", "count": 10}
NAMED = {"index": "by_title", "eq": ["b"]}
WITHOUT_NOTE = {"index": "by_note", "eq": [None]}
PAGE = {"index": "by_year", "how": "paginate", "count": 2}
PAGE_OF_BYTES = {"index": "by_year", "how": "paginate", "count": 4, "max_bytes": 1}
ONE = {"how": "get", "id": 2}
NONE_YET = {"how": "get", "id": 6}
FOUND = {"how": "find", "index": "by_title_year", "eq": ["b", 2]}
FOUND_NOTHING = {"how": "find", "index": "by_title_year", "eq": ["b", 6]}
TOTALS: Spec = {"how": "totals"}


def insert(year: float, title: str = "z", **fields: Any) -> Steps:
    return [["insert", "books", book(title, year, **fields)]]


def patch(key: int, **fields: Any) -> Steps:
    return [["patch", "books", key, fields]]


def delete(key: int) -> Steps:
    return [["delete", "books", key]]


def clear(low: float, high: float) -> Steps:
    bounds = [["gte", low], ["lte", high]]
    return [["delete_range", {"table": "books", "index": "by_year", "bounds": bounds}]]


def held() -> tuple[Callable[[Outcome], None], threading.Event, threading.Event]:
    """A subscriber that holds the live thread up; when it has it, and when it may go on."""
    holding, go_on = threading.Event(), threading.Event()

    def deliver(outcome: Outcome) -> None:
        holding.set()
        go_on.wait(PATIENCE)

    return deliver, holding, go_on
