"""Tables and indexes, each index with its purpose.

`extra` is JSON text of the fields that we do not know: they survive a round trip.
Times are milliseconds since the epoch. Every index ends, unseen, in the order of insertion.
"""

from __future__ import annotations

from mastra_convex.engine.schema import Upgrade, define_schema, define_table
from mastra_convex.functions.validators import (
    background_task_fields,
    cache_entry_fields,
    channel_config_fields,
    channel_installation_fields,
    chunk_fields,
    eval_fields,
    message_fields,
    observational_memory_fields,
    payload,
    resource_fields,
    schedule_fields,
    schedule_trigger_fields,
    score_fields,
    span_body_fields,
    span_preview,
    span_row_fields,
    spans_at,
    thread_fields,
    time,
    trace_fields,
    workflow_run_fields,
)
from mastra_convex.functions.validators_signals import (
    feedback_fields,
    log_fields,
    metric_fields,
    score_event_fields,
)
from mastra_convex.values.validators import v

# What the lists of traces and branches have of a span: what they are narrowed and ordered by.
_listed_fields = {
    "trace": v.string(),
    "spanId": v.string(),
    "startedAt": time(),
    # When it ended; while it runs, later than anything (lib/listed.py).
    "endsAt": time(),
    "status": v.string(),
    "resourceId": v.optional(v.string()),
    "threadId": v.optional(v.string()),
    "runId": v.optional(v.string()),
    "entityId": v.optional(v.string()),
}

