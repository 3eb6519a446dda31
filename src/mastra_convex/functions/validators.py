"""Public shapes: what functions take and return, shared with the schema.

A payload is JSON text here (see `values/payload.py`); a time is milliseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping

from mastra_convex.values.validators import Validator, v

payload = v.string
time = v.number

Fields = dict[str, Validator]

thread_fields: Fields = {
    "id": v.string(),
    "resourceId": v.string(),
    "title": v.optional(v.string()),
    "metadata": v.optional(payload()),
    "createdAt": time(),
    "updatedAt": time(),
    "extra": v.optional(payload()),
}

message_fields: Fields = {
    "id": v.string(),
    "threadId": v.string(),
    "resourceId": v.optional(v.string()),
    "role": v.string(),
    "type": v.optional(v.string()),
    "content": payload(),
    "createdAt": time(),
    "seq": v.number(),
    "extra": v.optional(payload()),
}

resource_fields: Fields = {
    "id": v.string(),
    "workingMemory": v.optional(payload()),
    "metadata": v.optional(payload()),
    "createdAt": time(),
    "updatedAt": time(),
    "extra": v.optional(payload()),
}

# Of a trace whose spans are spans of their own too: the newest change of theirs that it has.
spans_at: Fields = {"spansAt": v.optional(time())}
trace_fields: Fields = {
    "id": v.string(),
    "threadId": v.optional(v.string()),
    "transportId": v.optional(v.string()),
    "runId": v.optional(v.string()),
    "rootRunId": v.optional(v.string()),
    "timestamp": time(),
    "spans": v.optional(payload()),
    "spanDurations": v.optional(payload()),
    "properties": v.optional(payload()),
    # The row of a single span, as Mastra had it before its observability domain.
    "traceId": v.optional(v.string()),
    "parentSpanId": v.optional(v.string()),
    "name": v.optional(v.string()),
    "scope": v.optional(v.string()),
    "kind": v.optional(v.number()),
    "attributes": v.optional(payload()),
    "status": v.optional(payload()),
    "events": v.optional(payload()),
    "links": v.optional(payload()),
    "other": v.optional(payload()),
    "startTime": v.optional(v.number()),
    "endTime": v.optional(v.number()),
    "createdAt": time(),
    "extra": v.optional(payload()),
}

eval_fields: Fields = {
    "id": v.string(),
    "threadId": v.optional(v.string()),
    "agentName": v.string(),
    "type": v.union(v.literal("test"), v.literal("live")),
    "metadata": v.optional(payload()),
    "data": v.optional(payload()),
    # The row of an evaluation, as Mastra had it before its scores domain.
    "input": v.optional(v.string()),
    "output": v.optional(v.string()),
    "result": v.optional(payload()),
    "metricName": v.optional(v.string()),
    "instructions": v.optional(v.string()),
    "testInfo": v.optional(payload()),
    "globalRunId": v.optional(v.string()),
    "runId": v.optional(v.string()),
    "createdAt": time(),
    "extra": v.optional(payload()),
}

score_fields: Fields = {
    "id": v.string(),
    "scorerId": v.string(),
    "entityId": v.string(),
    "entityType": v.optional(v.string()),
    "runId": v.string(),
    "source": v.union(v.literal("LIVE"), v.literal("TEST")),
    "score": v.number(),
    "reason": v.optional(v.string()),
    "scorer": payload(),
    "entity": payload(),
    "input": v.optional(payload()),
    "output": payload(),
    "structuredOutput": v.optional(v.boolean()),
    "reasonPrompt": v.optional(v.string()),
    "extractPrompt": v.optional(v.string()),
    "extractStepResult": v.optional(payload()),
    "analyzePrompt": v.optional(v.string()),
    "analyzeStepResult": v.optional(payload()),
    "preprocessPrompt": v.optional(v.string()),
    "preprocessStepResult": v.optional(payload()),
    "generateScorePrompt": v.optional(v.string()),
    "generateReasonPrompt": v.optional(v.string()),
    "additionalContext": v.optional(payload()),
    "requestContext": v.optional(payload()),
    "metadata": v.optional(payload()),
    "traceId": v.optional(v.string()),
    "spanId": v.optional(v.string()),
    "resourceId": v.optional(v.string()),
    "threadId": v.optional(v.string()),
    "organizationId": v.optional(v.string()),
    "projectId": v.optional(v.string()),
    "batchId": v.optional(v.string()),
    "datasetId": v.optional(v.string()),
    "datasetItemId": v.optional(v.string()),
    "createdAt": time(),
    "updatedAt": time(),
    "extra": v.optional(payload()),
}

workflow_run_fields: Fields = {
    "id": v.string(),
    "workflowName": v.string(),
    "resourceId": v.optional(v.string()),
    "stateType": v.optional(v.string()),
    "state": v.optional(payload()),
    "error": v.optional(payload()),
    "createdAt": time(),
    "updatedAt": time(),
    "extra": v.optional(payload()),
}

# What lists and filters look at. `parentSpanId` is missing in a root, `endedAt` while it runs, and
# `error` unless it failed.
span_row_fields: Fields = {
    "traceId": v.string(),
    "spanId": v.string(),
    "parentSpanId": v.optional(v.string()),
    "name": v.string(),
    "spanType": v.string(),
    "isEvent": v.optional(v.boolean()),
    "startedAt": time(),
    "endedAt": v.optional(time()),
    "error": v.optional(payload()),
    "metadata": v.optional(payload()),
    "scope": v.optional(payload()),
    "tags": v.optional(payload()),
    "entityType": v.optional(v.string()),
    "entityId": v.optional(v.string()),
    "entityName": v.optional(v.string()),
    "entityVersionId": v.optional(v.string()),
    "parentEntityType": v.optional(v.string()),
    "parentEntityId": v.optional(v.string()),
    "parentEntityName": v.optional(v.string()),
    "parentEntityVersionId": v.optional(v.string()),
    "rootEntityType": v.optional(v.string()),
    "rootEntityId": v.optional(v.string()),
    "rootEntityName": v.optional(v.string()),
    "rootEntityVersionId": v.optional(v.string()),
    "userId": v.optional(v.string()),
    "organizationId": v.optional(v.string()),
    "resourceId": v.optional(v.string()),
    "runId": v.optional(v.string()),
    "sessionId": v.optional(v.string()),
    "threadId": v.optional(v.string()),
    "messageId": v.optional(v.string()),
    "requestId": v.optional(v.string()),
    "environment": v.optional(v.string()),
    "source": v.optional(v.string()),
    "serviceName": v.optional(v.string()),
    "experimentId": v.optional(v.string()),
    # While it is traced live: by what, and in which process of it. Gone when it has ended.
    "openedBy": v.optional(v.string()),
    "openedIn": v.optional(v.string()),
    "createdAt": time(),
    "updatedAt": time(),
}

# What only a reader of the span itself looks at; it may be large.
span_body_fields: Fields = {
    "input": v.optional(payload()),
    "output": v.optional(payload()),
    "attributes": v.optional(payload()),
    "requestContext": v.optional(payload()),
    "links": v.optional(payload()),
    "extra": v.optional(payload()),
}

span_fields: Fields = {**span_row_fields, **span_body_fields}

# The beginning of the input, as text: lists show it without reading the input. Clients make it.
span_preview: Fields = {"inputPreview": v.optional(v.string())}
# What is saved of a span.
saved_span_fields: Fields = {**span_fields, **span_preview}

_LIGHT = (
    *("traceId", "spanId", "parentSpanId", "name", "spanType", "isEvent", "startedAt", "endedAt"),
    *("error", "entityType", "entityId", "entityName", "createdAt", "updatedAt"),
    *("openedBy", "openedIn"),
)
light_span_fields: Fields = {name: span_row_fields[name] for name in _LIGHT}

# A row of the list of traces or branches: a span without its body.
listed_span_fields: Fields = {
    **span_row_fields,
    **span_preview,
    # Whether any span of the trace has an error; of traces alone.
    "hasChildError": v.optional(v.boolean()),
}
_CONTEXT = (
    *("entityType", "entityId", "entityName", "entityVersionId"),
    *("parentEntityType", "parentEntityId", "parentEntityName", "parentEntityVersionId"),
    *("rootEntityType", "rootEntityId", "rootEntityName", "rootEntityVersionId"),
    *("userId", "organizationId", "resourceId", "runId", "sessionId", "threadId", "messageId"),
    *("requestId", "environment", "source", "serviceName", "experimentId"),
)
# What both lists can be narrowed by, each equal to the field of that name.
span_filters: Fields = {
    "spanType": v.optional(v.string()),
    "traceId": v.optional(v.string()),
    "status": v.optional(v.union(*map(v.literal, ("success", "error", "running")))),
    **{name: span_row_fields[name] for name in _CONTEXT},
}

_GIVEN_ONCE = ("traceId", "spanId", "createdAt", "updatedAt")
# What an update takes: any of a span's fields, and the names of those to remove.
span_change: Fields = {
    "traceId": v.string(),
    "spanId": v.string(),
    **{
        name: field if field.optional else v.optional(field)
        for name, field in saved_span_fields.items()
        if name not in _GIVEN_ONCE
    },
    "cleared": v.optional(
        v.array(v.union(*(v.literal(name) for name, x in saved_span_fields.items() if x.optional)))
    ),
}
observational_memory_fields: Fields = {
    "id": v.string(),
    "scope": v.union(v.literal("thread"), v.literal("resource")),
    "threadId": v.optional(v.string()),
    "resourceId": v.string(),
    "createdAt": time(),
    "updatedAt": time(),
    "lastObservedAt": v.optional(time()),
    "originType": v.union(v.literal("initial"), v.literal("reflection")),
    "generationCount": v.number(),
    "activeObservations": payload(),
    "bufferedReflection": v.optional(payload()),
    "bufferedReflectionTokens": v.optional(v.number()),
    "bufferedReflectionInputTokens": v.optional(v.number()),
    "reflectedObservationLineCount": v.optional(v.number()),
    "observedMessageIds": v.optional(payload()),
    "observedTimezone": v.optional(v.string()),
    "totalTokensObserved": v.number(),
    "observationTokenCount": v.number(),
    "pendingMessageTokens": v.number(),
    "isReflecting": v.boolean(),
    "isObserving": v.boolean(),
    "isBufferingObservation": v.boolean(),
    "isBufferingReflection": v.boolean(),
    "lastBufferedAtTokens": v.number(),
    "lastBufferedAtTime": v.optional(time()),
    "config": payload(),
    "metadata": v.optional(payload()),
    "extra": v.optional(payload()),
}

# Observations of one cycle that wait to become active.
chunk_fields: Fields = {
    "id": v.string(),
    "cycleId": v.string(),
    "observations": payload(),
    "tokenCount": v.number(),
    "messageIds": payload(),
    "messageTokens": v.number(),
    "lastObservedAt": time(),
    "createdAt": time(),
    "suggestedContinuation": v.optional(payload()),
    "currentTask": v.optional(payload()),
    "threadTitle": v.optional(payload()),
    "extractedValues": v.optional(payload()),
    "extractionFailures": v.optional(payload()),
    "extra": v.optional(payload()),
}

schedule_fields: Fields = {
    "id": v.string(),
    "target": payload(),
    "workflowId": v.optional(v.string()),
    "cron": v.string(),
    "timezone": v.optional(v.string()),
    "status": v.union(v.literal("active"), v.literal("paused")),
    "nextFireAt": time(),
    "lastFireAt": v.optional(time()),
    "lastRunId": v.optional(v.string()),
    "ownerType": v.optional(v.string()),
    "ownerId": v.optional(v.string()),
    "metadata": v.optional(payload()),
    "createdAt": time(),
    "updatedAt": time(),
    "extra": v.optional(payload()),
}

schedule_trigger_fields: Fields = {
    "id": v.string(),
    "scheduleId": v.string(),
    "runId": v.optional(v.string()),
    "scheduledFireAt": time(),
    "actualFireAt": time(),
    "outcome": v.string(),
    "error": v.optional(v.string()),
    "triggerKind": v.string(),
    "parentTriggerId": v.optional(v.string()),
    "metadata": v.optional(payload()),
    "createdAt": time(),
    "extra": v.optional(payload()),
}

background_task_fields: Fields = {
    "id": v.string(),
    "status": v.union(
        v.literal("pending"),
        v.literal("running"),
        v.literal("suspended"),
        v.literal("completed"),
        v.literal("failed"),
        v.literal("cancelled"),
        v.literal("timed_out"),
    ),
    "toolName": v.string(),
    "toolCallId": v.string(),
    "args": payload(),
    "agentId": v.string(),
    "threadId": v.optional(v.string()),
    "resourceId": v.optional(v.string()),
    "runId": v.string(),
    "result": v.optional(payload()),
    "error": v.optional(payload()),
    "suspendPayload": v.optional(payload()),
    "createdAt": time(),
    "startedAt": v.optional(time()),
    "suspendedAt": v.optional(time()),
    "completedAt": v.optional(time()),
    "retryCount": v.number(),
    "maxRetries": v.number(),
    "timeoutMs": v.number(),
    "extra": v.optional(payload()),
}

channel_installation_fields: Fields = {
    "id": v.string(),
    "platform": v.string(),
    "agentId": v.string(),
    "status": v.union(v.literal("pending"), v.literal("active"), v.literal("error")),
    "webhookId": v.optional(v.string()),
    "data": payload(),
    "configHash": v.optional(v.string()),
    "error": v.optional(v.string()),
    "createdAt": time(),
    "updatedAt": time(),
    "extra": v.optional(payload()),
}

channel_config_fields: Fields = {
    "id": v.string(),
    "data": payload(),
    "createdAt": time(),
    "updatedAt": time(),
    "extra": v.optional(payload()),
}


# What Mastra's server caches: a value, a number, or the head of a list (lib/cache.py).
cache_entry_fields: Fields = {
    "key": v.string(),
    "prefix": v.string(),
    "kind": v.union(v.literal("value"), v.literal("counter"), v.literal("list")),
    "value": v.optional(payload()),
    # The number, or how long the list is.
    "count": v.optional(v.number()),
    "expiresAt": v.optional(time()),
}


def nullable(field: Validator) -> Validator:
    """What an update takes: nothing, a new value, or null to take the field away."""
    return v.optional(v.union(field, v.null()))


# The store sets these when the caller does not.
_SET_BY_STORE = ("createdAt", "updatedAt", "timestamp", "seq")


def record(fields: Mapping[str, Validator]) -> Validator:
    """What a get or a list returns."""
    return v.object(fields)


def saved(fields: Mapping[str, Validator]) -> Validator:
    """What a save takes: the record, with what the store sets left out or given."""
    return v.object(
        {
            name: v.optional(field) if name in _SET_BY_STORE and not field.optional else field
            for name, field in fields.items()
            if name != "seq"
        }
    )


def page(fields: Mapping[str, Validator]) -> Validator:
    """What a list returns: records, the cursor after them (null at the end), the total if asked.

    `skipped` answers `skip`: how many of the list were passed over before the page.
    """
    return v.object(
        {
            "page": v.array(record(fields)),
            "cursor": v.union(v.string(), v.null()),
            "total": v.optional(v.number()),
            "skipped": v.optional(v.number()),
        }
    )


def arrivals(fields: Mapping[str, Validator]) -> Validator:
    """What a list of arrivals returns: records, and the place to go on from."""
    return v.object(
        {"page": v.array(record(fields)), "position": v.number(), "isDone": v.boolean()}
    )


pagination_options = v.object(
    {
        "numItems": v.number(),
        "cursor": v.union(v.string(), v.null()),
        "endCursor": v.optional(v.union(v.string(), v.null())),
        "id": v.optional(v.number()),
        "maximumRowsRead": v.optional(v.number()),
        "maximumBytesRead": v.optional(v.number()),
    }
)


def pagination_result(fields: Mapping[str, Validator]) -> Validator:
    """What a list returns to a client that paginates as Convex's do."""
    return v.object(
        {
            "page": v.array(record(fields)),
            "continueCursor": v.string(),
            "isDone": v.boolean(),
            "splitCursor": v.optional(v.union(v.string(), v.null())),
            "pageStatus": v.optional(
                v.union(v.literal("SplitRecommended"), v.literal("SplitRequired"), v.null())
            ),
        }
    )


arrivals_args: Fields = {"after": v.optional(v.number()), "limit": v.number()}

# Arguments that every list has. `from` and `to` bound the list's time field, both inclusive; `skip`
# is how many records to pass over before the page.
list_args: Fields = {
    "from": v.optional(time()),
    "to": v.optional(time()),
    "order": v.union(v.literal("asc"), v.literal("desc")),
    "cursor": v.optional(v.string()),
    "skip": v.optional(v.number()),
    "limit": v.number(),
    "withTotal": v.optional(v.boolean()),
}
