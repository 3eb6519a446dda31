"""Queries over one index: `with_index`, `order`, then `take`, `first`, `unique`, `paginate`.

A query compiles to one SQL statement, kept by its shape. One without an index does not compile:
that is how no function can scan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mastra_convex.engine.cursor import damaged, decode_cursor, encode_cursor
from mastra_convex.engine.ranges import ReadRange, sortable
from mastra_convex.engine.schema import BY_CREATION_TIME, Index, Table
from mastra_convex.errors import InvalidArgumentError

if TYPE_CHECKING:
    from mastra_convex.engine.transaction import Reader

Doc = dict[str, Any]
Order = Literal["asc", "desc"]

_SQL_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class RangeBuilder:
    """The range of an index: equal leading fields, then at most a lower and an upper bound."""

    __slots__ = ("bounds", "equal", "index")

    def __init__(self, index: Index) -> None:
        self.index = index
        self.equal: list[Any] = []
        self.bounds: list[tuple[str, Any]] = []

    def _expect(self, field: str) -> None:
        position = len(self.equal)
        fields = self.index.fields
        if position >= len(fields) or fields[position] != field:
            raise ValueError(f"index {self.index.name!r} has no {field!r} at position {position}")

    def eq(self, field: str, value: Any) -> RangeBuilder:
        """`field` equals `value`; None matches documents without the field."""
        if self.bounds:
            raise ValueError("eq comes before gt, gte, lt and lte")
        self._expect(field)
        self.equal.append(value)
        return self

    def _bound(self, operator: str, field: str, value: Any) -> RangeBuilder:
        self._expect(field)
        if any(taken[0] == operator[0] for taken, _ in self.bounds):
            raise ValueError(f"{field!r} has two bounds on the same side")
        self.bounds.append((operator, value))
        return self

    def gt(self, field: str, value: Any) -> RangeBuilder:
        """`field` is after `value`."""
        return self._bound("gt", field, value)

    def gte(self, field: str, value: Any) -> RangeBuilder:
        """`field` is `value` or after it."""
        return self._bound("gte", field, value)

    def lt(self, field: str, value: Any) -> RangeBuilder:
        """`field` is before `value`; documents without the field are not included."""
        return self._bound("lt", field, value)

    def lte(self, field: str, value: Any) -> RangeBuilder:
        """`field` is `value` or before it; documents without the field are not included."""
        return self._bound("lte", field, value)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of documents, and the cursor after it (None when the range is exhausted).

    `skipped` is how many documents before it were passed over.
    """

    page: list[Doc]
    cursor: str | None
    skipped: int = 0


def _compile(
    table: Table,
    index: Index,
    equal_nulls: tuple[bool, ...],
    operators: tuple[str, ...],
    after_nulls: tuple[bool, ...] | None,
    order: Order,
    until: bool,
    skips: bool,
    keys: bool,
) -> str:
    """The statement for a query of this shape; `..._nulls` tell which values are missing."""
    open_fields = index.fields[len(equal_nulls) :]
    nullable = any(index.nullable[len(equal_nulls) :])
    passed = "" if after_nulls is None or nullable else "l" if order == "desc" else "g"
    where = _range_terms(index, equal_nulls, operators, passed)
    if after_nulls is not None:
        where.append(_after(open_fields, after_nulls, nullable, order))
    if until:
        if nullable:
            raise ValueError(f"a page of {table.name!r} cannot end at fields that may be missing")
        where.append(_compared(open_fields, ">=" if order == "desc" else "<="))
    # Keys are in the index: for them the table is not looked at.
    chosen = (*open_fields, "_id") if keys else table.columns
    columns = ", ".join(f'"{column}"' for column in chosen)
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    direction = " DESC" if order == "desc" else ""
    by = ", ".join(f'"{field}"{direction}' for field in (*open_fields, "_id"))
    # Named, so that SQLite cannot choose to scan and sort instead.
    source = f'"{table.name}"'
    if index.name != BY_CREATION_TIME:
        source += f' INDEXED BY "{table.name}__{index.name}"'
    # SQLite passes over rows in the index, without looking at the table.
    limit = "LIMIT ? OFFSET ?" if skips else "LIMIT ?"
    return f"SELECT {columns} FROM {source}{condition} ORDER BY {by} {limit}"


def _range_terms(
    index: Index, equal_nulls: tuple[bool, ...], operators: tuple[str, ...], passed: str = ""
) -> list[str]:
    """The range in SQL; `passed` is the side ("g" or "l") whose bound a cursor has left behind.

    Such a bound gets a plus sign, with which SQLite does not start from it but from the cursor.
    """
    terms = [
        f'"{field}" IS NULL' if null else f'"{field}" = ?'
        for field, null in zip(index.fields, equal_nulls)
    ]
    for operator in operators:
        plus = "+" if operator[0] == passed else ""
        terms.append(f'{plus}"{index.fields[len(equal_nulls)]}" {_SQL_OPERATORS[operator]} ?')
    return terms


