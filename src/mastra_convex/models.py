"""The records: what agents leave behind, under Mastra's names in snake_case.

Each model takes and gives Mastra's camelCase mapping as well: `Thread.encode(mapping)`,
`thread.to_dict()`. Attributes that were not saved are None.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.record import (
    Record,
    count,
    flag,
    instant,
    number,
    opaque_text,
    payload,
    records,
    text,
)
from mastra_convex.values.payload import encode_payload

# What an early package kept in `type` is `role` today (interface, section 7).
_ROLES = frozenset({"user", "assistant", "system", "signal", "tool"})
_CHUNKS = "bufferedObservationChunks"
# Mastra's names for fields of a workflow run, and other spellings, with ours.
_RUN_NAMES = (
    ("runId", "id"),
    ("run_id", "id"),
    ("snapshot", "state"),
    ("state_type", "stateType"),
    ("status", "stateType"),
)

__all__ = [
    "ActivatedObservations",
    "Eval",
    "EvalPage",
    "Message",
    "MessagePage",
    "ObservationChunk",
    "ObservationalMemory",
    "Record",
    "Resource",
    "TableStatistics",
    "Thread",
    "ThreadClone",
    "ThreadCopy",
    "ThreadPage",
    "Trace",
    "TracePage",
    "WorkflowRun",
    "WorkflowRunPage",
]


class Thread(Record):
    """A conversation of one resource (interface, section 2.1)."""

    noun = "thread"

    id: str = text()
    resource_id: str = text()
    title: str | None = text(default=None)
    metadata: dict[str, Any] | None = payload(default=None)
    created_at: datetime = instant(default=None)
    updated_at: datetime = instant(default=None)


class Message(Record):
    """One message of a thread (interface, section 2.2).

    `content` is what was saved: Mastra's content format 2, or plain text. `seq` numbers the
    messages of a thread in the order of saving; the store gives it.
    """

    noun = "message"
    given_by_store = "seq"

    id: str = text()
    thread_id: str = text()
    resource_id: str | None = text(default=None)
    role: str = text()
    type: str | None = text(default=None)
    content: Any = payload()
    created_at: datetime = instant(default=None)
    seq: int | None = count(default=None)

    @classmethod
    def adapt(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take the role from `type` where there is no `role`."""
        if given.get("role") is None and given.get("type") in _ROLES:
            return {**given, "role": given["type"]}
        return given


class Resource(Record):
    """A user or another owner of threads (interface, section 2.3); `id` is the resource id."""

    noun = "resource"

    id: str = text()
    working_memory: str | None = opaque_text(default=None)
    metadata: dict[str, Any] | None = payload(default=None)
    created_at: datetime = instant(default=None)
    updated_at: datetime = instant(default=None)


class Trace(Record):
    """What a run did: its spans inside one trace, or the row of one span (interface, 7 and 8)."""

    noun = "trace"

    id: str = text()
    thread_id: str | None = text(default=None)
    transport_id: str | None = text(default=None)
    run_id: str | None = text(default=None)
    root_run_id: str | None = text(default=None)
    timestamp: datetime = instant(default=None)
    spans: list[Any] | None = payload(default=None)
    span_durations: dict[str, Any] | None = payload(default=None)
    properties: dict[str, Any] | None = payload(default=None)
    trace_id: str | None = text(default=None)
    parent_span_id: str | None = text(default=None)
    name: str | None = text(default=None)
    scope: str | None = text(default=None)
    kind: float | None = number(default=None)
    attributes: Any = payload(default=None)
    status: Any = payload(default=None)
    events: Any = payload(default=None)
    links: Any = payload(default=None)
    other: Any = payload(default=None)
    start_time: float | None = number(default=None)
    end_time: float | None = number(default=None)
    created_at: datetime = instant(default=None)


