"""Tables and indexes: what each must have."""

import pytest

from mastra_convex.engine.schema import Table
from mastra_convex.functions.schema import schema
from mastra_convex.functions.system import TABLES
from mastra_convex.functions.validators import (
    background_task_fields,
    channel_config_fields,
    channel_installation_fields,
    chunk_fields,
    eval_fields,
    message_fields,
    observational_memory_fields,
    resource_fields,
    schedule_fields,
    schedule_trigger_fields,
    score_fields,
    span_body_fields,
    span_preview,
    span_row_fields,
    spans_at,
    thread_fields,
    trace_fields,
    workflow_run_fields,
)
from mastra_convex.functions.validators_signals import (
    feedback_fields,
    log_fields,
    metric_fields,
    score_event_fields,
)

RECORDS = {
    "threads": thread_fields,
    "messages": message_fields,
    "resources": resource_fields,
    "traces": trace_fields,
    "spans": span_row_fields,
    "logs": log_fields,
    "metrics": metric_fields,
    "scoreEvents": score_event_fields,
    "feedback": feedback_fields,
    "evals": eval_fields,
    "workflowRuns": workflow_run_fields,
    "observationalMemory": observational_memory_fields,
    "observationChunks": chunk_fields,
    "scores": score_fields,
    "schedules": schedule_fields,
    "scheduleTriggers": schedule_trigger_fields,
    "backgroundTasks": background_task_fields,
    "channelInstallations": channel_installation_fields,
    "channelConfigs": channel_config_fields,
}
# What belongs to a record, and not to its callers.
INSIDE = {
    "threads": {"messageCount", "lastSeq"},
    "traces": set(spans_at),
    "spans": {"trace", *span_preview},
    "observationChunks": {"recordId"},
}
# Documents that belong to records of another table.
PARTS = ("spanTraces", "spanBodies", "traceRoots", "traceBranches")
# Documents that are no records.
OTHERS = ("cacheEntries", "cacheItems", "facets", "counters")
KEYS = {
    "workflowRuns": ("workflowName", "id"),
    "spanTraces": ("traceId",),
    "spans": ("trace", "spanId"),
    "spanBodies": ("trace", "spanId"),
    "traceRoots": ("trace",),
    "traceBranches": ("trace", "spanId"),
    "logs": ("logId",),
    "metrics": ("metricId",),
    "scoreEvents": ("scoreId",),
    "feedback": ("feedbackId",),
    "facets": ("kind", "of", "key", "value", "table"),
    "observationChunks": ("recordId", "cycleId"),
    "cacheEntries": ("key",),
    "cacheItems": ("list", "position"),
    "counters": ("table", "index", "first", "second"),
}
each_table = pytest.mark.parametrize("table", schema.tables.values(), ids=lambda t: t.name)


def test_the_tables() -> None:
    assert [name for name in schema.tables if name not in PARTS] == [*TABLES, *OTHERS]
    assert schema.tables.keys() >= set(PARTS)
    assert tuple(RECORDS) == TABLES


@each_table
def test_every_record_is_found_by_its_key(table: Table) -> None:
    assert table.indexes["by_key"].fields == KEYS.get(table.name, ("id",))


@pytest.mark.parametrize("name", RECORDS)
def test_a_document_is_its_record(name: str) -> None:
    fields = schema.tables[name].fields.keys()
    assert fields == RECORDS[name].keys() | INSIDE.get(name, set())


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
    # The key is kept by itself: it holds one document for each value. And one is there for the
    # order of arrival that follows its field.
    doubled = [pair for pair in doubled if pair != ("by_trace", "by_trace_message")]
    assert [pair for pair in doubled if "by_key" not in pair] == []
