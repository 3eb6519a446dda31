"""What has come into a list of traces or branches since: each row once, whatever changes later.

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

_PATH = "spans:listArrived"
_AT_ONCE = 100


class Delta(NamedTuple):
    """Rows, the oldest first; whether there are more; and where to go on."""

    rows: list[Doc]
    has_more: bool
    cursor: str


def start(of: str) -> Read[str]:
    """The cursor after all that is in a list now."""
    reply = yield _PATH, {"list": of, "limit": 1}
    position = reply["position"]
    seen = yield from _after(of, position)
    return _encode(of, position, seen)


def arrivals(of: str, cursor: Any, limit: int, keep: Keep) -> Read[Delta]:
    """At most `limit` rows that came after the cursor and are to be kept.

    Raises `InvalidArgumentError` for a cursor that is none, or another list's.
    """
    position, seen = _decode(of, cursor)
    # Asked for first: what comes in meanwhile, late or not, is after it.
    settled = (yield _PATH, {"list": of, "limit": 1})["position"]
    rows: list[Doc] = []
    start, again = position, set[str]()
    while True:
        reply = yield _PATH, {"list": of, "after": position, "limit": _AT_ONCE}
        for row in reply["page"]:
            key = _key(row)
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


def _after(of: str, position: float) -> Read[set[str]]:
    """The keys of all rows after a position."""
    found = set[str]()
    while True:
        reply = yield _PATH, {"list": of, "after": position, "limit": _AT_ONCE}
        found.update(map(_key, reply["page"]))
        position = reply["position"]
        if reply["isDone"]:
            return found


def _key(row: Doc) -> str:
    text = json.dumps([row["traceId"], row["spanId"], row["createdAt"]])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _encode(of: str, position: float, seen: set[str]) -> str:
    text = json.dumps([of, position, sorted(seen)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(of: str, cursor: Any) -> tuple[float, set[str]]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        list_, position, seen = json.loads(text)
        if list_ == of and type(position) in (int, float) and position >= 0:
            return position, set(seen)
    except (TypeError, ValueError, AttributeError, binascii.Error):
        pass
    raise InvalidArgumentError(
        f"after must be the delta_cursor of an earlier answer of this list, not {cursor!r:.60}",
        path="after",
    )