class Eval(Record):
    """How well an agent did (interface, 7 and 8): `type` is "test" or "live".

    A row in Mastra's older shape has no id and no type: it gets the type that its `testInfo`
    tells, and an id made of its content, so that saving it again is saving the same.
    """

    noun = "eval"

    id: str = text()
    thread_id: str | None = text(default=None)
    agent_name: str = text()
    type: str = text()
    metadata: dict[str, Any] | None = payload(default=None)
    data: Any = payload(default=None)
    input: str | None = text(default=None)
    output: str | None = text(default=None)
    result: Any = payload(default=None)
    metric_name: str | None = text(default=None)
    instructions: str | None = text(default=None)
    test_info: Any = payload(default=None)
    global_run_id: str | None = text(default=None)
    run_id: str | None = text(default=None)
    created_at: datetime = instant(default=None)

    @classmethod
    def adapt(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Complete a row of the older shape, which is told by its metric."""
        if given.get("metricName") is None and given.get("metric_name") is None:
            return given
        adapted = dict(given)
        if adapted.get("type") is None:
            info = given.get("testInfo") or given.get("test_info")
            tested = isinstance(info, Mapping) and (info.get("testPath") or info.get("test_path"))
            adapted["type"] = "test" if tested else "live"
        if adapted.get("id") is None:
            known = {f.wire_name: f.name for f in cls.fields}
            row = {known.get(name, name): str(value) for name, value in given.items()}
            content = encode_payload(sorted(row.items()), "eval")
            adapted["id"] = "eval-" + hashlib.sha256(content.encode()).hexdigest()[:32]
        return adapted


class WorkflowRun(Record):
    """The state of a run of a workflow (interface, 4.1 and 7).

    `state` is Mastra's snapshot and `state_type` its status; `run_id`, `snapshot` and `status` are
    their names there, and a mapping may use either.
    """

    noun = "workflow run"

    id: str = text()
    workflow_name: str = text()
    resource_id: str | None = text(default=None)
    state_type: str | None = text(default=None)
    state: Any = payload(default=None)
    error: Any = payload(default=None)
    created_at: datetime = instant(default=None)
    updated_at: datetime = instant(default=None)

    @property
    def run_id(self) -> str:
        """Mastra's name for `id`."""
        return self.id

    @property
    def snapshot(self) -> Any:
        """Mastra's name for `state`."""
        return self.state

    @property
    def status(self) -> str | None:
        """Mastra's name for `state_type`."""
        return self.state_type

    @classmethod
    def adapt(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take Mastra's names, and the status inside a snapshot."""
        adapted = dict(given)
        for theirs, ours in _RUN_NAMES:
            value = adapted.pop(theirs, None)
            if value is not None:
                if adapted.get(ours) is None:
                    adapted[ours] = value
                elif adapted[ours] != value:
                    raise InvalidArgumentError(
                        f"workflow run {adapted.get('id')!r:.80}: {theirs} and {ours} differ; "
                        "give one of them",
                        path=theirs,
                    )
        state = adapted.get("state")
        named = adapted.get("stateType")
        if named is None and isinstance(state, Mapping) and isinstance(state.get("status"), str):
            adapted["stateType"] = state["status"]
        return adapted


class ObservationChunk(Record):
    """Observations of one cycle that wait to become active (interface, 3.12)."""

    noun = "observation chunk"

    id: str = text()
    cycle_id: str = text()
    observations: str = opaque_text()
    token_count: float = number()
    message_ids: list[str] = payload()
    message_tokens: float = number()
    last_observed_at: datetime = instant()
    created_at: datetime = instant(default=None)
    suggested_continuation: str | None = opaque_text(default=None)
    current_task: str | None = opaque_text(default=None)
    thread_title: str | None = opaque_text(default=None)
    extracted_values: dict[str, Any] | None = payload(default=None)
    extraction_failures: list[Any] | None = payload(default=None)


class ObservationalMemory(Record):
    """One generation of what was observed in a thread, or of a resource (interface, 3.12)."""

    noun = "observational memory"

    id: str = text()
    scope: str = text()
    thread_id: str | None = text(default=None)
    resource_id: str = text()
    created_at: datetime = instant()
    updated_at: datetime = instant()
    last_observed_at: datetime | None = instant(default=None)
    origin_type: str = text()
    generation_count: int = count()
    active_observations: str = opaque_text()
    buffered_observation_chunks: list[ObservationChunk] = records(ObservationChunk, default=[])
    buffered_reflection: str | None = opaque_text(default=None)
    buffered_reflection_tokens: float | None = number(default=None)
    buffered_reflection_input_tokens: float | None = number(default=None)
    reflected_observation_line_count: float | None = number(default=None)
    observed_message_ids: list[str] | None = payload(default=None)
    observed_timezone: str | None = text(default=None)
    total_tokens_observed: float = number()
    observation_token_count: float = number()
    pending_message_tokens: float = number()
    is_reflecting: bool = flag()
    is_observing: bool = flag()
    is_buffering_observation: bool = flag()
    is_buffering_reflection: bool = flag()
    last_buffered_at_tokens: float = number()
    last_buffered_at_time: datetime | None = instant(default=None)
    config: dict[str, Any] = payload()
    metadata: dict[str, Any] | None = payload(default=None)

    @classmethod
    def encode(cls, value: Record | Mapping[str, Any]) -> dict[str, Any]:
        """As every record's, with a list of chunks, empty if none wait."""
        wire = super().encode(value)
        return wire if _CHUNKS in wire else {**wire, _CHUNKS: []}


@dataclass(frozen=True, slots=True)
class ActivatedObservations:
    """What `swap_buffered_to_active` has made active, oldest first."""

    chunks: list[ObservationChunk]

    @property
    def message_tokens(self) -> float:
        """Tokens of the messages that these stand for."""
        return sum(chunk.message_tokens for chunk in self.chunks)

    @property
    def observation_tokens(self) -> float:
        """Tokens of the observations."""
        return sum(chunk.token_count for chunk in self.chunks)

    @property
    def cycle_ids(self) -> list[str]:
        """The cycles that they come from."""
        return [chunk.cycle_id for chunk in self.chunks]

    @property
    def message_ids(self) -> list[str]:
        """The messages that these stand for."""
        return [id for chunk in self.chunks for id in chunk.message_ids]

    @property
    def observations(self) -> str:
        """The text that was added."""
        return "\n\n".join(chunk.observations for chunk in self.chunks)


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page stands in its list.

    `total` counts the whole list, or is None when it was left out; `per_page` is False for all.
    """

    total: int | None
    page: int
    per_page: int | bool
    has_more: bool


@dataclass(frozen=True, slots=True)
class ListedPage(Page):
    """A page of a list of observability, or in delta mode what has come in.

    `delta_cursor` is where a delta goes on; a page has none.
    """

    delta_cursor: str | None

    @property
    def pagination(self) -> dict[str, Any]:
        """Where the page stands, as Mastra says it beside the rows."""
        numbers = {"total": self.total, "page": self.page}
        return {**numbers, "perPage": self.per_page, "hasMore": self.has_more}


@dataclass(frozen=True, slots=True)
class ThreadPage(Page):
    """A page of threads."""

    threads: list[Thread]


@dataclass(frozen=True, slots=True)
class MessagePage(Page):
    """A page of messages."""

    messages: list[Message]


@dataclass(frozen=True, slots=True)
class TracePage(Page):
    """A page of traces."""

    traces: list[Trace]


@dataclass(frozen=True, slots=True)
class EvalPage(Page):
    """A page of evals."""

    evals: list[Eval]


@dataclass(frozen=True, slots=True)
class WorkflowRunPage(Page):
    """A page of workflow runs."""

    runs: list[WorkflowRun]


@dataclass(frozen=True, slots=True)
class ThreadCopy:
    """A thread that was copied from another; `message_id_map` has its messages' ids by the old."""

    thread: Thread
    message_id_map: dict[str, str]


@dataclass(frozen=True, slots=True)
class ThreadClone(ThreadCopy):
    """A copied thread with its messages, oldest first."""

    cloned_messages: list[Message]


@dataclass(frozen=True, slots=True)
class TableStatistics:
    """How many records a table holds, and the bytes of their values."""

    table: str
    records: int
    bytes: int
