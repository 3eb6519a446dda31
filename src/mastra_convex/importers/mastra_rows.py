"""The rows of `@mastra/convex` in a snapshot of its deployment, as records of ours."""

from __future__ import annotations

import math
from typing import Any

from mastra_convex.values.encoding import decode

Doc = dict[str, Any]

# In the order in which they can be saved: what others name comes first.
TABLES = (
    *("mastra_threads", "mastra_messages", "mastra_resources", "mastra_workflow_snapshot"),
    *("mastra_scorers", "mastra_schedules", "mastra_schedule_triggers"),
    *("mastra_background_tasks", "mastra_channel_installations", "mastra_channel_config"),
    "mastra_observational_memory",
)
# Of what else it stores there is none here: vectors, a cache, and rows of tables that it does not
# know itself.
LEFT = (
    *("mastra_vectors", "mastra_vector_indexes", "mastra_cache", "mastra_cache_list_items"),
    "mastra_documents",
)


def record_of(table: str, row: Doc) -> Doc:
    """The record of a row, as functions take it. Raises `InvalidArgumentError` for a wrong row."""
    from mastra_convex.functions.lib import columns, snapshots

    rows = {
        "mastra_threads": columns.THREADS,
        "mastra_messages": columns.MESSAGES,
        "mastra_resources": columns.RESOURCES,
        "mastra_workflow_snapshot": columns.WORKFLOW_RUNS,
        "mastra_scorers": columns.SCORES,
        "mastra_schedules": columns.SCHEDULES,
        "mastra_schedule_triggers": columns.SCHEDULE_TRIGGERS,
        "mastra_background_tasks": columns.BACKGROUND_TASKS,
        "mastra_channel_installations": columns.CHANNEL_INSTALLATIONS,
        "mastra_channel_config": columns.CHANNEL_CONFIGS,
        "mastra_observational_memory": columns.OBSERVATIONAL_MEMORY,
    }[table]
    row = decode(row)
    if table == "mastra_schedules":
        row = {**row, "workflow_id": None}  # the store takes it from the target
    record = rows.record(row)
    if "_creationTime" in row:
        # Some rows have no other time of theirs.
        record.setdefault("createdAt", math.floor(row["_creationTime"]))
    if table == "mastra_workflow_snapshot" and "state" in record:
        return {**record, **snapshots.status_of(record["state"])}
    if table == "mastra_observational_memory":
        return {**record, "bufferedObservationChunks": columns.chunks_of_row(row)}
    return record
