"""What discovery lists: values that spans, logs and metrics have had, each kept once.

A facet is written when its value is new. Who saves a value that is known only looks: writers of the
same service or tag do not wait for one another. It stays when records go, and goes when their table
is cleared.
"""

from __future__ import annotations

from typing import Any

from mastra_convex.engine.context import MutationCtx
from mastra_convex.engine.query import RangeBuilder
from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions.lib.access import Ctx, Doc
from mastra_convex.functions.lib.payloads import decoded

# Values that one call looks up; what is beyond them is noted when a call with fewer has it.
_MOST = 500
_LONGEST = 256
FIELDS = ("kind", "of", "key", "value")

_LOOKED_AT = ("entityType", "entityName", "serviceName", "environment", "tags", "labels")

# Kind, what it is of, key, value; see `Facets.note`.
_Facet = tuple[str, str, str, str]


class Facets:
    """The values that one mutation saves in a table, looked up once each at its end."""

    def __init__(self, ctx: MutationCtx, table: str) -> None:
        self._ctx = ctx
        self._table = table
        self._noted: dict[_Facet, None] = {}
        # What was taken in: the records of a batch are mostly alike.
        self._seen: set[tuple[Any, ...]] = set()

    def note(self, record: Doc) -> None:
        """Take in a record that is written."""
        raw = tuple([record.get(field) for field in _LOOKED_AT])
        if "labels" in record:
            raw = (*raw, record["name"])
        if raw in self._seen:
            return
        self._seen.add(raw)
        kind, name = record.get("entityType", ""), record.get("entityName", "")
        if kind or name:
            self._add("entity", kind, "", name)
        for field in ("serviceName", "environment"):
            if field in record:
                self._add(field, "", "", record[field])
        tags, labels = _payload(record, "tags"), _payload(record, "labels")
        for tag in tags if isinstance(tags, list) else ():
            self._add("tag", kind, "", tag)
        for key, value in labels.items() if isinstance(labels, dict) else ():
            self._add("label", record["name"], key, value)

    def _add(self, *facet: object) -> None:
        if all(isinstance(text, str) and _is_short(text) for text in facet):
            self._noted[facet] = None  # type: ignore[index]

    def write(self) -> None:
        """Add the facets that are new."""
        for facet in list(self._noted)[:_MOST]:
            if self._ctx.db.find("facets", "by_key", *facet, self._table) is None:
                fields = dict(zip(FIELDS, facet))
                self._ctx.db.insert("facets", {**fields, "table": self._table})


def _payload(record: Doc, field: str) -> Any:
    """The value of a payload; None for one that is no JSON text, which is stored all the same."""
    try:
        return decoded(record.get(field, "null"))
    except InvalidArgumentError:
        return None


def _is_short(text: str) -> bool:
    """Whether a text can be a value in an index; one with half a character cannot."""
    if len(text) > _LONGEST:
        return False
    return text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


def forget(ctx: MutationCtx, table: str) -> None:
    """Forget the facets of a table that was cleared."""
    ctx.db.delete_range(
        ctx.db.query("facets").with_index("by_table", lambda q: q.eq("table", table))
    )


def values_after(ctx: Ctx, path: list[str], after: str | None, prefix: str, most: int) -> list[str]:
    """The next values of the field that follows the fields of `path`, each once, in order."""
    found: list[str] = []
    field = FIELDS[len(path)]
    while len(found) < most:

        def following(q: RangeBuilder, after: str | None = after) -> RangeBuilder:
            for name, value in zip(FIELDS, path):
                q.eq(name, value)
            return q.gte(field, prefix) if after is None else q.gt(field, after)

        facet = ctx.db.query("facets").with_index("by_key", following).first()
        if facet is None or not facet[field].startswith(prefix):
            break
        after = facet[field]
        found.append(facet[field])
    return found
