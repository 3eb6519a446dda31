"""Calls that name what belongs to others: of the functions that `test_principals.py` leaves out."""

from typing import Any

PAGE = {"order": "asc", "limit": 10, "withTotal": True}

# A generation of observational memory, ready to be added.
MEMORY = {
    "scope": "thread",
    "originType": "initial",
    "createdAt": 1,
    "updatedAt": 1,
    "generationCount": 0,
    "totalTokensObserved": 0,
    "observationTokenCount": 0,
    "pendingMessageTokens": 0,
    "isReflecting": False,
    "isObserving": False,
    "isBufferingObservation": False,
    "isBufferingReflection": False,
    "lastBufferedAtTokens": 0,
}
_CHUNK = {
    "id": "c",
    "cycleId": "c",
    "observations": '""',
    "tokenCount": 1,
    "messageIds": "[]",
    "messageTokens": 1,
    "lastObservedAt": 1,
}
_RUN = {"id": "theirs", "workflowName": "theirs"}
_TARGET = '{"type":"x"}'
_SCHEDULE = {"id": "theirs", "target": _TARGET, "cron": "*", "status": "active", "nextFireAt": 1}
_TASK = {
    "id": "theirs",
    "status": "pending",
    "toolName": "t",
    "toolCallId": "c",
    "args": "{}",
    "agentId": "a",
    "runId": "w",
    "resourceId": "other",
    "retryCount": 0,
    "maxRetries": 0,
    "timeoutMs": 1,
}
_INSTALLATION = {
    "id": "theirs",
    "platform": "slack",
    "agentId": "theirs",
    "status": "active",
    "data": "{}",
}
_SCORE = {
    "id": "theirs",
    "scorerId": "tone",
    "entityId": "a",
    "runId": "w",
    "source": "LIVE",
    "score": 1,
    "scorer": "{}",
    "entity": "{}",
    "output": "null",
    "resourceId": "other",
}
_SPAN = {
    "traceId": "theirs",
    "spanId": "theirs",
    "name": "n",
    "spanType": "agent_run",
    "startedAt": 1,
    "resourceId": "me",
}
_OF = {"traceId": "theirs", "resourceId": "me"}
_LOG = {**_OF, "logId": "theirs", "level": "info", "message": '"x"'}
_METRIC = {**_OF, "metricId": "theirs", "name": "theirs", "value": 1}
_RATING = {**_OF, "scoreId": "theirs", "scorerId": "theirs", "score": 1}
_FEEDBACK = {
    **_OF,
    "feedbackId": "theirs",
    "feedbackType": "theirs",
    "value": "1",
    "feedbackSource": "",
}
_TRIGGER = {
    "id": "theirs",
    "scheduleId": "theirs",
    "scheduledFireAt": 1,
    "actualFireAt": 1,
    "outcome": "published",
    "triggerKind": "schedule-fire",
}

