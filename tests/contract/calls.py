"""Wrong and right calls of what is done unattended, for the tests of errors."""

from typing import Any

from mastra_convex import (
    ConflictError,
    ConvexStorage,
    ConvexStorageError,
    InvalidArgumentError,
    InvalidPayloadError,
    NotFoundError,
    UnsupportedDomainError,
)
from tests.contract.records import fired, installation, schedule, score, task


def merge(s: ConvexStorage, result: Any, request_context: Any = None) -> Any:
    """Merge a step's result into run "w" of workflow "flow"."""
    return s.update_workflow_results("flow", "w", "step", result, request_context)


WRONG: dict[str, tuple[Any, type[ConvexStorageError], list[str]]] = {
    "persist_workflow_snapshot": (
        lambda s: s.persist_workflow_snapshot("flow", "w", "[1]"),
        InvalidArgumentError,
        ["workflow run 'w'", "a snapshot is a mapping, or the JSON text of one", "'[1]'"],
    ),
    "load_workflow_snapshot": (
        lambda s: s.load_workflow_snapshot(None, "w"),
        InvalidArgumentError,
        ["workflow_name must be text, not None"],
    ),
    "update_workflow_results": (
        lambda s: merge(s, {"output": {1}}),
        InvalidPayloadError,
        ["workflow run 'w': result of step 'step'.output is of type set"],
    ),
    "update_workflow_state": (
        lambda s: s.update_workflow_state("flow", "w", {"result": 1}),
        InvalidArgumentError,
        ["workflow run 'w'", "a mapping with a status"],
    ),
    "claim_workflow_run": (
        lambda s: s.claim_workflow_run("flow", "no"),
        ConflictError,
        ["run 'no' of workflow 'flow'", "not 'suspended', or not there"],
    ),
    "delete_workflow_run_by_id": (
        lambda s: s.delete_workflow_run_by_id("w", 5),
        InvalidArgumentError,
        ["workflowName must be text, not int 5"],
    ),
    "save_score": (
        lambda s: s.save_score(score("new", score=True)),
        InvalidArgumentError,
        ["score 'new'", "score must be a number", "bool True"],
    ),
    "get_score_by_id": (
        lambda s: s.get_score_by_id(5),
        InvalidArgumentError,
        ["score_id must be text, not 5"],
    ),
    "list_scores_by_scorer_id": (
        lambda s: s.list_scores_by_scorer_id("tone", source="live"),
        InvalidArgumentError,
        ["source is 'LIVE' or 'TEST'"],
    ),
    "list_scores_by_run_id": (
        lambda s: s.list_scores_by_run_id(None),
        InvalidArgumentError,
        ["run_id must be text, not None"],
    ),
    "list_scores_by_entity_id": (
        lambda s: s.list_scores_by_entity_id("a", None),
        InvalidArgumentError,
        ["entity_type must be text, not None"],
    ),
    "list_scores_by_span": (
        lambda s: s.list_scores_by_span("t", 5),
        InvalidArgumentError,
        ["span_id must be text, not 5"],
    ),
    "watch_scorer_scores": (
        lambda s: s.watch_scorer_scores("tone", last=0),
        InvalidArgumentError,
        ["last must be >= 1"],
    ),
    "watch_run_scores": (
        lambda s: s.watch_run_scores(5),
        InvalidArgumentError,
        ["run_id must be text"],
    ),
    "subscribe_to_scorer_scores": (
        lambda s: s.subscribe_to_scorer_scores(5, print),
        InvalidArgumentError,
        ["scorer_id must be text"],
    ),
    "subscribe_to_run_scores": (
        lambda s: s.subscribe_to_run_scores("w", print, last="all"),
        InvalidArgumentError,
        ["last must be >= 1 and whole, not 'all'"],
    ),
    "create_schedule": (
        lambda s: s.create_schedule(schedule("new", target={})),
        InvalidArgumentError,
        ["the target of a schedule is a map with a type"],
    ),
    "get_schedule": (
        lambda s: s.get_schedule(None),
        InvalidArgumentError,
        ["schedule_id must be text"],
    ),
    "list_schedules": (
        lambda s: s.list_schedules({"cron": "*"}),
        InvalidArgumentError,
        ["filter is a mapping with status, workflowId"],
    ),
    "list_due_schedules": (
        lambda s: s.list_due_schedules("soon"),
        InvalidArgumentError,
        ["now must be an aware datetime", "'soon'"],
    ),
    "update_schedule": (
        lambda s: s.update_schedule("no", {}),
        NotFoundError,
        ["no schedule 'no'", "create it first"],
    ),
    "update_schedule_next_fire": (
        lambda s: s.update_schedule_next_fire("d", None, 1, 1, "w"),
        InvalidArgumentError,
        ["expected_next_fire_at must be"],
    ),
    "delete_schedule": (
        lambda s: s.delete_schedule(5),
        InvalidArgumentError,
        ["schedule_id must be text, not 5"],
    ),
    "record_trigger": (
        lambda s: s.record_trigger(fired("new", "no")),
        NotFoundError,
        ["trigger 'new'", "schedule 'no'", "create the schedule first"],
    ),
    "list_triggers": (
        lambda s: s.list_triggers("d", limit=-1),
        InvalidArgumentError,
        ["limit must be >= 0"],
    ),
    "watch_schedules": (
        lambda s: s.watch_schedules({"x": 1}),
        InvalidArgumentError,
        ["filter is a mapping"],
    ),
    "subscribe_to_schedules": (
        lambda s: s.subscribe_to_schedules(print, {"x": 1}),
        InvalidArgumentError,
        ["filter is a mapping"],
    ),
    "create_task": (
        lambda s: s.create_task(task("new", args=[1])),
        InvalidArgumentError,
        ["task 'new'", "args must be a map"],
    ),
    "update_task": (
        lambda s: s.update_task("k", {"agentId": "b"}),
        InvalidArgumentError,
        ["task 'k'", "agentId cannot be updated", "leave it out"],
    ),
    "get_task": (
        lambda s: s.get_task(5),
        InvalidArgumentError,
        ["task_id must be text"],
    ),
    "list_tasks": (
        lambda s: s.list_tasks(order_by="updatedAt"),
        InvalidArgumentError,
        ["order_by is one of createdAt, startedAt"],
    ),
    "delete_task": (
        lambda s: s.delete_task(None),
        InvalidArgumentError,
        ["task_id must be text"],
    ),
    "delete_tasks": (
        lambda s: s.delete_tasks(status=5),
        InvalidArgumentError,
        ["status is a status or a list of them"],
    ),
    "get_running_count_by_agent": (
        lambda s: s.get_running_count_by_agent(None),
        InvalidArgumentError,
        ["agent_id must be text"],
    ),
    "watch_task": (
        lambda s: s.watch_task(5),
        InvalidArgumentError,
        ["task_id must be text"],
    ),
    "subscribe_to_task": (
        lambda s: s.subscribe_to_task(5, print),
        InvalidArgumentError,
        ["task_id must be text"],
    ),
    "save_installation": (
        lambda s: s.save_installation(installation("new", status="on")),
        InvalidArgumentError,
        ["'pending', 'active', 'error'", "'on'"],
    ),
    "get_installation": (
        lambda s: s.get_installation(5),
        InvalidArgumentError,
        ["installation_id must be text"],
    ),
    "get_installation_by_agent": (
        lambda s: s.get_installation_by_agent("slack", 5),
        InvalidArgumentError,
        ["agent_id must be text"],
    ),
    "get_installation_by_webhook_id": (
        lambda s: s.get_installation_by_webhook_id(None),
        InvalidArgumentError,
        ["webhook_id must be text"],
    ),
    "list_installations": (
        lambda s: s.list_installations(5),
        InvalidArgumentError,
        ["platform must be text"],
    ),
    "delete_installation": (
        lambda s: s.delete_installation(5),
        InvalidArgumentError,
        ["installation_id must be text"],
    ),
    "save_config": (
        lambda s: s.save_config({"platform": "slack"}),
        InvalidArgumentError,
        ["channel configuration 'slack'", "data is missing"],
    ),
    "get_config": (
        lambda s: s.get_config(5),
        InvalidArgumentError,
        ["platform must be text"],
    ),
    "delete_config": (
        lambda s: s.delete_config(5),
        InvalidArgumentError,
        ["platform must be text"],
    ),
    "get_store": (
        lambda s: s.get_store("agents"),
        UnsupportedDomainError,
        ["the domain 'agents'", "is not supported", "memory, observability"],
    ),
}

