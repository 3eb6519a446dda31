"""The domains of Mastra's storage, their methods, and which of them are here.

Mastra's composite store has an object for each domain; here all methods are on one class. What a
method is called here follows from its name there, except where `_RENAMED` says otherwise.
"""

from __future__ import annotations

import re

from mastra_convex.errors import UnsupportedDomainError

# The methods of the domains that are here, as @mastra/core 1.71 has them.
METHODS: dict[str, tuple[str, ...]] = {
    "memory": (
        "getThreadById",
        "saveThread",
        "updateThread",
        "patchThread",
        "updateThreadMetadata",
        "updateThreadResourceId",
        "deleteThread",
        "listThreads",
        "cloneThread",
        "copyThread",
        "saveMessages",
        "listMessages",
        "listMessagesByResourceId",
        "listMessagesById",
        "updateMessages",
        "deleteMessages",
        "getResourceById",
        "saveResource",
        "updateResource",
        "getObservationalMemory",
        "getObservationalMemoryHistory",
        "initializeObservationalMemory",
        "insertObservationalMemoryRecord",
        "updateActiveObservations",
        "updateBufferedObservations",
        "swapBufferedToActive",
        "createReflectionGeneration",
        "updateBufferedReflection",
        "swapBufferedReflectionToActive",
        "setReflectingFlag",
        "setObservingFlag",
        "setBufferingObservationFlag",
        "setBufferingReflectionFlag",
        "setPendingMessageTokens",
        "updateObservationalMemoryConfig",
        "clearObservationalMemory",
        "dangerouslyClearAll",
    ),
    "observability": (
        "getFeatures",
        "createSpan",
        "updateSpan",
        "getSpan",
        "getRootSpan",
        "getTrace",
        "getStructure",
        "getTraceLight",
        "getBranch",
        "getSpans",
        "listTraces",
        "listTracesLight",
        "queryTraces",
        "getTraceQueryObservedFields",
        "getTraceQueryValues",
        "queryThreads",
        "listBranches",
        "batchCreateSpans",
        "batchUpdateSpans",
        "batchDeleteTraces",
        "batchCreateLogs",
        "listLogs",
        "batchCreateMetrics",
        "listMetrics",
        "getMetricAggregate",
        "getMetricBreakdown",
        "getMetricTimeSeries",
        "getMetricPercentiles",
        "getMetricNames",
        "getMetricLabelKeys",
        "getMetricLabelValues",
        "getEntityTypes",
        "getEntityNames",
        "getServiceNames",
        "getEnvironments",
        "getTags",
        "createScore",
        "batchCreateScores",
        "listScores",
        "getScoreById",
        "getScoreAggregate",
        "getScoreBreakdown",
        "getScoreTimeSeries",
        "getScorePercentiles",
        "deleteScores",
        "createFeedback",
        "batchCreateFeedback",
        "listFeedback",
        "updateFeedbackReviewStatus",
        "getFeedbackAggregate",
        "getFeedbackBreakdown",
        "getFeedbackTimeSeries",
        "getFeedbackPercentiles",
        "deleteFeedback",
        "dangerouslyClearAll",
    ),
    "workflows": (
        "supportsConcurrentUpdates",
        "persistWorkflowSnapshot",
        "loadWorkflowSnapshot",
        "updateWorkflowResults",
        "updateWorkflowState",
        "listWorkflowRuns",
        "getWorkflowRunById",
        "deleteWorkflowRunById",
        "dangerouslyClearAll",
    ),
    "scores": (
        "saveScore",
        "getScoreById",
        "listScoresByScorerId",
        "listScoresByRunId",
        "listScoresByEntityId",
        "listScoresBySpan",
        "dangerouslyClearAll",
    ),
    "schedules": (
        "createSchedule",
        "getSchedule",
        "listSchedules",
        "listDueSchedules",
        "updateSchedule",
        "updateScheduleNextFire",
        "deleteSchedule",
        "recordTrigger",
        "listTriggers",
        "dangerouslyClearAll",
    ),
    "backgroundTasks": (
        "createTask",
        "updateTask",
        "getTask",
        "listTasks",
        "deleteTask",
        "deleteTasks",
        "getRunningCount",
        "getRunningCountByAgent",
        "dangerouslyClearAll",
    ),
    "channels": (
        "saveInstallation",
        "getInstallation",
        "getInstallationByAgent",
        "getInstallationByWebhookId",
        "listInstallations",
        "deleteInstallation",
        "saveConfig",
        "getConfig",
        "deleteConfig",
        "dangerouslyClearAll",
    ),
}

# The domains that are not here.
UNSUPPORTED = (
    "agents",
    "blobs",
    "datasets",
    "experiments",
    "favorites",
    "harness",
    "knowledge",
    "mcpClients",
    "mcpServers",
    "notifications",
    "promptBlocks",
    "scorerDefinitions",
    "skills",
    "threadState",
    "toolProviderConnections",
    "workflowDefinitions",
    "workspaces",
)

_RENAMED = {
    "dangerouslyClearAll": "clear_table",
    "getStructure": "get_trace_structure",
    "getTraceLight": "get_trace_structure",
}
# Its name has been given to a method on other records, of the domain of scores.
_TAKEN = {("observability", "getScoreById"): "get_score_event"}


def method_name(domain: str, mastra: str) -> str | None:
    """What a method of a domain of Mastra's is called here, if it is; None where it cannot be."""
    if (domain, mastra) in _TAKEN:
        return _TAKEN[domain, mastra]
    return _RENAMED.get(mastra) or re.sub(r"([A-Z])", lambda m: "_" + m[1].lower(), mastra)


def require_domain(name: object) -> None:
    """Raise `UnsupportedDomainError`, which names the domain, unless its methods are here."""
    if name in METHODS:
        return
    here = ", ".join(METHODS)
    if name in UNSUPPORTED:
        raise UnsupportedDomainError(
            f"the domain {name!r} of Mastra's storage is not supported; these are: {here}",
            domain=name,
        )
    raise UnsupportedDomainError(
        f"Mastra's storage has no domain {name!r:.60}; those that are supported are: {here}",
        domain=str(name)[:60],
    )
