"""Lists: Mastra's `page` and `per_page` over the functions' cursors."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.record import to_milliseconds
from mastra_convex.values.payload import open_payload

T = TypeVar("T")
Doc = dict[str, Any]
Call = tuple[str, dict[str, Any]]
Read = Generator[Call, Any, T]
Keep = Callable[[Doc], bool]

# The most that a function gives at once.
MAX_PAGE = 500
_MAX_OFFSET = 2**53 - 1
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_MISSING = object()
# Of these, values of one type are the same if they are equal.
_PLAIN = frozenset({str, int, float, bool, type(None)})
_FORBIDDEN_KEYS = frozenset({"__proto__", "prototype", "constructor"})


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a list is wanted. `per_page` False is all of it."""

    page: int
    per_page: int | bool
    include_total: bool

    @property
    def offset(self) -> int:
        """Records before the window."""
        return 0 if self.per_page is False else self.page * self.per_page

    @property
    def end(self) -> int | None:
        """Records up to the end of the window; None for no end."""
        return None if self.per_page is False else self.offset + self.per_page


@dataclass(frozen=True, slots=True)
class Found:
    """The documents of a window; `total` is None when it was left out."""

    documents: list[Doc]
    total: int | None
    has_more: bool


def window(page: Any, per_page: Any, include_total: bool) -> Window:
    """Check the numbers as Mastra does (interface, 1.2). Raises `InvalidArgumentError`."""
    if type(page) is not int or page < 0:
        raise InvalidArgumentError(f"page must be >= 0 and whole, not {page!r}", path="page")
    if per_page is False:
        if page:
            raise InvalidArgumentError("page must be 0 when per_page is False", path="page")
    elif type(per_page) is not int or per_page < 0:
        raise InvalidArgumentError(
            f"per_page must be >= 0 and whole, or False for all, not {per_page!r}", path="per_page"
        )
    elif page * per_page > _MAX_OFFSET:
        raise InvalidArgumentError("page value too large", path="page")
    return Window(page, per_page, include_total)


def page_numbers(pagination: Any, page: Any, per_page: Any) -> tuple[Any, Any]:
    """Page and size of a mapping in Mastra's form. Raises `InvalidArgumentError`."""
    names = {"page", "perPage", "per_page"}
    if not isinstance(pagination, Mapping) or not pagination.keys() <= names:
        raise InvalidArgumentError(
            f"pagination is a mapping with page and perPage, not {pagination!r:.60}",
            path="pagination",
        )
    per_page = pagination.get("perPage", pagination.get("per_page", per_page))
    return pagination.get("page", page), per_page


def listing(
    path: str, args: Doc, wanted: Window, keep: Keep | None = None, *, look_beyond: bool = True
) -> Read[Found]:
    """The documents of a window of a list function.

    What is before the window is passed over, and so is what is after it, where that is how to count
    the list. `keep` is what no index serves: the list is walked in bounded pages, and so is its
    total. A total that the function keeps is read, not counted. Without a total the walk ends one
    document after the window, which tells whether there are more; without `look_beyond` it ends
    there.
    """
    found: list[Doc] = []
    seen, total, cursor = 0, None, None
    end = wanted.end
    counting = wanted.include_total
    ask_total = wanted.include_total and keep is None
    beyond = int(look_beyond and not ask_total)
    while True:
        limit, skip = MAX_PAGE, 0
        if keep is None and end is not None:
            if counting and not ask_total and seen >= end:
                limit, skip = 1, _MAX_OFFSET
            else:
                skip = max(wanted.offset - seen, 0)
                limit = max(1, min(end + beyond - seen - skip, MAX_PAGE))
        call_args = {**args, "limit": limit, "withTotal": ask_total}
        if cursor is not None:
            call_args["cursor"] = cursor
        if skip:
            call_args["skip"] = skip
        reply = yield path, call_args
        seen += int(reply["skipped"]) if skip else 0
        if ask_total and "total" in reply:
            total, counting = int(reply["total"]), False
        ask_total = False
        kept = reply["page"] if keep is None else [*filter(keep, reply["page"])]
        found += kept[max(wanted.offset - seen, 0) : None if end is None else max(end - seen, 0)]
        seen += len(kept)
        cursor = reply["cursor"]
        if cursor is None:
            break
        if not counting and end is not None and seen >= end + beyond:
            break
    if counting:
        total = seen
    if end is None:
        more = False
    elif total is not None:
        more = end < total
    else:
        more = seen > end
    return Found(found, total, more)


def merged(
    lists: Sequence[Call], wanted: Window, place: Callable[[Doc], Any], keep: Keep | None = None
) -> Read[Found]:
    """The documents of a window of several lists as if they were one, in the order of `place`.

    All have the same `order`. Each is read up to the window's end.
    """
    head = Window(0, False if wanted.end is None else wanted.end, wanted.include_total)
    documents: list[Doc] = []
    total, more = 0, False
    for path, args in lists:
        found = yield from listing(path, args, head, keep)
        documents += found.documents
        total += found.total or 0
        more = more or found.has_more
    descending = any(args["order"] == "desc" for _, args in lists)
    documents.sort(key=place, reverse=descending)
    more = wanted.end is not None and (more or len(documents) > wanted.end)
    inside = documents[wanted.offset : wanted.end]
    return Found(inside, total if wanted.include_total else None, more)


