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

# The domains that are not here, and what to use instead where there is something.
UNSUPPORTED: dict[str, str] = {
    "observability": "traces are saved and listed whole, with save_trace and list_traces",
    "agents": "",
    "blobs": "",
    "datasets": "",
    "experiments": "",
    "favorites": "",
    "harness": "",
    "knowledge": "",
    "mcpClients": "",
    "mcpServers": "",
    "notifications": "",
    "promptBlocks": "",
    "scorerDefinitions": "",
    "skills": "",
    "threadState": "",
    "toolProviderConnections": "",
    "workflowDefinitions": "",
    "workspaces": "",
}

_RENAMED = {"dangerouslyClearAll": "clear_table"}


def method_name(mastra: str) -> str:
    """What a method of Mastra's is called here, if it is."""
    return _RENAMED.get(mastra) or re.sub(r"([A-Z])", lambda m: "_" + m[1].lower(), mastra)


def require_domain(name: object) -> None:
    """Raise `UnsupportedDomainError`, which names the domain, unless its methods are here."""
    if name in METHODS:
        return
    here = ", ".join(METHODS)
    if name in UNSUPPORTED:
        instead = UNSUPPORTED[str(name)]
        raise UnsupportedDomainError(
            f"the domain {name!r} of Mastra's storage is not supported; "
            f"{instead or f'these are: {here}'}",
            domain=name,
        )
    raise UnsupportedDomainError(
        f"Mastra's storage has no domain {name!r:.60}; those that are supported are: {here}",
        domain=str(name)[:60],
    )
