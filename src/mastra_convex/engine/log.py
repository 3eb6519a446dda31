"""The commit log in the file: how other connections and processes learn what changed.

Each commit adds one row: its timestamp, the index fields of every written document before and
after, and the totals of all tables. The row is part of the commit, so the log is never ahead of
the data nor behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from mastra_convex.engine.query import Doc
from mastra_convex.engine.ranges import Key, sortable
from mastra_convex.engine.schema import Schema
from mastra_convex.engine.transaction import Change, Totals
from mastra_convex.values.payload import decode_json, encode_json

if TYPE_CHECKING:
    from mastra_convex.engine.store import Connection

# A process that was stopped for longer, or while more happened, re-runs all its live queries once,
# and misses nothing. The number counts where timestamps do not tell time: if the machine's clock
# was ahead by years once, the commits since then are a nanosecond apart.
KEEP_NANOSECONDS = 60 * 10**9
KEEP_COMMITS = 10_000
_TRIM_EVERY = 256
_TRIM_AT_MOST = 1024


def _totals_text(totals: Totals) -> str:
    """JSON, three times as fast as an encoder writes it: every commit has the totals of all."""
    tables = [f'"{name}":[{count},{size},{last}]' for name, (count, size, last) in totals.items()]
    return "{" + ",".join(tables) + "}"


# A written document as the log has it: table, keys before, keys after; keys are `_id` and the
# fields that any index mentions, in the table's order.
Entry = tuple[str, "list[Any] | None", "list[Any] | None"]


class Head(NamedTuple):
    """The newest commit: its timestamp, and the totals as of it."""

    ts: int
    totals: Totals


class CommitLog:
    """Reads and writes the log; keeps the newest head, so that it is parsed once."""

    def __init__(self, schema: Schema) -> None:
        self._fields = {
            name: ("_id", *table.indexed_fields) for name, table in schema.tables.items()
        }
        # Where in such keys the fields of each index stand, `_id` last: for `index_keys`.
        self._indexes = {
            name: {
                index.name: (*(self._fields[name].index(field) for field in index.fields), 0)
                for index in table.indexes.values()
            }
            for name, table in schema.tables.items()
        }
        self._head = Head(0, {})
        # The first commit trims: many programs end before they have made the others.
        self._until_trim = 1

    def head(self, connection: Connection) -> Head:
        """The head of the snapshot that the connection sees."""
        row = connection.execute(
            "SELECT ts, totals FROM _commits ORDER BY ts DESC LIMIT 1"
        ).fetchone()
        head = self._head
        if head.ts != row[0]:
            totals = {table: tuple(total) for table, total in decode_json(row[1]).items()}
            self._head = head = Head(row[0], totals)
        return head

    def append(self, connection: Connection, head: Head, changes: Iterable[Change]) -> None:
        """Write `head` as the newest commit, with what it changed."""
        entries = [
            (table.name, self._keys(table.name, before), self._keys(table.name, after))
            for table, before, after in changes
        ]
        connection.execute(
            "INSERT INTO _commits VALUES (?, ?, ?)",
            (head.ts, encode_json(entries), _totals_text(head.totals)),
        )
        self._until_trim -= 1
        if self._until_trim <= 0:
            self._until_trim = _TRIM_EVERY
            connection.execute(
                "DELETE FROM _commits WHERE ts IN "
                "(SELECT ts FROM _commits WHERE ts < max(?, "
                "ifnull((SELECT ts FROM _commits ORDER BY ts DESC LIMIT 1 OFFSET ?), 0)) "
                "ORDER BY ts LIMIT ?)",
                # The commit before this one stays: whoever is up to date must not lose its place.
                (min(head.ts - KEEP_NANOSECONDS, self._head.ts), KEEP_COMMITS, _TRIM_AT_MOST),
            )

    def committed(self, head: Head) -> None:
        """Remember `head`, now that it is in the file and will not be taken back."""
        self._head = head

    def since(self, connection: Connection, ts: int) -> list[Entry] | None:
        """What was written after the commit `ts`; None if the log no longer reaches back to it."""
        rows = connection.execute(
            "SELECT ts, changes FROM _commits WHERE ts >= ? ORDER BY ts", [ts]
        ).fetchall()
        if not rows or rows[0][0] != ts:
            return None
        return [entry for _, text in rows[1:] for entry in decode_json(text)]

    def index_keys(self, entry: Entry) -> Iterator[tuple[str, Key]]:
        """Every index of the entry's table with a key that the write took out or put in.

        None for an entry that does not tell its documents (`Writer.delete_range`).
        """
        table, *sides = entry
        for keys in sides:
            if keys is not None:
                values = sortable(keys)
                for index, positions in self._indexes[table].items():
                    yield index, tuple([values[position] for position in positions])

    def _keys(self, table: str, document: Doc | None) -> list[Any] | None:
        return None if document is None else [*map(document.get, self._fields[table])]
