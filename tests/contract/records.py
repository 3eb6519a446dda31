"""Records to save, in Mastra's form, and how to compare what comes back."""

import json
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from mastra_convex import ConvexStorage

Doc = dict[str, Any]

# Long ago, so that "now" is always later.
T0 = 1_700_000_000_000


def at(n: float) -> float:
    """The n-th moment: a second apart from its neighbours."""
    return T0 + n * 1000


def now() -> float:
    """This moment, in the records' unit."""
    return time.time() * 1000


def thread(id: str = "t", resource: str = "r", **fields: Any) -> Doc:
    """A thread of resource "r", made at the first moment."""
    return {"id": id, "resourceId": resource, "createdAt": T0, **fields}


def message(id: str = "m", thread: str = "t", **fields: Any) -> Doc:
    """A message in thread "t"."""
    return {"id": id, "threadId": thread, "role": "user", "content": id, "createdAt": T0, **fields}


def trace(id: str = "x", **fields: Any) -> Doc:
    """A trace with its spans inside."""
    return {"id": id, "spans": [], "timestamp": T0, "createdAt": T0, **fields}


def span(id: str = "s", trace: str = "t", **fields: Any) -> Doc:
    """A span in trace "t"; a root, unless it is given a parent."""
    own = {"traceId": trace, "spanId": id, "name": id, "spanType": "generic", "startedAt": T0}
    return {**own, **fields}


def log(id: str = "l", **fields: Any) -> Doc:
    """A line of a log."""
    return {"logId": id, "level": "info", "message": id, "timestamp": T0, **fields}


def metric(id: str = "m", value: float = 1, **fields: Any) -> Doc:
    """An observation of metric "tokens"."""
    return {"metricId": id, "name": "tokens", "value": value, "timestamp": T0, **fields}


def rating(id: str = "s", score: float = 0.5, **fields: Any) -> Doc:
    """A score that scorer "tone" gave to something of a trace."""
    return {"scoreId": id, "scorerId": "tone", "score": score, "timestamp": T0, **fields}


def opinion(id: str = "f", value: float | str = 5, **fields: Any) -> Doc:
    """Feedback of type "rating"."""
    return {"feedbackId": id, "feedbackType": "rating", "value": value, "timestamp": T0, **fields}


def evaluation(id: str = "e", agent: str = "a", type: str = "live", **fields: Any) -> Doc:
    """An eval of agent "a"."""
    return {"id": id, "agentName": agent, "type": type, "createdAt": T0, **fields}


def run(id: str = "w", workflow: str = "flow", **fields: Any) -> Doc:
    """A run of workflow "flow"."""
    return {"id": id, "workflowName": workflow, "createdAt": T0, **fields}


def score(id: str = "s", **fields: Any) -> Doc:
    """A score that scorer "tone" gave to run "w" of agent "a"."""
    known = {"scorerId": "tone", "runId": "w", "entityId": "a", "entityType": "AGENT"}
    found = {"source": "LIVE", "score": 0.5, "scorer": {}, "entity": {}, "output": None}
    return {"id": id, **known, **found, "createdAt": T0, **fields}


def schedule(id: str = "d", workflow: str = "flow", **fields: Any) -> Doc:
    """A schedule of workflow "flow", to be fired at the first moment."""
    target = {"type": "workflow", "workflowId": workflow}
    known = {"target": target, "cron": "* * * * *", "status": "active", "nextFireAt": T0}
    return {"id": id, **known, "createdAt": T0, **fields}


def fired(id: str = "f", schedule: str = "d", n: float = 0, **fields: Any) -> Doc:
    """What schedule "d" has fired at the n-th moment."""
    times = {"scheduledFireAt": at(n), "actualFireAt": at(n)}
    return {"id": id, "scheduleId": schedule, "outcome": "published", **times, **fields}


def task(id: str = "k", agent: str = "a", **fields: Any) -> Doc:
    """A pending task of agent "a"."""
    tool = {"toolName": "search", "toolCallId": f"call-{id}", "args": {"q": 1}, "runId": "w"}
    numbers = {"retryCount": 0, "maxRetries": 2, "timeoutMs": 1000}
    return {
        "id": id,
        "status": "pending",
        "agentId": agent,
        **tool,
        **numbers,
        "createdAt": T0,
    } | fields