def newest(path: str, args: Doc, count: int) -> Read[list[Doc]]:
    """The last `count` documents of an ascending list, in ascending order."""
    if count <= 0:
        return []
    wanted = Window(0, count, include_total=False)
    found = yield from listing(path, {**args, "order": "desc"}, wanted, look_beyond=False)
    return found.documents[::-1]


def direction(order: Any) -> str:
    """ "asc" or "desc" for Mastra's ASC and DESC in any case. Raises `InvalidArgumentError`."""
    lowered = order.lower() if isinstance(order, str) else order
    if lowered not in ("asc", "desc"):
        raise InvalidArgumentError(
            f"the direction of an order is 'ASC' or 'DESC', not {order!r}", path="order_by"
        )
    return str(lowered)


def order_of(order_by: Any, fields: tuple[str, ...], default: str) -> tuple[str, str]:
    """Field and direction of an `order_by` such as `{"field": "createdAt", "direction": "DESC"}`.

    The first of `fields` and `default` stand for what is left out. Raises `InvalidArgumentError`
    for an unknown field or direction: a list in another order than asked for would go unnoticed.
    """
    if order_by is None:
        return fields[0], default
    if not isinstance(order_by, Mapping) or not order_by.keys() <= {"field", "direction"}:
        raise InvalidArgumentError(
            f"order_by is a mapping with field and direction, not {order_by!r}", path="order_by"
        )
    field = order_by.get("field", fields[0])
    if field not in fields:
        known = " or ".join(map(repr, fields))
        raise InvalidArgumentError(
            f"cannot order by {field!r}; the field of order_by is {known}", path="order_by.field"
        )
    return field, direction(order_by.get("direction", default))


def time_range(start: Any, end: Any) -> Doc:
    """The functions' `from` and `to`, both inclusive, for what of the two is given."""
    given = {"from": (start, "from_date"), "to": (end, "to_date")}
    return {
        name: to_milliseconds(value, label)
        for name, (value, label) in given.items()
        if value is not None
    }


def given(**args: Any) -> Doc:
    """The arguments that are not None; all are text. Raises `InvalidArgumentError` otherwise."""
    for name, value in args.items():
        if value is not None and not isinstance(value, str):
            raise InvalidArgumentError(f"{name} must be text, not {value!r:.60}", path=name)
    return {name: value for name, value in args.items() if value is not None}


def named(value: Any, name: str) -> str:
    """An argument that must be given, and be text. Raises `InvalidArgumentError` otherwise."""
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{name} must be text, not {value!r:.60}", path=name)
    return value


def matching(residual: Doc) -> Keep | None:
    """A `keep` for fields that equal these values; None if there is nothing to compare."""
    if not residual:
        return None
    return lambda document: all(document.get(name) == value for name, value in residual.items())


def _own_metadata(document: Doc) -> Any:
    text = document.get("metadata")
    return None if text is None else open_payload(text)


def metadata_keep(
    wanted: Any, metadata_of: Callable[[Doc], Any] = _own_metadata, *, scalar: bool = False
) -> Keep | None:
    """A `keep` for records whose metadata has these entries (interface, 1.4).

    `metadata_of` gives a document's; `scalar` ones are text, numbers, booleans and None alone.
    """
    if wanted is None or wanted == {}:
        return None
    if not isinstance(wanted, Mapping):
        raise InvalidArgumentError(f"metadata is a mapping, not {wanted!r:.60}", path="metadata")
    for key, value in wanted.items():
        if not isinstance(key, str) or not _KEY.match(key) or key in _FORBIDDEN_KEYS:
            raise InvalidArgumentError(
                f"metadata cannot be filtered by the key {key!r}; a key is 1 to 128 letters, "
                "digits and _, and does not begin with a digit",
                path="metadata",
            )
        if scalar and not _is_scalar(value):
            raise InvalidArgumentError(
                f"metadata.{key} must be text, a finite number, a boolean or None, not "
                f"{value!r:.60}",
                path="metadata",
            )

    entries = list(wanted.items())

    def keep(document: Doc) -> bool:
        metadata = metadata_of(document)
        if not isinstance(metadata, dict):
            return False
        for key, value in entries:
            found = metadata.get(key, _MISSING)
            if type(found) is not type(value) or type(value) not in _PLAIN:
                if found is _MISSING or not same_json(found, value):
                    return False
            elif found != value:
                return False
        return True

    return keep


def _is_scalar(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (str, int))


def same_json(left: Any, right: Any) -> bool:
    """Equality of JSON values: unlike Python's, True is not 1."""
    if isinstance(left, dict) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same_json(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(same_json, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)
