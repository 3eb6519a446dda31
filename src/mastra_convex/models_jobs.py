"""The records of what agents do unattended: scores, schedules, background tasks, channels.

They are models like those of `models.py`, under Mastra's names in snake_case.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models import Page
from mastra_convex.record import Record, count, flag, instant, json_map, number, payload, text

__all__ = [
    "BackgroundTask",
    "BackgroundTaskPage",
    "ChannelConfig",
    "ChannelInstallation",
    "Schedule",
    "ScheduleTrigger",
    "Score",
    "ScorePage",
]

# What a score may be of: Mastra's kinds of entities, and its types of spans.
# fmt: off
_SCORED = frozenset({
    "AGENT", "WORKFLOW", "TRAJECTORY", "STEP", "EXTERNAL",
    "agent_run", "scorer_run", "classifier_evaluation", "scorer_step", "generic",
    "model_generation", "model_step", "model_inference", "model_chunk", "mcp_tool_call",
    "mcp_server_request", "processor_run", "tool_call", "client_tool_call", "provider_tool_call",
    "workflow_run", "workflow_step", "workflow_conditional", "workflow_conditional_eval",
    "workflow_parallel", "workflow_loop", "workflow_sleep", "workflow_wait_event",
    "memory_operation", "workspace_action", "rag_ingestion", "rag_embedding",
    "rag_vector_operation", "rag_action", "graph_action", "mapping", "skill_resolution",
    "skill_action", "agent_signal",
})
# fmt: on


class Score(Record):
    """What a scorer has found (interface, 5.1). `source` is "LIVE" or "TEST"."""

    noun = "score"

    id: str = text()
    scorer_id: str = text()
    entity_id: str = text()
    entity_type: str | None = text(default=None)
    run_id: str = text()
    source: str = text()
    score: float = number()
    reason: str | None = text(default=None)
    scorer: dict[str, Any] = json_map()
    entity: dict[str, Any] = json_map()
    input: Any = payload(default=None)
    output: Any = payload(nullable=True)
    structured_output: bool | None = flag(default=None)
    reason_prompt: str | None = text(default=None)
    extract_prompt: str | None = text(default=None)
    extract_step_result: dict[str, Any] | None = json_map(default=None)
    analyze_prompt: str | None = text(default=None)
    analyze_step_result: dict[str, Any] | None = json_map(default=None)
    preprocess_prompt: str | None = text(default=None)
    preprocess_step_result: dict[str, Any] | None = json_map(default=None)
    generate_score_prompt: str | None = text(default=None)
    generate_reason_prompt: str | None = text(default=None)
    additional_context: dict[str, Any] | None = json_map(default=None)
    request_context: dict[str, Any] | None = json_map(default=None)
    metadata: dict[str, Any] | None = json_map(default=None)
    trace_id: str | None = text(default=None)
    span_id: str | None = text(default=None)
    resource_id: str | None = text(default=None)
    thread_id: str | None = text(default=None)
    organization_id: str | None = text(default=None)
    project_id: str | None = text(default=None)
    batch_id: str | None = text(default=None)
    dataset_id: str | None = text(default=None)
    dataset_item_id: str | None = text(default=None)
    created_at: datetime = instant(default=None)
    updated_at: datetime = instant(default=None)

    @classmethod
    def encode(cls, value: Record | Mapping[str, Any]) -> dict[str, Any]:
        """As every record's; what is scored must be of a kind that Mastra knows."""
        wire = super().encode(value)
        kind = wire.get("entityType")
        if kind is not None and kind not in _SCORED:
            raise InvalidArgumentError(
                f"score {wire['id']!r:.80}: entityType {kind!r:.40} is not 'AGENT', 'WORKFLOW' "
                "or another kind that Mastra knows",
                path="entityType",
            )
        if not math.isfinite(wire["score"]):
            raise InvalidArgumentError(
                f"score {wire['id']!r:.80}: score is {wire['score']}; give a finite number",
                path="score",
            )
        return wire


