"""Documents that mutations have found by key, kept between mutations.

The one who appends to a thread reads the thread first, every time. Its document is the same as long
as nobody else has committed, which the timestamp of the newest commit tells; so it is kept here.
Used under the write lock only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mastra_convex.engine.query import Doc
from mastra_convex.engine.schema import Table

_MAX_DOCUMENTS = 1024
# Large documents are rarely written twice in a row, and would make the bound meaningless.
_MAX_TEXT = 16 * 1024

Key = tuple[str, str, tuple[Any, ...]]


class FoundDocuments:
    """A bounded memory of `find`: what it would read from the table now."""

    def __init__(self) -> None:
        self._ts = 0
        # By table, index, and the values of its fields.
        self.documents: dict[Key, Doc] = {}
        # The indexes by which documents of a table were found (usually one), and their fields.
        self._indexes: dict[str, dict[str, tuple[str, ...]]] = {}
        self._fields: dict[str, set[str]] = {}

    def begin(self, ts: int) -> None:
        """Start from the commit `ts`: forget everything if it is not the one that was followed."""
        if ts != self._ts:
            self.forget()
            self._ts = ts

    def committed(self, ts: int) -> None:
        """What is known is now known as of `ts`."""
        self._ts = ts

    def forget(self) -> None:
        """Forget everything."""
        self.documents.clear()
        self._ts = 0

    def moves(self, table: str, fields: Iterable[str]) -> bool:
        """Whether documents of the table were found by any of these fields."""
        return table in self._fields and not self._fields[table].isdisjoint(fields)

    def put(self, table: Table, key: Key, document: Doc) -> None:
        """Remember what was found."""
        if len(self.documents) >= _MAX_DOCUMENTS:
            self.documents.clear()
        names = [table.columns[position] for position in table.bulky]
        texts = [table.value_of(name, document.get(name)) for name in names]
        if all(text is None or len(text) <= _MAX_TEXT for text in texts):
            fields = table.indexes[key[1]].fields
            self._indexes.setdefault(table.name, {})[key[1]] = fields
            self._fields.setdefault(table.name, set()).update(fields)
            self.documents[key] = document

    def wrote(self, table: Table, before: Doc | None, after: Doc | None) -> None:
        """Follow a write; both None stand for many of the table."""
        name = table.name
        if name not in self._indexes:
            return
        for index, fields in self._indexes[name].items():
            if before is None and after is None:
                self.documents = {k: d for k, d in self.documents.items() if k[0] != name}
                return
            old = None if before is None else (name, index, tuple(map(before.get, fields)))
            new = None if after is None else (name, index, tuple(map(after.get, fields)))
            if old == new and old in self.documents:
                assert after is not None
                self.documents[old] = after
            else:
                # A second document under one key must be noticed, so it is read the next time.
                for key in (old, new):
                    if key is not None:
                        self.documents.pop(key, None)
