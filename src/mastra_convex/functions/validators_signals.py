"""Public shapes of the signals: logs, metrics, scores and feedback of the observability domain."""

from __future__ import annotations

from mastra_convex.functions.validators import Fields, payload, time
from mastra_convex.values.validators import v

# What a signal says of where it comes from: text by which every list may be narrowed.
CONTEXT = (
    *("traceId", "spanId", "messageId", "threadId", "runId", "resourceId"),
    *("entityType", "entityId", "entityName", "entityVersionId"),
    *("parentEntityType", "parentEntityId", "parentEntityName", "parentEntityVersionId"),
    *("rootEntityType", "rootEntityId", "rootEntityName", "rootEntityVersionId"),
    *("userId", "organizationId", "sessionId", "requestId", "experimentId"),
    *("environment", "serviceName", "executionSource"),
)
_context: Fields = {name: v.optional(v.string()) for name in CONTEXT}

_common: Fields = {
    **_context,
    "scope": v.optional(payload()),
    "tags": v.optional(payload()),
    "metadata": v.optional(payload()),
    "timestamp": time(),
    "createdAt": time(),
    "extra": v.optional(payload()),
}

log_fields: Fields = {
    "logId": v.string(),
    "level": v.union(
        v.literal("debug"),
        v.literal("info"),
        v.literal("warn"),
        v.literal("error"),
        v.literal("fatal"),
    ),
    "message": payload(),
    "data": v.optional(payload()),
    **_common,
}

metric_fields: Fields = {
    "metricId": v.string(),
    "name": v.string(),
    "value": v.number(),
    "labels": v.optional(payload()),
    "provider": v.optional(v.string()),
    "model": v.optional(v.string()),
    "estimatedCost": v.optional(v.number()),
    "costUnit": v.optional(v.string()),
    "costMetadata": v.optional(payload()),
    **_common,
}

score_event_fields: Fields = {
    "scoreId": v.string(),
    "scorerId": v.string(),
    "scorerName": v.optional(v.string()),
    "scorerVersion": v.optional(v.string()),
    "scoreSource": v.optional(v.string()),
    "score": v.number(),
    "reason": v.optional(payload()),
    "scoreTraceId": v.optional(v.string()),
    **_common,
}

feedback_fields: Fields = {
    "feedbackId": v.string(),
    "feedbackType": v.string(),
    # A number, or a text.
    "value": payload(),
    "feedbackSource": v.string(),
    "feedbackUserId": v.optional(v.string()),
    "comment": v.optional(payload()),
    "sourceId": v.optional(v.string()),
    "reviewStatus": v.union(v.literal("needs-review"), v.literal("reviewed")),
    **_common,
}


def criteria(fields: Fields, *own: str) -> Fields:
    """Arguments of a list of signals: its context, and fields of its own."""
    named = {name: field if field.optional else v.optional(field) for name, field in fields.items()}
    return {name: named[name] for name in (*CONTEXT, *own)}


# Whose signals are deleted, if not everybody's.
tenant: Fields = {"organizationId": v.optional(v.string()), "resourceId": v.optional(v.string())}

removal_args: Fields = {
    "traceIds": v.array(v.string()),
    **tenant,
    "cursor": v.optional(v.string()),
}
# How many of the traces are not done with, the first of them up to the cursor.
removal_result = v.object({"rest": v.number(), "cursor": v.union(v.string(), v.null())})
