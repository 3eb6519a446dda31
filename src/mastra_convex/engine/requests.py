"""Requests that were answered: a mutation that is sent again is answered again, and not run again.

Who sends it names its session and numbers its requests. What a request has returned is written in
the transaction that it has made, so it is known exactly if that has happened: also after the
program was killed before it could answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from mastra_convex.values.payload import decode_json, encode_json

if TYPE_CHECKING:
    from mastra_convex.engine.store import Connection

# Who comes back later than that has lost its session; Convex's own time.
KEEP_NANOSECONDS = 14 * 24 * 3600 * 10**9
_TRIM_EVERY = 256
_TRIM_AT_MOST = 1024

# The session, and the request's number in it.
RequestKey = tuple[str, int]


class Answer(NamedTuple):
    """What a request has returned, and the timestamp of its commit."""

    value: Any
    ts: int


class AnsweredRequests:
    """Reads and writes the table of them. Only the writer uses it, inside its transaction."""

    def __init__(self) -> None:
        # The first trims: many programs end before they have made the others.
        self._until_trim = 1

    def find(self, connection: Connection, key: RequestKey) -> Answer | None:
        """What was answered to a request, if it was."""
        row = connection.execute(
            "SELECT value, ts FROM _requests WHERE session = ? AND request = ?", key
        ).fetchone()
        return None if row is None else Answer(decode_json(row[0]), row[1])

    def record(
        self, connection: Connection, answers: Iterable[tuple[RequestKey, Answer]], now: int
    ) -> None:
        """Write what is answered to requests; forget some of those that are older than is kept."""
        rows = [(*key, answer.ts, now, encode_json(answer.value)) for key, answer in answers]
        connection.executemany("INSERT INTO _requests VALUES (?, ?, ?, ?, ?)", rows)
        self._until_trim -= len(rows)
        if self._until_trim <= 0:
            self._until_trim = _TRIM_EVERY
            connection.execute(
                "DELETE FROM _requests WHERE (session, request) IN "
                "(SELECT session, request FROM _requests WHERE answered < ? "
                "ORDER BY answered LIMIT ?)",
                (now - KEEP_NANOSECONDS, _TRIM_AT_MOST),
            )
