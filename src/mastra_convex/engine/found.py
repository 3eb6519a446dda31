"""Documents that mutations have found by key, kept between mutations.

The one who appends to a thread reads the thread first, every time. Its document is the same as long
as nobody else has committed, which the timestamp of the newest commit tells; so it is kept here.
Used under the write lock only.
"""

from __future__ import annotations

from typing import Any

from mastra_convex.engine.query import Doc
from mastra_convex.engine.schema import Table

_MAX_DOCUMENTS = 1024
# Large documents are rarely written twice in a row, and would make the bound meaningless.
_MAX_TEXT = 16 * 1024

Key = tuple[Any, ...]


class FoundDocuments:
    """A bounded memory of `find`: what it would read from the table now."""

    def __init__(self) -> None:
        self._ts = 0
        self._documents: dict[Key, Doc] = {}
        # The indexes by which documents of a table were found: usually one.
        self._indexes: dict[str, dict[str, tuple[str, ...]]] = {}

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
        self._documents.clear()
        self._ts = 0

    def get(self, key: Key) -> Doc | None:
        """The document found by `(table, index, *values)`, if it is known."""
        return self._documents.get(key)

    def put(self, table: Table, key: Key, document: Doc) -> None:
        """Remember what was found."""
        if len(self._documents) >= _MAX_DOCUMENTS:
            self._documents.clear()
        names = [table.columns[position] for position in table.bulky]
        texts = [table.value_of(name, document.get(name)) for name in names]
        if all(text is None or len(text) <= _MAX_TEXT for text in texts):
            self._indexes.setdefault(table.name, {})[key[1]] = table.indexes[key[1]].fields
            self._documents[key] = document

    def wrote(self, table: Table, before: Doc | None, after: Doc | None) -> None:
        """Follow a write; both None stand for many of the table."""
        name = table.name
        for index, fields in self._indexes.get(name, {}).items():
            if before is None and after is None:
                self._documents = {k: d for k, d in self._documents.items() if k[0] != name}
                return
            old = None if before is None else (name, index, *map(before.get, fields))
            new = None if after is None else (name, index, *map(after.get, fields))
            if old == new and old in self._documents:
                assert after is not None
                self._documents[old] = after
            else:
                # A second document under one key must be noticed, so it is read the next time.
                for key in (old, new):
                    if key is not None:
                        self._documents.pop(key, None)