MORE: dict[str, list[dict[str, Any]]] = {
    "threads:updateResourceId": [
        {"id": "theirs", "resourceId": "me"},
        {"id": "mine", "resourceId": "other"},
    ],
    "messages:listByThreads": [
        {**PAGE, "threadIds": ["theirs"], "withTotal": True},
        {**PAGE, "threadIds": ["theirs"], "resourceId": "other"},
    ],
    "messages:listByResource": [
        {**PAGE, "resourceId": "other"},
        {**PAGE, "resourceId": "me"},
        {**PAGE, "resourceId": "other", "from": 0},
    ],
    "messages:countByResource": [{"resourceId": name, "limit": 10} for name in ("other", "me")],
    "messages:listBeside": [
        {"around": [{"id": "theirs-1", "previous": 1, "next": 1}]},
        {"around": [{"id": "theirs-1", "previous": 1, "next": 1}], "threadIds": ["theirs"]},
        {"around": [{"id": "theirs-1", "previous": 1, "next": 1}], "resourceId": "other"},
        {"around": [{"id": "theirs-1", "previous": 9, "next": 9}], "threadIds": ["mine"]},
        {"around": [{"id": "mine-1", "previous": 9, "next": 9}], "threadIds": ["theirs"]},
    ],
    "spans:get": [{"traceId": "theirs", "spanId": "theirs"}],
    "spans:getRoot": [{"traceId": "theirs"}],
    "spans:list": [{"order": "asc", "limit": 10, "traceId": "theirs"}],
    "spans:listById": [{"spans": [{"traceId": "theirs", "spanId": "theirs"}]}],
    "spans:listTraces": [
        {**PAGE, "orderBy": order, **by}
        for order in ("startedAt", "endedAt")
        for by in ({"resourceId": "other"}, {"threadId": "theirs"}, {"traceId": "theirs"}, {})
    ],
    "spans:listBranches": [
        {**PAGE, "orderBy": order, **by}
        for order in ("startedAt", "endedAt")
        for by in ({"resourceId": "other"}, {"threadId": "theirs"}, {"traceId": "theirs"}, {})
    ],
    "spans:listArrived": [{"list": "traces", "limit": 9}, {"list": "branches", "limit": 9}],
    "spans:listByMessage": [{"messageId": "theirs-1", "limit": 9}],
    "spans:listMessageIds": [{"traceId": "theirs", "limit": 9}],
    "spans:listOpen": [{"order": "asc", "limit": 10, "openedBy": "host"}],
    "spans:save": [{"spans": [_SPAN]}],
    "spans:update": [{"spans": [{"traceId": "theirs", "spanId": "theirs", "name": "x"}]}],
    "spans:removeTraces": [{"traceIds": ["theirs"]}, {"traceIds": ["theirs"], "resourceId": "me"}],
    "logs:list": [{**PAGE}, {**PAGE, "resourceId": "me"}, {**PAGE, "traceId": "theirs"}],
    "logs:save": [{"logs": [_LOG]}],
    "metrics:list": [{**PAGE}, {**PAGE, "resourceId": "me"}, {**PAGE, "name": "theirs"}],
    "metrics:listNames": [{"prefix": "", "limit": 10}],
    "metrics:save": [{"metrics": [_METRIC]}],
    "scoreEvents:get": [{"id": "theirs"}],
    "scoreEvents:list": [
        {**PAGE, "orderBy": "timestamp", "resourceId": "other"},
        {**PAGE, "orderBy": "timestamp", "traceId": "theirs"},
        {**PAGE, "orderBy": "timestamp", "scorerId": "theirs"},
        {**PAGE, "orderBy": "score"},
        {**PAGE, "orderBy": "score", "resourceId": "me"},
    ],
    "scoreEvents:save": [{"scores": [_RATING]}],
    "scoreEvents:remove": [{"ids": ["theirs"]}, {"ids": ["theirs"], "resourceId": "me"}],
    "feedback:get": [{"id": "theirs"}],
    "feedback:list": [
        {**PAGE, "resourceId": "other"},
        {**PAGE, "traceId": "theirs"},
        {**PAGE, "feedbackType": "theirs"},
    ],
    "feedback:save": [{"feedback": [_FEEDBACK]}],
    "feedback:review": [{"id": "theirs", "reviewStatus": "reviewed"}],
    "feedback:remove": [{"ids": ["theirs"]}, {"ids": ["theirs"], "resourceId": "me"}],
    **{
        f"{table}:{name}": calls
        for table in ("logs", "metrics", "scoreEvents", "feedback")
        for name, calls in (
            ("listArrived", [{"limit": 9}, {"limit": 9, "after": 0}]),
            ("removeOfTraces", [{"traceIds": ["theirs"]}]),
        )
    },
    "discovery:list": [{"path": ["entity"], "prefix": "", "limit": 10}],
    "observationalMemory:get": [
        {"threadId": "theirs", "resourceId": "other"},
        {"threadId": "theirs", "resourceId": "me"},
        {"resourceId": "other"},
    ],
    "observationalMemory:list": [
        {"threadId": "theirs", "resourceId": "other", "limit": 5},
        {"threadId": "theirs", "resourceId": "me", "limit": 5},
    ],
    "observationalMemory:initialize": [
        {"id": "n", "threadId": "theirs", "resourceId": "other", "scope": "thread", "config": "{}"},
    ],
    "observationalMemory:save": [
        {
            "record": {
                **MEMORY,
                "id": "new",
                "threadId": "theirs",
                "resourceId": "other",
                "config": "{}",
                "activeObservations": '""',
                "bufferedObservationChunks": [],
            }
        },
    ],
    "observationalMemory:update": [{"id": "theirs", "isObserving": True}],
    "observationalMemory:observe": [
        {"id": "theirs", "observations": '""', "tokenCount": 1, "lastObservedAt": 1}
    ],
    "observationalMemory:buffer": [{"id": "theirs", "chunk": _CHUNK}],
    "observationalMemory:activate": [
        {
            "id": "theirs",
            "activationRatio": 1,
            "messageTokensThreshold": 1,
            "currentPendingTokens": 1,
        }
    ],
    "observationalMemory:reflect": [
        {"id": "theirs", "newId": "p", "reflection": '""', "tokenCount": 1}
    ],
    "observationalMemory:bufferReflection": [
        {
            "id": "theirs",
            "reflection": '""',
            "tokenCount": 1,
            "inputTokenCount": 1,
            "reflectedObservationLineCount": 1,
        }
    ],
    "observationalMemory:activateReflection": [{"id": "theirs", "newId": "p", "tokenCount": 1}],
    "observationalMemory:clear": [{"threadId": "theirs", "resourceId": "other"}],
    "workflowRuns:persist": [{"run": {**_RUN, "state": "{}"}}],
    "workflowRuns:updateResults": [
        {**_RUN, "stepId": "s", "result": "1", "requestContext": "{}"},
    ],
    "workflowRuns:updateState": [{**_RUN, "state": '{"status":"x"}'}],
    "workflowRuns:remove": [_RUN],
    "scores:get": [{"id": "theirs"}],
    "scores:list": [
        {**PAGE, "scorerId": "tone"},
        {**PAGE, "runId": "w"},
        {**PAGE, "entityId": "a", "entityType": "AGENT"},
    ],
    "scores:save": [{"score": _SCORE}],
    "schedules:get": [{"id": "theirs"}],
    "schedules:list": [PAGE],
    "schedules:listDue": [{**PAGE, "now": 1}],
    "schedules:create": [{"schedule": _SCHEDULE}],
    "schedules:update": [{"id": "theirs", "cron": "x"}],
    "schedules:advance": [
        {
            "id": "theirs",
            "expectedNextFireAt": 1,
            "newNextFireAt": 2,
            "lastFireAt": 1,
            "lastRunId": "r",
        }
    ],
    "schedules:remove": [{"id": "theirs"}],
    "schedules:recordTrigger": [{"trigger": _TRIGGER}],
    "schedules:listTriggers": [{**PAGE, "scheduleId": "theirs"}],
    "backgroundTasks:get": [{"id": "theirs"}],
    "backgroundTasks:list": [
        {**PAGE, "status": "pending"},
        {**PAGE, "resourceId": "other"},
        {**PAGE, "threadId": "theirs"},
        {**PAGE, "agentId": "a"},
    ],
    "backgroundTasks:count": [{"status": "pending"}],
    "backgroundTasks:create": [{"task": _TASK}],
    "backgroundTasks:update": [{"id": "theirs", "update": {}}],
    "backgroundTasks:remove": [{"tasks": [{"id": "theirs"}]}],
    "channels:saveInstallation": [{"installation": _INSTALLATION}],
    "channels:getInstallation": [{"id": "theirs"}],
    "channels:getInstallationByAgent": [{"platform": "slack", "agentId": "theirs"}],
    "channels:getInstallationByWebhookId": [{"webhookId": "theirs"}],
    "channels:listInstallations": [{**PAGE, "platform": "slack"}],
    "channels:removeInstallation": [{"id": "theirs"}],
    "channels:saveConfig": [{"config": {"id": "slack", "data": "{}"}}],
    "channels:getConfig": [{"id": "slack"}],
    "channels:removeConfig": [{"id": "slack"}],
}