def _after(fields: tuple[str, ...], nulls: tuple[bool, ...], nullable: bool, order: Order) -> str:
    """SQL that is true for rows after a key.

    A row value comparison `(a, b, _id) > (?, ?, ?)` is the fast form; NULL makes it unknown, so
    fields that documents may lack are compared one by one, with plus signs, so that SQLite walks
    the index and does not look up each alternative and sort.
    """
    if not nullable:
        return _compared(fields, "<" if order == "desc" else ">")
    alternatives, same = [], ""
    for field, null in zip((*fields, "_id"), (*nulls, False)):
        if order == "asc":
            beyond = f'+"{field}" IS NOT NULL' if null else f'+"{field}" > ?'
        else:
            beyond = "0" if null else f'(+"{field}" < ? OR +"{field}" IS NULL)'
        alternatives.append(f"({same}{beyond})")
        same += f'+"{field}" IS NULL AND ' if null else f'+"{field}" = ? AND '
    return f"({' OR '.join(alternatives)})"


def _compared(fields: tuple[str, ...], operator: str) -> str:
    names = ", ".join(f'"{field}"' for field in (*fields, "_id"))
    return f"({names}) {operator} ({', '.join('?' * (len(fields) + 1))})"


def _after_parameters(key: tuple[Any, ...], nullable: bool) -> list[Any]:
    if not nullable:
        return list(key)
    heads = (key[: position + 1] for position in range(len(key)))
    return [value for head in heads for value in head if value is not None]


