"""What has come into a list of observability since: each row once, whatever changes later.

A cursor is a position among arrivals, and what was given of those that come after it: where several
machines commit at the same time, the last seconds are read again, for what became visible late.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any, NamedTuple

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.reads.listing import Doc, Keep, Read

_AT_ONCE = 100
_MOST = 100
_FIRST = (0, 10)


class Wanted(NamedTuple):
    """The arguments of a list, as they were given."""

    filters: Any = None
    pagination: Any = None
    order_by: Any = None
    page: Any = _FIRST[0]
    per_page: Any = _FIRST[1]
    include_total: bool = True
    mode: Any = None
    after: Any = None
    limit: Any = None


class Source(NamedTuple):
    """A list that rows come into: its name in cursors, its call, and what tells rows apart."""

    name: str
    path: str
    args: Doc
    keys: tuple[str, ...]


class Delta(NamedTuple):
    """Rows, the oldest first; whether there are more; and where to go on."""

    rows: list[Doc]
    has_more: bool
    cursor: str


def is_delta(wanted: Wanted) -> bool:
    """Whether a delta is wanted, and no page. Raises `InvalidArgumentError` for a mix of them."""
    if wanted.mode not in (None, "page", "delta"):
        raise InvalidArgumentError(
            f"mode is 'page' or 'delta', not {wanted.mode!r:.60}", path="mode"
        )
    if wanted.mode == "delta":
        given = wanted.pagination, wanted.order_by, (wanted.page, wanted.per_page)
        if given != (None, None, _FIRST):
            raise InvalidArgumentError(
                "mode='delta' has no pages and no other order; leave pagination, page, per_page "
                "and order_by out",
                path="mode",
            )
        return True
    for name in ("after", "limit"):
        if getattr(wanted, name) is not None:
            raise InvalidArgumentError(f"{name} is for mode='delta' alone", path=name)
    return False


def delta(source: Source, wanted: Wanted, keep: Keep) -> Read[tuple[list[Doc], Doc]]:
    """The rows of a delta, and what its page says about itself.

    Raises `InvalidArgumentError`.
    """
    limit = 10 if wanted.limit is None else wanted.limit
    check_size("limit", limit)
    about = {"total": None, "page": 0, "per_page": limit}
    if wanted.after is None:
        cursor = yield from start(source)
        return [], {**about, "has_more": False, "delta_cursor": cursor}
    found = yield from arrivals(source, wanted.after, limit, keep)
    return found.rows, {**about, "has_more": found.has_more, "delta_cursor": found.cursor}


def check_size(name: str, number: Any) -> None:
    """Raises `InvalidArgumentError` unless a number of rows is whole, from 1 to 100."""
    if type(number) is not int or not 1 <= number <= _MOST:
        also = ", or False for all" if name == "per_page" else ""
        raise InvalidArgumentError(
            f"{name} must be whole, from 1 to {_MOST}{also}, not {number!r:.60}", path=name
        )


def start(of: Source) -> Read[str]:
    """The cursor after all that is in a list now."""
    reply = yield of.path, {**of.args, "limit": 1}
    position = reply["position"]
    seen = yield from _after(of, position)
    return _encode(of, position, seen)


def arrivals(of: Source, cursor: Any, limit: int, keep: Keep) -> Read[Delta]:
    """At most `limit` rows that came after the cursor and are to be kept.

    Raises `InvalidArgumentError` for a cursor that is none, or another list's.
    """
    position, seen = _decode(of, cursor)
    # Asked for first: what comes in meanwhile, late or not, is after it.
    settled = (yield of.path, {**of.args, "limit": 1})["position"]
    rows: list[Doc] = []
    start, again = position, set[str]()
    while True:
        reply = yield of.path, {**of.args, "after": position, "limit": _AT_ONCE}
        for row in reply["page"]:
            key = _key(of, row)
            if key not in seen and keep(row):
                if len(rows) == limit:
                    return Delta(rows, True, _encode(of, start, again | seen))
                rows.append(row)
            again.add(key)
        done = reply["isDone"]
        position = reply["position"]
        if position <= settled:
            start = position
            # What is on the last page may come again: its end is not where the position is.
            if not done:
                seen -= again
                again.clear()
        if done:
            return Delta(rows, False, _encode(of, start, again))


def _after(of: Source, position: float) -> Read[set[str]]:
    """The keys of all rows after a position."""
    found = set[str]()
    while True:
        reply = yield of.path, {**of.args, "after": position, "limit": _AT_ONCE}
        found.update(_key(of, row) for row in reply["page"])
        position = reply["position"]
        if reply["isDone"]:
            return found


def _key(of: Source, row: Doc) -> str:
    # One that was deleted and saved anew has another `createdAt`, and is new.
    text = json.dumps([*(row[name] for name in of.keys), row["createdAt"]])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _encode(of: Source, position: float, seen: set[str]) -> str:
    text = json.dumps([of.name, position, sorted(seen)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(of: Source, cursor: Any) -> tuple[float, set[str]]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        list_, position, seen = json.loads(text)
        if list_ == of.name and type(position) in (int, float) and position >= 0:
            return position, set(seen)
    except (TypeError, ValueError, AttributeError, binascii.Error):
        pass
    raise InvalidArgumentError(
        f"after must be the delta_cursor of an earlier answer of this list, not {cursor!r:.60}",
        path="after",
    )
