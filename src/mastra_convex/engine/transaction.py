"""What functions see of the database: a reader on a snapshot, and a writer that notes its changes.

Both are `ctx.db`. Documents are plain dicts, to be treated as immutable; `_id` is the row's number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mastra_convex.engine.found import FoundDocuments
from mastra_convex.engine.query import Doc, Query
from mastra_convex.engine.ranges import ReadRange, sortable
from mastra_convex.engine.schema import BY_CREATION_TIME, Schema, Table

if TYPE_CHECKING:
    from mastra_convex.engine.store import Connection


# One written document: its table, before (None: inserted) and after (None: deleted). Both None:
# many documents of the table, not told one by one.
Change = tuple[Table, "Doc | None", "Doc | None"]


class TableTotals(NamedTuple):
    """How many documents a table holds, and the bytes of their values."""

    documents: int
    bytes: int


# Documents that are read by one statement.
_AT_ONCE = 20

# Of each table: documents, bytes, and the last `_id` given out. An `_id` never comes twice, so that
# whoever follows a table by it misses nothing.
Totals = dict[str, tuple[int, int, int]]
NOTHING = (0, 0, 0)


@lru_cache(maxsize=1024)
def _get_sql(table: Table) -> str:
    columns = ", ".join(f'"{column}"' for column in table.columns)
    return f'SELECT {columns} FROM "{table.name}" WHERE _id = ?'


@lru_cache(maxsize=1024)
def _get_all_sql(table: Table) -> str:
    columns = ", ".join(f'"{column}"' for column in table.columns)
    return f'SELECT {columns} FROM "{table.name}" WHERE _id IN ({", ".join("?" * _AT_ONCE)})'


@lru_cache(maxsize=1024)
def _find_sql(table: Table, index: str) -> str:
    columns = ", ".join(f'"{column}"' for column in table.columns)
    where = " AND ".join(f'"{field}" = ?' for field in table.indexes[index].fields)
    return f'SELECT {columns} FROM "{table.name}" WHERE {where} LIMIT 2'


@lru_cache(maxsize=1024)
def _probe_sql(table: Table, index: str) -> str:
    where = " AND ".join(f'"{field}" = ?' for field in table.indexes[index].fields)
    return f'SELECT _id FROM "{table.name}" WHERE {where} LIMIT 2'


# Only the fields that a document has: sqlite3 asks of each None whether it can be adapted, which
# takes longer than binding a value.
@lru_cache(maxsize=4096)
def _insert_sql(table: Table, fields: tuple[str, ...]) -> str:
    columns = ", ".join(f'"{column}"' for column in (*fields, "_id"))
    return f'INSERT INTO "{table.name}" ({columns}) VALUES ({", ".join("?" * (len(fields) + 1))})'


@lru_cache(maxsize=4096)
def _update_sql(table: Table, fields: tuple[str, ...]) -> str:
    assignments = ", ".join(f'"{field}" = ?' for field in fields)
    return f'UPDATE "{table.name}" SET {assignments} WHERE _id = ?'


def _size(values: Iterable[Any]) -> int:
    """Bytes of stored values: UTF-8 for text, 8 for a number, 0 for what is missing."""
    total = 0
    for value in values:
        if type(value) is str:
            total += len(value) if value.isascii() else len(value.encode())
        elif value is not None:
            total += 8
    return total


def _two(table: str, values: tuple[str | float, ...]) -> ValueError:
    return ValueError(f"more than one document in {table!r} where one was meant: {values}")


class Reader:
    """Reads on one snapshot. With `reads`, notes the index ranges that it has looked at."""

    def __init__(
        self,
        connection: Connection,
        schema: Schema,
        totals: Callable[[], Totals],
        reads: list[ReadRange] | None = None,
    ) -> None:
        self._execute = connection.execute
        self._tables = schema.tables
        self._all_totals = totals
        self.reads = reads

    def query(self, table: str) -> Query:
        """A query on `table`; go on with `with_index`."""
        return Query(self, self._tables[table])

    def get(self, table: str, document_id: int) -> Doc | None:
        """The document with this `_id`, or None."""
        found, _ = self.select(self._tables[table], _get_sql(self._tables[table]), [document_id])
        if self.reads is not None:
            bound = (sortable([document_id]), True)
            self.reads.append(ReadRange(table, BY_CREATION_TIME, bound[0], bound, bound))
        return found[0] if found else None

    def get_all(self, table: str, ids: Sequence[int]) -> dict[int, Doc]:
        """The documents with these `_id`s that there are, by them, in few statements."""
        found: dict[int, Doc] = {}
        for start in range(0, len(ids), _AT_ONCE):
            some = [*ids[start : start + _AT_ONCE]]
            # What there is no id for is NULL, which no row has, so that there is one statement.
            some += [None] * (_AT_ONCE - len(some))  # type: ignore[list-item]
            documents, _ = self.select(self._tables[table], _get_all_sql(self._tables[table]), some)
            found |= {document["_id"]: document for document in documents}
        if self.reads is not None:
            for document_id in ids:
                bound = (sortable([document_id]), True)
                self.reads.append(ReadRange(table, BY_CREATION_TIME, bound[0], bound, bound))
        return found

    def find(self, table: str, index: str, *values: str | float) -> Doc | None:
        """The only document whose fields of the index are `values`, all of them; or None.

        The same as a query with `eq` for each and `unique`, without the cost of building one.
        Raises `ValueError` if there are two.
        """
        target = self._tables[table]
        rows = self._execute(_find_sql(target, index), values).fetchall()
        if self.reads is not None:
            equal = sortable(values)
            self.reads.append(ReadRange(table, index, equal, (equal, True), (equal, True)))
        if len(rows) > 1:
            raise _two(table, values)
        return target.document_of(rows[0]) if rows else None

    def totals(self, table: str) -> TableTotals:
        """Documents and bytes of a table: kept with each commit, not counted."""
        if self.reads is not None:
            self.reads.append(ReadRange(table, BY_CREATION_TIME, (), ((), True), ((), True)))
        documents, size, _ = self._all_totals().get(table, NOTHING)
        return TableTotals(documents, size)

    def select(
        self,
        table: Table,
        sql: str,
        parameters: Sequence[Any],
        max_bytes: int | None = None,
    ) -> tuple[list[Doc], bool]:
        """The documents that a compiled statement finds, and whether `max_bytes` cut them short."""
        rows = self._execute(sql, parameters)
        if max_bytes is None:
            return [table.document_of(row) for row in rows.fetchall()], False
        found, size, bulky = [], 0, table.bulky
        for row in rows:
            found.append(table.document_of(row))
            for position in bulky:
                if text := row[position]:
                    size += len(text)
            if size >= max_bytes:
                rows.close()
                return found, True
        return found, False

    def rows(self, table: Table, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """What a compiled statement gives that reads no documents of the table."""
        return self._execute(sql, parameters).fetchall()


class _Patched:
    """A document as it is in the table, as it will be, and the fields that were set."""

    __slots__ = ("after", "before", "names")

    def __init__(self, before: Doc) -> None:
        self.before = self.after = before
        self.names: set[str] = set()


class Writer(Reader):
    """Reads and writes inside the write transaction, for one mutation after another.

    What is patched is kept back until somebody looks at its table, or `flush`: counters and threads
    are patched by one mutation after another, and written once. `changes` is what was written, in
    order; `totals` are kept up to date in place; `found` knows nothing of what is kept back.
    """

    def __init__(
        self,
        connection: Connection,
        schema: Schema,
        totals: Totals,
        found: FoundDocuments,
        *,
        strict: bool,
    ) -> None:
        super().__init__(connection, schema, lambda: totals)
        self.changes: list[Change] = []
        self._totals = totals
        self._found = found
        self._strict = strict
        # What this mutation has read or written, so that a patch need not read it again.
        self._known: dict[tuple[str, int], Doc] = {}
        # What is kept back, by table and `_id`.
        self._patched: dict[str, dict[int, _Patched]] = {}
        # Whether the present mutation has written, and where its changes begin.
        self.wrote = False
        self._start = 0

    def begin(self) -> None:
        """The next mutation begins."""
        self._known.clear()
        self.wrote = False
        self._start = len(self.changes)

    def flush(self) -> None:
        """Write everything that was patched."""
        for table in list(self._patched):
            self._flush(table)

    def undo(self, totals: Totals) -> None:
        """Forget what was written since `begin`, and `flush` before that: it was rolled back."""
        for table, before, after in self.changes[self._start :]:
            self._found.wrote(table, after, None)
            self._found.wrote(table, before, None)
        del self.changes[self._start :]
        self._patched.clear()
        self._known.clear()
        self._totals.clear()
        self._totals.update(totals)

    def find(self, table: str, index: str, *values: str | float) -> Doc | None:
        """As the reader's; what an earlier mutation has found need not be read again."""
        key = (table, index, values)
        document = self._found.documents.get(key)
        if document is None:
            self._flush(table)
            target = self._tables[table]
            # Most often there is none, which costs least to learn without the other columns.
            rows = self._execute(_probe_sql(target, index), values).fetchall()
            if not rows:
                return None
            if len(rows) > 1:
                raise _two(table, values)
            document = self._current(table, rows[0][0])
            self._found.put(target, key, document)
        elif table in self._patched and document["_id"] in self._patched[table]:
            return self._patched[table][document["_id"]].after
        self._known[table, document["_id"]] = document
        return document

    def select(
        self,
        table: Table,
        sql: str,
        parameters: Sequence[Any],
        max_bytes: int | None = None,
    ) -> tuple[list[Doc], bool]:
        """As the reader's, remembering what was found."""
        self._flush(table.name)
        found, cut = super().select(table, sql, parameters, max_bytes)
        for document in found:
            self._known[table.name, document["_id"]] = document
        return found, cut

    def rows(self, table: Table, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """As the reader's, with what this transaction has written."""
        self._flush(table.name)
        return super().rows(table, sql, parameters)

    def totals(self, table: str) -> TableTotals:
        """As the reader's, with what this transaction has written."""
        self._flush(table)
        return super().totals(table)

    def insert(self, table: str, document: Doc) -> int:
        """Add a document; returns its `_id`. None as a value is a missing field."""
        target = self._tables[table]
        if None in document.values():
            document = {name: value for name, value in document.items() if value is not None}
        if self._strict:
            target.document.validate(document, table)
        values = [*document.values()]
        if target.writers:
            values = [*map(target.value_of, document, values)]
        documents, size, last = self._totals.get(table, NOTHING)
        document_id = last + 1
        self._execute(_insert_sql(target, tuple(document)), (*values, document_id))
        self._totals[table] = (documents + 1, size + _size(values), document_id)
        after = {**document, "_id": document_id}
        self._known[table, document_id] = after
        self._note(target, None, after)
        return document_id

    def patch(self, table: str, document_id: int, fields: Doc) -> None:
        """Set `fields`; None removes one. Fields that stay equal are not written."""
        patched = self._patched[table].get(document_id) if table in self._patched else None
        if patched is None:
            patched = _Patched(self._current(table, document_id))
            self._patched.setdefault(table, {})[document_id] = patched
        after = patched.after | fields
        if None in fields.values():
            after = {name: x for name, x in after.items() if x is not None}
        if self._strict:
            document = {name: x for name, x in after.items() if name != "_id"}
            self._tables[table].document.validate(document, table)
        patched.after = after
        patched.names.update(fields)
        self.wrote = True
        if self._found.moves(table, fields):
            self._flush(table)

    def replace(self, table: str, document_id: int, document: Doc) -> None:
        """Make this the whole document; fields that it lacks are removed."""
        missing = dict.fromkeys(self._tables[table].fields)
        self.patch(table, document_id, missing | document)

    def delete(self, table: str, document_id: int) -> None:
        """Remove the document. Raises `ValueError` if there is none."""
        self._flush(table)
        target, before = self._tables[table], self._current(table, document_id)
        self._execute(f'DELETE FROM "{table}" WHERE _id = ?', [document_id])
        self._count(table, -1, -_size(target.values_of(before, target.fields)))
        self._known.pop((table, document_id), None)
        self._note(target, before, None)

    def delete_range(self, query: Query) -> None:
        """Remove every document in the range of a query, in one statement.

        Its log entry names the table alone, so that every live query of the table runs again.
        """
        table, where, parameters = query.compiled_range()
        self._flush(table.name)
        count, size = self._execute(
            f'SELECT count(*), {table.size_sql()} FROM "{table.name}"{where}', parameters
        ).fetchone()
        if count:
            self._execute(f'DELETE FROM "{table.name}"{where}', parameters)
            self._count(table.name, -count, -size)
            self._known.clear()
            self._note(table, None, None)

    def patch_range(self, query: Query, field: str, value: str | float) -> None:
        """Set one field of every document in the range of a query, in one statement.

        Its log entry is that of `delete_range`.
        """
        table, where, parameters = query.compiled_range()
        self._flush(table.name)
        count, before = self._execute(
            f'SELECT count(*), {table.size_sql(field)} FROM "{table.name}"{where}', parameters
        ).fetchone()
        if count:
            stored = table.value_of(field, value)
            sql = f'UPDATE "{table.name}" SET "{field}" = ?{where}'
            self._execute(sql, [stored, *parameters])
            self._count(table.name, 0, count * _size([stored]) - before)
            self._known.clear()
            self._note(table, None, None)

    def _current(self, table: str, document_id: int) -> Doc:
        """A document of which nothing is kept back. Raises `ValueError` if there is none."""
        document = self._known.get((table, document_id))
        if document is None:
            document = self.get(table, document_id)
        if document is None:
            raise ValueError(f"there is no document {document_id} in {table!r}")
        return document

    def _flush(self, table: str) -> None:
        """Write what was patched in a table."""
        if table not in self._patched:
            return
        target = self._tables[table]
        # If one cannot be written, it need not be the present mutation's: that is to be found out.
        wrote, self.wrote = self.wrote, True
        for document_id, patched in self._patched[table].items():
            before, after, names = patched.before, patched.after, patched.names
            values = zip(names, target.values_of(before, names), target.values_of(after, names))
            # As they are stored: in JSON, 1, 1.0 and true are not the same.
            changed = {name: (old, new) for name, old, new in values if old != new}
            if changed:
                old, new = zip(*changed.values())
                self._execute(_update_sql(target, tuple(changed)), (*new, document_id))
                self._count(table, 0, _size(new) - _size(old))
                self._known[table, document_id] = after
                self._note(target, before, after)
        self.wrote = wrote
        del self._patched[table]

    def _count(self, table: str, documents: int, size: int) -> None:
        before, bytes_before, last = self._totals[table]
        self._totals[table] = (before + documents, bytes_before + size, last)

    def _note(self, table: Table, before: Doc | None, after: Doc | None) -> None:
        self.wrote = True
        self.changes.append((table, before, after))
        self._found.wrote(table, before, after)