def installation(id: str = "i", agent: str = "a", **fields: Any) -> Doc:
    """An active installation of agent "a"."""
    known = {"platform": "slack", "agentId": agent, "status": "active", "data": {"token": "x"}}
    return {"id": id, **known, "createdAt": T0, **fields}


def ids(records: Iterable[Any]) -> list[str]:
    """The ids of records, in their order."""
    return [record.id for record in records]


def save_conversation(storage: ConvexStorage, count: int, thread_id: str = "t") -> list[str]:
    """A thread with `count` messages, each a moment after the one before; returns their ids."""
    storage.save_thread(thread(thread_id))
    names = [f"{thread_id}-{n:04}" for n in range(count)]
    for start in range(0, count, 1000):
        part = enumerate(names[start : start + 1000], start)
        storage.save_messages([message(name, thread_id, createdAt=at(n)) for n, name in part])
    return names


def updated_at(storage: ConvexStorage, thread_id: str = "t") -> datetime:
    """When a thread has changed."""
    found = storage.get_thread_by_id(thread_id)
    assert found is not None
    return found.updated_at


def records_of(storage: ConvexStorage) -> dict[str, int]:
    """How many records each table holds, as the storage says."""
    return {table.table: table.records for table in storage.get_statistics()}


def recounted(storage: ConvexStorage, resources: Sequence[str] = ()) -> dict[str, int]:
    """How many records each table holds, counted one by one; resources have no list."""
    threads = storage.list_threads(per_page=False).threads
    return {
        "threads": len(threads),
        "messages": sum(len(storage.get_messages(each.id)) for each in threads),
        "resources": sum(storage.get_resource_by_id(each) is not None for each in resources),
        "traces": len(storage.get_traces(per_page=False).traces),
        "spans": sum(len(storage.get_trace_structure(each) or []) for each in "tuv"),
        "logs": len(storage.list_logs(per_page=False).logs),
        "metrics": len(storage.list_metrics(per_page=False).metrics),
        "scoreEvents": len(storage.list_scores(per_page=False).scores),
        "feedback": len(storage.list_feedback(per_page=False).feedback),
        "evals": len(storage.list_evals(per_page=False).evals),
        "workflowRuns": len(storage.list_workflow_runs(per_page=False).runs),
        **_observations(storage, resources),
        "scores": len(storage.list_scores_by_scorer_id("tone", per_page=False).scores),
        "schedules": len(storage.list_schedules()),
        "scheduleTriggers": sum(
            len(storage.list_triggers(each.id)) for each in storage.list_schedules()
        ),
        "backgroundTasks": len(storage.list_tasks(per_page=False).tasks),
        "channelInstallations": len(storage.list_installations("slack")),
        "channelConfigs": sum(storage.get_config(name) is not None for name in ("slack", "x")),
    }


def _observations(storage: ConvexStorage, resources: Iterable[str]) -> dict[str, int]:
    """How many generations the memories of resources have, and chunks that wait."""
    found = [
        generation
        for each in resources
        for generation in storage.get_observational_memory_history(None, each)
    ]
    chunks = sum(len(generation.buffered_observation_chunks) for generation in found)
    return {"observationalMemory": len(found), "observationChunks": chunks}


def exactly(left: Any, right: Any) -> bool:
    """Whether two JSON values are the same to the last digit and in the order of their keys."""
    return json.dumps(left) == json.dumps(right)


# Any JSON value: text may hold NUL and lone surrogates, but not a pair that JSON would join.
json_text = st.text(st.characters(codec="utf-8")) | st.sampled_from(
    ["\ud800", "a\udfff", "\0", "é"]
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | json_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(json_text, inner, max_size=4),
    max_leaves=12,
)
json_objects = st.dictionaries(json_text, json_values, max_size=5)

# Each example is a record of its own in the same storage.
on_one_storage = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
