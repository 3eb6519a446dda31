"""A plain model of the store, which the engine is held against, and what both can be asked."""

from __future__ import annotations

import json
import operator
from typing import Any

from hypothesis import strategies as st

from tests.engine.support import SCHEMA, Doc, Spec

Books = dict[int, Doc]

# Fields that no column type can say.
AS_JSON = {"tags", "more"}
_OPERATORS = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def sort_key(value: Any) -> tuple[int, Any]:
    """Missing first, then numbers, then text: Convex's order."""
    return (0, 0) if value is None else (2, value) if isinstance(value, str) else (1, value)


def expected(books: Books, spec: Spec) -> list[Doc]:
    """What a range holds, in order: filter and sort, as slow as it gets."""
    fields = SCHEMA.tables["books"].indexes[spec["index"]].fields
    equal, bounds = spec.get("eq", []), spec.get("bounds", [])

    def inside(document: Doc) -> bool:
        if [document.get(field) for field, _ in zip(fields, equal)] != equal:
            return False
        value = document.get(fields[len(equal)]) if bounds else None
        return all(value is not None and _OPERATORS[o](value, limit) for o, limit in bounds)

    return sorted(
        filter(inside, books.values()),
        key=lambda document: (*(sort_key(document.get(f)) for f in fields), document["_id"]),
        reverse=spec.get("order") == "desc",
    )


def totals(books: Books) -> list[int]:
    """Documents, and bytes of their values."""
    size = 0
    for document in books.values():
        for name, value in document.items():
            if name != "_id":
                text = json.dumps(value, separators=(",", ":")) if name in AS_JSON else value
                size += len(text.encode()) if isinstance(text, str) else 8
    return [len(books), size]


texts = st.sampled_from(["", "a", "b", "a\0", "\0", "ab", "\u00fc", "\U0001f600", "\uffff"])
numbers = st.sampled_from([0, 1, 2, -1, 1.5, -0.0, 2**53, -1e300, float("inf")])
ones = st.sampled_from([0, 1, True, False, 1.0, "1"])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "title": texts,
    "year": numbers,
    "note": st.none() | texts,
    "price": st.none() | numbers,
    "lent": st.none() | st.booleans(),
    "tags": st.none() | st.lists(st.none() | ones | texts, max_size=2),
    "more": st.none() | ones | st.dictionaries(texts, ones, max_size=1),
}
# What a range can be bounded by.
LIMITS = VALUES | {"_id": st.integers(0, 9)}
whole_books = st.fixed_dictionaries(VALUES)
patches = st.fixed_dictionaries({}, optional=VALUES)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """A random range of a random index, in a random order."""
    index = draw(st.sampled_from(sorted(SCHEMA.tables["books"].indexes)))
    fields = SCHEMA.tables["books"].indexes[index].fields
    equal = [draw(LIMITS[f]) for f in fields[: draw(st.integers(0, len(fields)))]]
    bounds: list[list[Any]] = []
    if len(equal) < len(fields):
        limits = LIMITS[fields[len(equal)]].filter(lambda value: value is not None)
        for side in draw(st.sampled_from([(), ("g",), ("l",), ("g", "l"), ("l", "g")])):
            bounds.append([draw(st.sampled_from([f"{side}t", f"{side}te"])), draw(limits)])
    return {"index": index, "eq": equal, "bounds": bounds, "order": draw(st.sampled_from(ORDERS))}


ORDERS = ["asc", "desc"]


# One step of a mutation. Books are chosen by their place among those that are there.
places = st.integers(0, 1000)
steps = st.one_of(
    st.tuples(st.just("insert"), whole_books),
    st.tuples(st.just("insert"), whole_books),
    st.tuples(st.just("patch"), places, patches),
    st.tuples(st.just("replace"), places, whole_books),
    st.tuples(st.just("delete"), places),
    st.tuples(st.just("delete_range"), specs()),
    st.tuples(st.just("take"), specs()),
    st.tuples(st.just("find"), texts, numbers),
    st.tuples(st.just("totals")),
)


def cleaned(document: Doc) -> Doc:
    """A document without what is missing from it."""
    return {name: value for name, value in document.items() if value is not None}


class Transaction:
    """Runs steps on a copy of the model; collects what the engine is to be asked and to answer.

    `last` is the last id that was given out: none is given out again.
    """

    def __init__(self, books: Books, last: int) -> None:
        self.last = last
        self.books = {key: dict(document) for key, document in books.items()}
        self.calls: list[list[Any]] = []
        self.answers: list[Any] = []

    def run(self, step: tuple[Any, ...]) -> bool:
        """Do one step; False if it cannot be done now, and was not."""
        kind, *rest = step
        if kind == "insert":
            self.last = key = self.last + 1
            self.books[key] = {"_id": key, **cleaned(rest[0])}
            self.calls.append(["insert", "books", rest[0]])
            self.answers.append(key)
        elif kind in {"patch", "replace", "delete"}:
            if not self.books:
                return False
            key = sorted(self.books)[rest[0] % len(self.books)]
            self.calls.append([kind, "books", key, *rest[1:]])
            before = self.books.pop(key)
            if kind != "delete":
                kept = before if kind == "patch" else {"_id": key}
                self.books[key] = cleaned(kept | rest[1])
        elif kind == "delete_range":
            self.calls.append(["delete_range", {"table": "books", **rest[0]}])
            for document in expected(self.books, rest[0]):
                del self.books[document["_id"]]
        elif kind == "take":
            self._read({**rest[0], "how": "take"}, expected(self.books, rest[0]))
        elif kind == "find":
            spec = {"index": "by_title_year", "eq": rest}
            found = expected(self.books, spec)
            if len(found) > 1:
                return False
            self._read({**spec, "how": "find"}, found[0] if found else None)
        else:
            self._read({"how": "totals"}, totals(self.books))
        return True

    def _read(self, spec: Spec, answer: Any) -> None:
        self.calls.append(["read", {"table": "books", **spec}])
        self.answers.append(answer)
