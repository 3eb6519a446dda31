"""Tables and indexes: what each must have."""

import pytest

from mastra_convex.engine.schema import Table
from mastra_convex.functions.schema import schema
from mastra_convex.functions.system import TABLES
from mastra_convex.functions.validators import (
    eval_fields,
    message_fields,
    resource_fields,
    span_body_fields,
    span_row_fields,
    thread_fields,
    trace_fields,
    workflow_run_fields,
)

RECORDS = {
    "threads": thread_fields,
    "messages": message_fields,
    "resources": resource_fields,
    "traces": trace_fields,
    "spans": span_row_fields,
    "evals": eval_fields,
    "workflowRuns": workflow_run_fields,
}
# Documents that belong to records of another table.
PARTS = ("spanTraces", "spanBodies")
KEYS = {
    "workflowRuns": ("workflowName", "id"),
    "spanTraces": ("traceId",),
    "spans": ("trace", "spanId"),
    "spanBodies": ("trace", "spanId"),
    "counters": ("table", "index", "first", "second"),
}
each_table = pytest.mark.parametrize("table", schema.tables.values(), ids=lambda t: t.name)


def test_the_tables() -> None:
    assert [name for name in schema.tables if name not in PARTS] == [*TABLES, "counters"]
    assert schema.tables.keys() >= set(PARTS)
    assert tuple(RECORDS) == TABLES


@each_table
def test_every_record_is_found_by_its_key(table: Table) -> None:
    assert table.indexes["by_key"].fields == KEYS.get(table.name, ("id",))


@pytest.mark.parametrize("name", RECORDS)
def test_a_document_is_its_record(name: str) -> None:
    inside = {"threads": {"messageCount", "lastSeq"}, "spans": {"trace"}}.get(name, set())
    assert schema.tables[name].fields.keys() == RECORDS[name].keys() | inside


def test_a_span_is_a_row_and_a_body() -> None:
    assert schema.tables["spanBodies"].fields.keys() == {"trace", "spanId", *span_body_fields}
    assert not span_body_fields.keys() & span_row_fields.keys()


@each_table
def test_no_index_is_the_beginning_of_another(table: Table) -> None:
    fields = {name: index.fields for name, index in table.indexes.items() if index.fields}
    doubled = [
        (one, other)
        for one in fields
        for other in fields
        if one != other and fields[other][: len(fields[one])] == fields[one]
    ]
    # The key is kept by itself: it holds one document for each value.
    assert [pair for pair in doubled if "by_key" not in pair] == []