RIGHT: dict[str, Any] = {
    "persist_workflow_snapshot": lambda s: s.persist_workflow_snapshot("flow", "w", {}),
    "load_workflow_snapshot": lambda s: s.load_workflow_snapshot("flow", "w"),
    "update_workflow_results": lambda s: merge(s, 1),
    "update_workflow_state": lambda s: s.update_workflow_state("flow", "w", {"status": "x"}),
    "claim_workflow_run": lambda s: s.claim_workflow_run("flow", "w"),
    "delete_workflow_run_by_id": lambda s: s.delete_workflow_run_by_id("w", "flow"),
    "save_score": lambda s: s.save_score(score()),
    "get_score_by_id": lambda s: s.get_score_by_id("s"),
    "list_scores_by_scorer_id": lambda s: s.list_scores_by_scorer_id("tone"),
    "list_scores_by_run_id": lambda s: s.list_scores_by_run_id("w"),
    "list_scores_by_entity_id": lambda s: s.list_scores_by_entity_id("a", "AGENT"),
    "list_scores_by_span": lambda s: s.list_scores_by_span("t", "n"),
    "create_schedule": lambda s: s.create_schedule(schedule()),
    "get_schedule": lambda s: s.get_schedule("d"),
    "list_schedules": lambda s: s.list_schedules(),
    "list_due_schedules": lambda s: s.list_due_schedules(0),
    "update_schedule": lambda s: s.update_schedule("d", {}),
    "update_schedule_next_fire": lambda s: s.update_schedule_next_fire("d", 0, 1, 0, "w"),
    "delete_schedule": lambda s: s.delete_schedule("d"),
    "record_trigger": lambda s: s.record_trigger(fired()),
    "list_triggers": lambda s: s.list_triggers("d"),
    "create_task": lambda s: s.create_task(task()),
    "update_task": lambda s: s.update_task("k", {}),
    "get_task": lambda s: s.get_task("k"),
    "list_tasks": lambda s: s.list_tasks(),
    "delete_task": lambda s: s.delete_task("k"),
    "delete_tasks": lambda s: s.delete_tasks(),
    "get_running_count": lambda s: s.get_running_count(),
    "get_running_count_by_agent": lambda s: s.get_running_count_by_agent("a"),
    "save_installation": lambda s: s.save_installation(installation()),
    "get_installation": lambda s: s.get_installation("i"),
    "get_installation_by_agent": lambda s: s.get_installation_by_agent("slack", "a"),
    "get_installation_by_webhook_id": lambda s: s.get_installation_by_webhook_id("h"),
    "list_installations": lambda s: s.list_installations("slack"),
    "delete_installation": lambda s: s.delete_installation("i"),
    "save_config": lambda s: s.save_config({"platform": "slack", "data": {}}),
    "get_config": lambda s: s.get_config("slack"),
    "delete_config": lambda s: s.delete_config("slack"),
}
