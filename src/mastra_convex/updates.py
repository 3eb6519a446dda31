"""Arguments of mutations that are more than one record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from mastra_convex.errors import InvalidArgumentError, InvalidPayloadError
from mastra_convex.models import Message, Resource, Thread, Trace, WorkflowRun
from mastra_convex.record import Record, to_milliseconds
from mastra_convex.span import Span
from mastra_convex.values.payload import decode_payload, encode_payload

_CHANGEABLE = {"role": "role", "type": "type", "content": "content"}
_CHANGEABLE |= {"threadId": "threadId", "thread_id": "threadId"}
_CHANGEABLE |= {"resourceId": "resourceId", "resource_id": "resourceId"}
# Members of a run's state that are not one word, by their names in Python.
_STATE_NAMES = {
    "suspended_paths": "suspendedPaths",
    "waiting_paths": "waitingPaths",
    "resume_labels": "resumeLabels",
    "active_paths": "activePaths",
    "active_steps_path": "activeStepsPath",
    "tracing_context": "tracingContext",
    "expected_status": "expectedStatus",
}


def record_change(kind: type[Record], id: Any, **fields: Any) -> dict[str, Any]:
    """The id and the new values of a record's fields, by their wire names; None is not given."""
    change: dict[str, Any] = {"id": kind.encode_field("id", id, kind.noun)}
    for name, value in fields.items():
        if value is not None:
            change[name] = kind.encode_field(name, value, f"{kind.noun} {id!r:.80}")
    return change


def metadata_change(
    update: Callable[[Thread], Mapping[str, Any] | None], thread: Thread | None
) -> dict[str, Any] | None:
    """What `threads:update` takes for a change that `update` makes of the thread; None for none."""
    metadata = None if thread is None else update(thread)
    if thread is None or metadata is None:
        return None
    expected = {"resourceId": thread.resource_id, "metadata": thread.wire.get("metadata")}
    return {**record_change(Thread, thread.id, metadata=metadata), "expected": expected}


def working_memory_change(
    resource_id: str, update: Callable[[str | None], str | None], resource: Resource | None
) -> dict[str, Any] | None:
    """What `resources:update` takes for a change that `update` makes of the text; None for none."""
    text = update(None if resource is None else resource.working_memory)
    if text is None:
        return None
    expected = None if resource is None else resource.wire.get("workingMemory")
    change = record_change(Resource, resource_id, workingMemory=text)
    return {**change, "expected": {"workingMemory": expected}}


def some_text(value: Any, name: str) -> str:
    """An argument that is text, and not empty. Raises `InvalidArgumentError` otherwise."""
    if not isinstance(value, str) or not value:
        raise InvalidArgumentError(f"{name} must be text, not {value!r:.60}", path=name)
    return value


def several(given: Any, what: str) -> list[Any]:
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        raise InvalidArgumentError(f"{what} is a list of them, not {given!r:.60}", path=what)
    return list(given)