schema = define_schema(
    {
        "threads": define_table(
            {
                **thread_fields,
                # Both change with the thread's messages, in their transaction.
                "messageCount": v.number(),
                "lastSeq": v.number(),
            }
        )
        # get, save, update
        .index("by_key", ["id"])
        # lists of one owner
        .index("by_resource_created", ["resourceId", "createdAt"])
        .index("by_resource_updated", ["resourceId", "updatedAt"])
        # lists of everything
        .index("by_created", ["createdAt"])
        .index("by_updated", ["updatedAt"]),
        "messages": define_table(message_fields)
        # get, save, update
        .index("by_key", ["id"])
        # a thread's messages in Mastra's order; date ranges
        .index("by_thread_created", ["threadId", "createdAt", "seq"])
        # a resource's messages in all threads
        .index("by_resource_created", ["resourceId", "createdAt", "seq"]),
        "resources": define_table(resource_fields)
        # get, save, update
        .index("by_key", ["id"]),
        "traces": define_table({**trace_fields, **spans_at})
        # get, save
        .index("by_key", ["id"])
        # lists by one criterion, in time
        .index("by_timestamp", ["timestamp"])
        .index("by_thread", ["threadId", "timestamp"])
        .index("by_run", ["runId", "timestamp"])
        .index("by_scope", ["scope", "timestamp"])
        # names that begin with a text
        .index("by_name", ["name", "timestamp"]),
        # One document a trace of spans. Its spans name it by its `_id` as text in `trace`, so that
        # they are there for readers as long as it is, and one that is deleted may come anew.
        "spanTraces": define_table(
            {
                "traceId": v.string(),
                # The root, or until there is one the first span that came: whose the trace is.
                "headSpanId": v.string(),
                "resourceId": v.optional(v.string()),
                "organizationId": v.optional(v.string()),
                # Of the root; missing until there is one.
                "startedAt": v.optional(time()),
                # Whether any span has an error (their number is a counter).
                "failed": v.boolean(),
            }
        )
        # get, save
        .index("by_key", ["traceId"]),
        "spans": define_table({"trace": v.string(), **span_row_fields, **span_preview})
        # get, save, update
        .index("by_key", ["trace", "spanId"])
        # a trace's structure, in the order of arrival: what comes later moves no page before it
        .index("by_trace", ["trace"])
        # the traces that name a message, and the messages that a trace names
        .index("by_message", ["messageId", "trace"])
        .index("by_trace_message", ["trace", "messageId"])
        # what somebody traces at present, or has left behind
        .index("by_opener", ["openedBy"]),
        # What is large of a span, so that lists and structures need not read it.
        "spanBodies": define_table({"trace": v.string(), "spanId": v.string(), **span_body_fields})
        # get, save, update
        .index("by_key", ["trace", "spanId"]),
        # The list of traces: one document for each that has a root, with what is kept of it.
        "traceRoots": define_table(
            {**_listed_fields, "messageId": v.optional(v.string()), "failed": v.boolean()}
        )
        # get, save
        .index("by_key", ["trace"])
        # lists by one criterion, by beginning
        .index("by_started", ["startedAt"])
        .index("by_message_started", ["messageId", "startedAt"])
        .index("by_run_started", ["runId", "startedAt"])
        .index("by_thread_started", ["threadId", "startedAt"])
        .index("by_resource_started", ["resourceId", "startedAt"])
        .index("by_entity_started", ["entityId", "startedAt"])
        .index("by_status_started", ["status", "startedAt"])
        # and by end
        .index("by_ended", ["endsAt"])
        .index("by_message_ended", ["messageId", "endsAt"])
        .index("by_run_ended", ["runId", "endsAt"])
        .index("by_thread_ended", ["threadId", "endsAt"])
        .index("by_resource_ended", ["resourceId", "endsAt"])
        .index("by_entity_ended", ["entityId", "endsAt"])
        .index("by_status_ended", ["status", "endsAt"]),
        # The list of branches: one document for each span that anchors one (lib/listed.py).
        "traceBranches": define_table(_listed_fields)
        # get, save
        .index("by_key", ["trace", "spanId"])
        # lists by one criterion, by beginning
        .index("by_started", ["startedAt"])
        .index("by_trace_started", ["trace", "startedAt"])
        .index("by_run_started", ["runId", "startedAt"])
        .index("by_thread_started", ["threadId", "startedAt"])
        .index("by_resource_started", ["resourceId", "startedAt"])
        .index("by_entity_started", ["entityId", "startedAt"])
        # and by end
        .index("by_ended", ["endsAt"])
        .index("by_trace_ended", ["trace", "endsAt"])
        .index("by_run_ended", ["runId", "endsAt"])
        .index("by_thread_ended", ["threadId", "endsAt"])
        .index("by_resource_ended", ["resourceId", "endsAt"])
        .index("by_entity_ended", ["entityId", "endsAt"]),
        "logs": define_table(log_fields)
        # get, save
        .index("by_key", ["logId"])
        # lists by one criterion, in time
        .index("by_timestamp", ["timestamp"])
        .index("by_level", ["level", "timestamp"])
        .index("by_trace", ["traceId", "timestamp"])
        .index("by_run", ["runId", "timestamp"])
        .index("by_thread", ["threadId", "timestamp"])
        .index("by_resource", ["resourceId", "timestamp"]),
        "metrics": define_table(metric_fields)
        # get, save
        .index("by_key", ["metricId"])
        # lists by one criterion, in time; and the names
        .index("by_timestamp", ["timestamp"])
        .index("by_name", ["name", "timestamp"])
        .index("by_trace", ["traceId", "timestamp"])
        .index("by_resource", ["resourceId", "timestamp"]),
        # Scores of the observability domain.
        "scoreEvents": define_table(score_event_fields)
        # get, save
        .index("by_key", ["scoreId"])
        # lists by one criterion, in time
        .index("by_timestamp", ["timestamp"])
        .index("by_scorer", ["scorerId", "timestamp"])
        .index("by_trace", ["traceId", "timestamp"])
        .index("by_span", ["traceId", "spanId", "timestamp"])
        .index("by_message", ["messageId", "timestamp"])
        .index("by_run", ["runId", "timestamp"])
        .index("by_thread", ["threadId", "timestamp"])
        .index("by_resource", ["resourceId", "timestamp"])
        # the best or the worst
        .index("by_score", ["score"])
        .index("by_scorer_score", ["scorerId", "score"]),
        "feedback": define_table(feedback_fields)
        # get, save, review
        .index("by_key", ["feedbackId"])
        # lists by one criterion, in time
        .index("by_timestamp", ["timestamp"])
        .index("by_type", ["feedbackType", "timestamp"])
        .index("by_review", ["reviewStatus", "timestamp"])
        .index("by_trace", ["traceId", "timestamp"])
        .index("by_span", ["traceId", "spanId", "timestamp"])
        .index("by_message", ["messageId", "timestamp"])
        .index("by_run", ["runId", "timestamp"])
        .index("by_thread", ["threadId", "timestamp"])
        .index("by_resource", ["resourceId", "timestamp"]),
        "evals": define_table(eval_fields)
        # get, save
        .index("by_key", ["id"])
        # lists by one criterion, in time
        .index("by_created", ["createdAt"])
        .index("by_agent", ["agentName", "createdAt"])
        .index("by_agent_type", ["agentName", "type", "createdAt"])
        .index("by_type", ["type", "createdAt"])
        .index("by_thread", ["threadId", "createdAt"]),
        "workflowRuns": define_table(workflow_run_fields)
        # get, save: the workflow's name and the run's id together
        .index("by_key", ["workflowName", "id"])
        # get without the workflow's name: the newest run of that id
        .index("by_run", ["id", "createdAt"])
        # lists by one criterion, in time
        .index("by_created", ["createdAt"])
        .index("by_workflow", ["workflowName", "createdAt"])
        .index("by_workflow_status", ["workflowName", "stateType", "createdAt"])
        .index("by_resource", ["resourceId", "createdAt"])
        .index("by_status", ["stateType", "createdAt"]),
        "observationalMemory": define_table(observational_memory_fields)
        # change
        .index("by_key", ["id"])
        # the generations of a thread; those of a resource have no thread
        .index("by_thread", ["threadId", "generationCount"])
        .index("by_resource", ["threadId", "resourceId", "generationCount"]),
        # What waits to become active in a record of observational memory (lib/observations.py).
        "observationChunks": define_table({**chunk_fields, "recordId": v.string()})
        # whether a cycle is there
        .index("by_key", ["recordId", "cycleId"])
        # a record's, oldest first
        .index("by_record", ["recordId", "createdAt"]),
        "scores": define_table(score_fields)
        # get, save
        .index("by_key", ["id"])
        # lists by one criterion, in time
        .index("by_scorer", ["scorerId", "createdAt"])
        .index("by_scorer_source", ["scorerId", "source", "createdAt"])
        .index("by_run", ["runId", "createdAt"])
        .index("by_entity", ["entityId", "entityType", "createdAt"])
        .index("by_span", ["traceId", "spanId", "createdAt"])
        # lists of one resource's own
        .index("by_resource", ["resourceId", "createdAt"]),
        "schedules": define_table(schedule_fields)
        # get, create, update
        .index("by_key", ["id"])
        # what is to be fired, in time
        .index("by_due", ["status", "nextFireAt"])
        # lists by one criterion, in time
        .index("by_created", ["createdAt"])
        .index("by_workflow", ["workflowId", "createdAt"])
        .index("by_owner", ["ownerType", "ownerId", "createdAt"]),
        "scheduleTriggers": define_table(schedule_trigger_fields)
        # record
        .index("by_key", ["id"])
        # a schedule's history, in time
        .index("by_schedule", ["scheduleId", "actualFireAt"]),
        "backgroundTasks": define_table(background_task_fields)
        # get, create, update
        .index("by_key", ["id"])
        # lists by one criterion, in time
        .index("by_created", ["createdAt"])
        .index("by_tool_call", ["toolCallId", "createdAt"])
        .index("by_run", ["runId", "createdAt"])
        .index("by_thread", ["threadId", "createdAt"])
        .index("by_resource", ["resourceId", "createdAt"])
        .index("by_agent", ["agentId", "createdAt"])
        .index("by_agent_status", ["agentId", "status", "createdAt"])
        .index("by_status", ["status", "createdAt"])
        .index("by_tool", ["toolName", "createdAt"]),
        "channelInstallations": define_table(channel_installation_fields)
        # get, save
        .index("by_key", ["id"])
        # that of an agent, the best status first
        .index("by_agent", ["platform", "agentId", "status"])
        # that of a webhook
        .index("by_webhook", ["webhookId"])
        # lists, in time
        .index("by_platform", ["platform", "createdAt"]),
        "channelConfigs": define_table(channel_config_fields)
        # get, save; the id is the platform
        .index("by_key", ["id"]),
        # What Mastra's server caches (lib/cache.py); no records of users, and so in no statistics.
        "cacheEntries": define_table(cache_entry_fields)
        # get, set
        .index("by_key", ["key"])
        # clear
        .index("by_prefix", ["prefix"])
        # what has expired
        .index("by_expiry", ["expiresAt"]),
        # The elements of a list, which they name by its `_id` as text.
        "cacheItems": define_table({"list": v.string(), "position": v.number(), "value": payload()})
        # a range of a list
        .index("by_key", ["list", "position"]),
        # What discovery lists: values that spans, logs and metrics have had (lib/facets.py).
        "facets": define_table(
            {
                "kind": v.string(),
                # What it is of, and its key, or empty.
                "of": v.string(),
                "key": v.string(),
                "value": v.string(),
                "table": v.string(),
            }
        )
        # save; the values of one kind, each once
        .index("by_key", ["kind", "of", "key", "value", "table"])
        # what is forgotten with a table
        .index("by_table", ["table"]),
        # How many documents an index has under its leading values: totals of lists are read, not
        # counted (lib/counters.py).
        "counters": define_table(
            {
                "table": v.string(),
                "index": v.string(),
                "first": v.string(),
                # Empty for an index with one leading value.
                "second": v.string(),
                "count": v.number(),
            }
        )
        .index("by_key", ["table", "index", "first", "second"])
        # what is counted of a thread, when it goes
        .index("by_second", ["table", "index", "second"]),
    },
    upgrades={
        # Format 1 did not count the messages of a resource.
        2: [
            Upgrade(
                "counters",
                'INSERT INTO counters ("table", "index", first, second, count) '
                "SELECT 'messages', 'owned', resourceId, threadId, count(*) FROM messages "
                "WHERE resourceId IS NOT NULL GROUP BY resourceId, threadId",
            )
        ]
    },
)