class Query:
    """A query on one table; nothing is read before `take`, `first`, `unique` or `paginate`."""

    __slots__ = ("_cut", "_order", "_range", "_reader", "_table")

    def __init__(self, reader: Reader, table: Table) -> None:
        self._reader = reader
        self._table = table
        self._order: Order = "asc"
        self._range: RangeBuilder | None = None
        self._cut = False

    def with_index(
        self, name: str, build: Callable[[RangeBuilder], RangeBuilder] | None = None
    ) -> Query:
        """Read the index `name`, inside the range that `build` makes of a `RangeBuilder`."""
        self._range = RangeBuilder(self._table.indexes[name])
        if build is not None:
            build(self._range)
        return self

    def order(self, order: Order) -> Query:
        """Ascending ("asc", the default) or descending ("desc") in the index."""
        self._order = order
        return self

    def take(self, count: int) -> list[Doc]:
        """The first `count` documents."""
        return self._run(count, None)

    def first(self) -> Doc | None:
        """The first document, or None."""
        found = self._run(1, None)
        return found[0] if found else None

    def unique(self) -> Doc | None:
        """The only document, or None. Raises `ValueError` if there are two."""
        found = self._run(2, None)
        if len(found) > 1:
            raise ValueError(f"more than one document in {self._table.name!r} where one was meant")
        return found[0] if found else None

    def paginate(
        self,
        cursor: str | None,
        count: int,
        max_bytes: int | None = None,
        until: str | None = None,
        skip: int = 0,
    ) -> Page:
        """`count` documents after `cursor` (None: from the start), and the cursor to go on with.

        The first `skip` of them are passed over; if there are no more than that, the page is empty.
        A page ends early with the document that brings it to `max_bytes`, and ends for good, with
        no cursor, at the place of the cursor `until`. Raises `InvalidArgumentError` for a cursor of
        another query.
        """
        if count < 1:
            raise ValueError(f"a page of {count} documents would never end")
        after = None if cursor is None else self._decoded(cursor)
        end = None if until is None else self._decoded(until)
        found = self._run(count + 1, after, max_bytes, end, skip)
        if skip and not found:
            return Page(found, None, self._count(skip, after, end))
        if len(found) <= count and not self._cut:
            return Page(found, None, skip)
        del found[count:]
        return Page(found, self.cursor_after(found[-1]), skip)

    def keys(self, count: int, after: tuple[Any, ...] | None = None) -> list[tuple[Any, ...]]:
        """What `count` documents after a key have in the index: its open fields, then `_id`."""
        sql, parameters = self._statement(after, None, keys=True)
        found = self._reader.rows(self._table, sql, [*parameters, count])
        if self._reader.reads is not None:
            self._record(found[-1] if len(found) == count else None, after, None)
        return found

    def cursor_after(self, document: Doc) -> str:
        """The cursor of a page that ended with `document`, which is in the range."""
        return encode_cursor(self._identity(), self._key(document))

    def compiled_range(self) -> tuple[Table, str, list[Any]]:
        """The table, and the range as a WHERE clause with its parameters."""
        chosen = self._chosen()
        terms = _range_terms(
            chosen.index,
            tuple([value is None for value in chosen.equal]),
            tuple([operator for operator, _ in chosen.bounds]),
        )
        return self._table, f" WHERE {' AND '.join(terms)}" if terms else "", self._parameters()

    def _parameters(self) -> list[Any]:
        chosen = self._chosen()
        equal = [value for value in chosen.equal if value is not None]
        return equal + [value for _, value in chosen.bounds]

    def _identity(self) -> tuple[Any, ...]:
        chosen = self._chosen()
        return (self._table.name, chosen.index.name, chosen.equal, chosen.bounds, self._order)

    def _chosen(self) -> RangeBuilder:
        if self._range is None:
            raise ValueError(f"a query on {self._table.name!r} needs with_index: nothing scans")
        return self._range

    def _key(self, document: Doc) -> tuple[Any, ...]:
        """The part of the index key that the range leaves open, then `_id`."""
        chosen = self._chosen()
        fields = chosen.index.fields[len(chosen.equal) :]
        return (*(document.get(field) for field in fields), document["_id"])

    def _decoded(self, cursor: str) -> tuple[Any, ...]:
        """The key in a cursor, which need not be one of ours, whatever its fingerprint says."""
        key = decode_cursor(self._identity(), cursor)
        chosen = self._chosen()
        fields = (*chosen.index.fields[len(chosen.equal) :], "_id")
        if len(key) != len(fields) or not all(map(self._fits, fields, key)):
            raise damaged()
        return key

    def _fits(self, field: str, value: Any) -> bool:
        if field == "_id":
            return type(value) is int and abs(value) < 2**63
        validator = self._table.fields[field]
        if value is None:
            return validator.optional
        try:
            validator.validate(value, field)
        except InvalidArgumentError:
            return False
        return True

    def _run(
        self,
        count: int,
        after: tuple[Any, ...] | None,
        max_bytes: int | None = None,
        until: tuple[Any, ...] | None = None,
        skip: int = 0,
    ) -> list[Doc]:
        if count < 0:
            raise ValueError(f"nobody can take {count} documents")
        table = self._table
        sql, parameters = self._statement(after, until, skips=skip > 0)
        limits = (count, skip) if skip else (count,)
        documents, self._cut = self._reader.select(table, sql, [*parameters, *limits], max_bytes)
        if self._reader.reads is not None:
            cut = documents and (self._cut or len(documents) == count)
            self._record(self._key(documents[-1]) if cut else None, after, until)
        return documents

    def _count(
        self, most: int, after: tuple[Any, ...] | None, until: tuple[Any, ...] | None
    ) -> int:
        """How many documents there are, at the most `most`; what is read is noted already."""
        sql, parameters = self._statement(after, until)
        # Of the statement only the part that says which rows, so that the index alone is read.
        rows = f"SELECT 1 {sql[sql.index('FROM') :]}"
        sql = f"SELECT count(*) FROM ({rows})"
        ((count,),) = self._reader.rows(self._table, sql, [*parameters, most])
        return int(count)

    def _statement(
        self,
        after: tuple[Any, ...] | None,
        until: tuple[Any, ...] | None,
        *,
        skips: bool = False,
        keys: bool = False,
    ) -> tuple[str, list[Any]]:
        """The statement for this query, and its parameters but for those of its limit."""
        chosen, table, order = self._chosen(), self._table, self._order
        index, equal = chosen.index, chosen.equal
        shape = (
            tuple([value is None for value in equal]),
            tuple([operator for operator, _ in chosen.bounds]),
            None if after is None else tuple([value is None for value in after[:-1]]),
            order,
            until is not None,
            skips,
            keys,
        )
        sql = index.statements.get(shape)
        if sql is None:
            sql = index.statements[shape] = _compile(table, index, *shape)
        parameters = self._parameters()
        if after is not None:
            parameters += _after_parameters(after, any(index.nullable[len(equal) :]))
        if until is not None:
            parameters += until
        return sql, parameters

    def _record(
        self,
        last: tuple[Any, ...] | None,
        after: tuple[Any, ...] | None,
        until: tuple[Any, ...] | None,
    ) -> None:
        """Note what was read: the range, up to the key of the last document if it was cut there."""
        chosen = self._chosen()
        equal = sortable(chosen.equal)
        low: tuple[Any, bool] = (equal, True)
        high: tuple[Any, bool] = (equal, True)
        for operator, value in chosen.bounds:
            bound = ((*equal, *sortable([value])), operator.endswith("e"))
            if operator.startswith("g"):
                low = bound
            else:
                high = bound
        begin = None if after is None else ((*equal, *sortable(after)), False)
        end = None if until is None else ((*equal, *sortable(until)), True)
        if last is not None:
            end = ((*equal, *sortable(last)), True)
        if self._order == "desc":
            begin, end = end, begin
        assert self._reader.reads is not None
        self._reader.reads.append(
            ReadRange(self._table.name, chosen.index.name, equal, begin or low, end or high)
        )