def message_documents(messages: Iterable[Message | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The documents of several messages."""
    return [Message.encode(message) for message in several(messages, "messages")]


def checked_ids(ids: Sequence[str]) -> list[str]:
    """The ids, each of which must be text."""
    checked = several(ids, "message_ids")
    for position, item in enumerate(checked):
        if not isinstance(item, str):
            raise InvalidArgumentError(f"message_ids[{position}] must be text, not {item!r:.60}")
    return checked


def message_changes(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What `messages:update` takes for partial messages; None counts as not given."""
    return [_message_change(message) for message in several(messages, "messages")]


def _message_change(message: Any) -> dict[str, Any]:
    if not isinstance(message, Mapping) or not isinstance(message.get("id"), str):
        raise InvalidArgumentError(
            f"a change of a message is a mapping with its id, not {message!r:.60}", path="id"
        )
    change = {"id": message["id"]}
    label = f"message {message['id']!r:.80}"
    for name, value in message.items():
        if name == "id" or value is None:
            continue
        if name not in _CHANGEABLE:
            raise InvalidArgumentError(
                f"{label}: {name} cannot be updated; leave it out, or save the whole message",
                path=name,
            )
        if _CHANGEABLE[name] in change:
            raise InvalidArgumentError(f"{label}: {_CHANGEABLE[name]} is given twice", path=name)
        change[_CHANGEABLE[name]] = (
            encode_payload(value, f"{label}: content") if name == "content" else value
        )
    return change


# What one call carries of spans: within what a transaction may, with room for what it reads.
_RECORDS_AT_ONCE = 500
_BYTES_AT_ONCE = 4 * 1024 * 1024
_TRACES_AT_ONCE = 50
# Of a trace that has its spans inside: they go twice.
_INSIDE_BYTES = 3 * 1024 * 1024
# What a span in Mastra's form has at least.
_OF_SPANS = {"spanId", "name", "spanType", "startedAt"}


def span_batches(spans: Iterable[Span | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The arguments of the calls that save several spans."""
    return batches("spans", [Span.encode(span) for span in several(spans, "records")])


def span_change_batches(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The arguments of the calls that change several spans."""
    return batches("spans", [Span.encode_change(change) for change in several(records, "records")])


def trace_save(trace: Trace | Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the call that saves a trace, with those spans inside it that are spans.

    These are in Mastra's form and of this trace. What is too much for one call beside the trace
    stays inside it alone.
    """
    wire = Trace.encode(trace)
    text = wire.get("spans", "")
    inside = decode_payload(text) if text and _bytes_of(text) <= _INSIDE_BYTES else []
    spans = list(_spans_of(wire, inside if isinstance(inside, list) else []))
    few = 0 < len(spans) <= _RECORDS_AT_ONCE
    return {"trace": wire, "spans": spans} if few else {"trace": wire}


def _spans_of(trace: dict[str, Any], inside: list[Any]) -> Iterator[dict[str, Any]]:
    for each in inside:
        if not isinstance(each, dict) or not each.keys() >= _OF_SPANS:
            continue
        span = {"traceId": trace["id"], **each}
        if span["traceId"] != trace["id"]:
            continue
        if span.get("parentSpanId") is None:
            # What the trace says of itself, its root says.
            known = {name: trace.get(name) for name in ("threadId", "runId")}
            span = {**known, **{name: x for name, x in span.items() if x is not None}}
        for name in ("createdAt", "updatedAt"):
            span.pop(name, None)
        # What looks like a span and is none stays as it is.
        with suppress(InvalidArgumentError, InvalidPayloadError):
            yield Span.encode(span)


def trace_removals(
    trace_ids: Sequence[str], organization_id: str | None, resource_id: str | None
) -> list[dict[str, Any]]:
    """The arguments of the calls that delete several traces."""
    ids = several(trace_ids, "trace_ids")
    label = Span.noun
    scope = {
        name: Span.encode_field(name, value, label)
        for name, value in (("organizationId", organization_id), ("resourceId", resource_id))
        if value is not None
    }
    for trace_id in ids:
        Span.encode_field("traceId", trace_id, label)
    starts = range(0, len(ids), _TRACES_AT_ONCE)
    return [{"traceIds": ids[start : start + _TRACES_AT_ONCE], **scope} for start in starts]


def batches(name: str, records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The arguments `name` of the calls that together save these records."""
    return list(in_batches(name, records))


def in_batches(name: str, records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """As `batches`, one after the other, as the records come."""
    batch: list[dict[str, Any]] = []
    size = 0
    for record in records:
        texts = [value for value in record.values() if type(value) is str]
        own = sum(map(len if all(map(str.isascii, texts)) else _bytes_of, texts))
        if batch and (len(batch) == _RECORDS_AT_ONCE or size + own > _BYTES_AT_ONCE):
            yield {name: batch}
            batch, size = [], 0
        batch.append(record)
        size += own
    if batch:
        yield {name: batch}


def _bytes_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def thread_copy(
    source_id: Any,
    new_id: str,
    resource_id: Any,
    title: Any,
    metadata: Any,
    message_ids: Any,
    start_date: Any,
    end_date: Any,
    message_limit: Any,
) -> dict[str, Any]:
    """What `threads:clone` takes; None is not given."""
    thread = {"resourceId": resource_id, "title": title, "metadata": metadata}
    args: dict[str, Any] = {
        "id": Thread.encode_field("id", source_id, "thread"),
        "thread": record_change(Thread, new_id, **thread),
    }
    if message_ids is not None:
        args["messageIds"] = checked_ids(message_ids)
    for name, date, label in (("from", start_date, "start_date"), ("to", end_date, "end_date")):
        if date is not None:
            args[name] = to_milliseconds(date, label)
    if message_limit is not None:
        if type(message_limit) is not int or message_limit < 0:
            raise InvalidArgumentError(
                f"message_limit must be >= 0 and whole, not {message_limit!r:.60}",
                path="message_limit",
            )
        args["limit"] = message_limit
    return args


def run_key(workflow_name: Any, run_id: Any) -> dict[str, Any]:
    """The key of a run: the name of its workflow, and its id."""
    key = {"workflowName": workflow_name, "id": run_id}
    for name, value in key.items():
        WorkflowRun.encode_field(name, value, "workflow run")
    return key


def run_snapshot(
    workflow_name: Any,
    run_id: Any,
    snapshot: Any,
    resource_id: Any,
    created_at: Any,
    updated_at: Any,
) -> dict[str, Any]:
    """What `workflowRuns:persist` takes; the snapshot is a mapping, or the JSON text of one."""
    label = f"workflow run {run_id!r:.80}"
    try:
        state = decode_payload(snapshot) if isinstance(snapshot, str) else snapshot
    except ValueError:
        state = None
    if not isinstance(state, Mapping):
        raise InvalidArgumentError(
            f"{label}: a snapshot is a mapping, or the JSON text of one, not {snapshot!r:.60}",
            path="snapshot",
        )
    given = {"resourceId": resource_id, "createdAt": created_at, "updatedAt": updated_at}
    given = {name: value for name, value in given.items() if value is not None}
    run = {"id": run_id, "workflowName": workflow_name, "state": state, **given}
    return {"run": WorkflowRun.encode(run)}


def step_result(
    workflow_name: Any, run_id: Any, step_id: Any, result: Any, request_context: Any
) -> dict[str, Any]:
    """What `workflowRuns:updateResults` takes."""
    label = f"workflow run {run_id!r:.80}"
    if not isinstance(step_id, str):
        raise InvalidArgumentError(
            f"{label}: step_id must be text, not {step_id!r:.60}", path="step_id"
        )
    return {
        **run_key(workflow_name, run_id),
        "stepId": step_id,
        "result": encode_payload(result, label, f"result of step {step_id!r:.80}"),
        "requestContext": encode_payload(request_context or {}, label, "request_context"),
    }


def run_state(
    workflow_name: Any, run_id: Any, opts: Any, expected_status: Any = None
) -> dict[str, Any]:
    """What `workflowRuns:updateState` takes; the guard may stand in `opts`, as in Mastra."""
    label = f"workflow run {run_id!r:.80}"
    if not isinstance(opts, Mapping) or not isinstance(opts.get("status"), str):
        raise InvalidArgumentError(
            f"{label}: the state is a mapping with a status, not {opts!r:.60}", path="status"
        )
    state = {_STATE_NAMES.get(name, name): value for name, value in opts.items()}
    guard = state.pop("expectedStatus", None)
    guard = guard if expected_status is None else expected_status
    args = {**run_key(workflow_name, run_id), "state": encode_payload(state, label, "state")}
    if guard is None:
        return args
    expected = [guard] if isinstance(guard, str) else guard
    if not isinstance(expected, (list, tuple)) or not all(isinstance(s, str) for s in expected):
        raise InvalidArgumentError(
            f"{label}: expected_status is a status or a list of them, not {guard!r:.60}",
            path="expected_status",
        )
    return {**args, "expectedStatus": list(expected)}