class Schedule(Record):
    """When something is to be fired, again and again; `status` is "active" or "paused".

    `target` says what: a map with a `type`, "workflow" or "agent". `workflow_id` is taken from it.
    """

    noun = "schedule"

    id: str = text()
    target: dict[str, Any] = json_map()
    workflow_id: str | None = text(default=None)
    cron: str = text()
    timezone: str | None = text(default=None)
    status: str = text()
    next_fire_at: datetime = instant()
    last_fire_at: datetime | None = instant(default=None)
    last_run_id: str | None = text(default=None)
    owner_type: str | None = text(default=None)
    owner_id: str | None = text(default=None)
    metadata: dict[str, Any] | None = json_map(default=None)
    created_at: datetime = instant(default=None)
    updated_at: datetime = instant(default=None)

    @classmethod
    def encode(cls, value: Record | Mapping[str, Any]) -> dict[str, Any]:
        """As every record's, without `workflowId`: the store takes it from the target."""
        wire = super().encode(value)
        return {name: item for name, item in wire.items() if name != "workflowId"}


class ScheduleTrigger(Record):
    """What a schedule has fired, or tried to; `created_at` is when that was recorded."""

    noun = "trigger"

    id: str = text()
    schedule_id: str = text()
    run_id: str | None = text(default=None)
    scheduled_fire_at: datetime = instant()
    actual_fire_at: datetime = instant()
    outcome: str = text()
    error: str | None = text(default=None)
    trigger_kind: str = text()
    parent_trigger_id: str | None = text(default=None)
    metadata: dict[str, Any] | None = json_map(default=None)
    created_at: datetime = instant(default=None)

    @classmethod
    def adapt(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Without a kind, it is the schedule's own fire."""
        if given.get("triggerKind") is None and given.get("trigger_kind") is None:
            return {**given, "triggerKind": "schedule-fire"}
        return given


class BackgroundTask(Record):
    """A tool call that goes on after the agent that made it has answered.

    `status` is "pending", "running", "suspended", "completed", "failed", "cancelled", "timed_out".
    """

    noun = "task"

    id: str = text()
    status: str = text()
    tool_name: str = text()
    tool_call_id: str = text()
    args: dict[str, Any] = json_map()
    agent_id: str = text()
    thread_id: str | None = text(default=None)
    resource_id: str | None = text(default=None)
    run_id: str = text()
    result: Any = payload(default=None)
    error: dict[str, Any] | None = json_map(default=None)
    suspend_payload: Any = payload(default=None)
    created_at: datetime = instant(default=None)
    started_at: datetime | None = instant(default=None)
    suspended_at: datetime | None = instant(default=None)
    completed_at: datetime | None = instant(default=None)
    retry_count: int = count()
    max_retries: int = count()
    timeout_ms: float = number()


class ChannelInstallation(Record):
    """An agent on a chat platform; `status` is "pending", "active" or "error". `data` is secret."""

    noun = "installation"

    id: str = text()
    platform: str = text()
    agent_id: str = text()
    status: str = text()
    webhook_id: str | None = text(default=None)
    data: dict[str, Any] = json_map()
    config_hash: str | None = text(default=None)
    error: str | None = text(default=None)
    created_at: datetime = instant(default=None)
    updated_at: datetime = instant(default=None)


class ChannelConfig(Record):
    """What a chat platform needs as a whole; its id is the platform. `data` is secret."""

    noun = "channel configuration"

    id: str = text()
    data: dict[str, Any] = json_map()
    created_at: datetime = instant(default=None)
    updated_at: datetime = instant(default=None)

    @property
    def platform(self) -> str:
        """Mastra's name for `id`."""
        return self.id

    @classmethod
    def adapt(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take Mastra's name of the id."""
        if "platform" not in given:
            return given
        named = {name: value for name, value in given.items() if name != "platform"}
        if named.setdefault("id", given["platform"]) != given["platform"]:
            raise InvalidArgumentError(
                f"channel configuration {named['id']!r:.80}: platform and id differ; give one of "
                "them",
                path="platform",
            )
        return named


@dataclass(frozen=True, slots=True)
class ScorePage(Page):
    """A page of scores."""

    scores: list[Score]

    @property
    def pagination(self) -> dict[str, Any]:
        """Where the page stands, as Mastra says it beside scores."""
        numbers = {"total": self.total, "page": self.page}
        return {**numbers, "perPage": self.per_page, "hasMore": self.has_more}


@dataclass(frozen=True, slots=True)
class BackgroundTaskPage(Page):
    """A page of background tasks."""

    tasks: list[BackgroundTask]
