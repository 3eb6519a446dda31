"""Errors: type, code, a text with operation, record and remedy; and nothing is half-written."""

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from mastra_convex import (
    ConvexStorage,
    ConvexStorageError,
    InvalidArgumentError,
    InvalidPayloadError,
    LimitExceededError,
    NotFoundError,
    StorageClosedError,
)
from tests.contract.records import evaluation, message, run, span, thread, trace

Call = Callable[[ConvexStorage], Any]

# One wrong call for every operation that takes an argument: what raises, and what its text says.
WRONG: dict[str, tuple[Any, type[ConvexStorageError], list[str]]] = {
    "save_thread": (
        lambda s: s.save_thread({"id": "new", "title": "T"}),
        InvalidArgumentError,
        ["thread 'new'", "resourceId is missing or empty", "give it"],
    ),
    "get_thread_by_id": (
        lambda s: s.get_thread_by_id(None),
        InvalidArgumentError,
        ["thread_id must be text, not None"],
    ),
    "list_threads": (
        lambda s: s.list_threads(page=-1),
        InvalidArgumentError,
        ["page must be >= 0", "not -1"],
    ),
    "update_thread": (
        lambda s: s.update_thread("no", title="T"),
        NotFoundError,
        ["no thread 'no'", "save it first"],
    ),
    "delete_thread": (
        lambda s: s.delete_thread(5),
        InvalidArgumentError,
        ["id must be text", "int 5"],
    ),
    "save_message": (
        lambda s: s.save_message(message("new", "no")),
        NotFoundError,
        ["message 'new'", "thread 'no'", "save the thread first"],
    ),
    "save_messages": (
        lambda s: s.save_messages([message("new"), message("new2", "no")]),
        NotFoundError,
        ["message 'new2'", "thread 'no'", "save the thread first"],
    ),
    "get_messages": (
        lambda s: s.get_messages(""),
        InvalidArgumentError,
        ["thread_id must be the id of a thread"],
    ),
    "list_messages": (
        lambda s: s.list_messages("t", order_by={"field": "updatedAt"}),
        InvalidArgumentError,
        ["cannot order by 'updatedAt'", "'createdAt'"],
    ),
    "list_messages_by_id": (
        lambda s: s.list_messages_by_id("abc"),
        InvalidArgumentError,
        ["message_ids is a list"],
    ),
    "update_messages": (
        lambda s: s.update_messages([{"id": "m", "role": "x"}, {"id": "m", "threadId": "no"}]),
        NotFoundError,
        ["message 'm'", "thread 'no'", "save the thread first"],
    ),
    "delete_messages": (
        lambda s: s.delete_messages(["m", *map(str, range(1000))]),
        LimitExceededError,
        ["1001 ids", "at most 1000", "split them"],
    ),
    "get_resource_by_id": (
        lambda s: s.get_resource_by_id(5),
        InvalidArgumentError,
        ["resource_id must be text", "not 5"],
    ),
    "save_resource": (
        lambda s: s.save_resource({"id": "r", "createdAt": "yesterday"}),
        InvalidArgumentError,
        ["resource 'r'", "createdAt", "ISO 8601"],
    ),
    "update_resource": (
        lambda s: s.update_resource("r", metadata={"a": [float("nan")]}),
        InvalidPayloadError,
        ["resource 'r': metadata.a[0] is nan", "pass null or text"],
    ),
    "save_trace": (
        lambda s: s.save_trace(trace("new", spans=[b"x"])),
        InvalidPayloadError,
        ["trace 'new': spans[0] is of type bytes", "convert it"],
    ),
    "get_trace": (
        lambda s: s.get_trace(["x"]),
        InvalidArgumentError,
        ["trace_id must be text"],
    ),
    "list_traces": (
        lambda s: s.list_traces(from_date="today"),
        InvalidArgumentError,
        ["from_date", "'today'"],
    ),
    "create_span": (
        lambda s: s.create_span(span(input={"a": b"x"})),
        InvalidPayloadError,
        ["span 's': input.a is of type bytes", "convert it"],
    ),
    "batch_create_spans": (
        lambda s: s.batch_create_spans([span("a"), span("b", parentSpanId=5)]),
        InvalidArgumentError,
        ["span 'b': parentSpanId must be text", "5"],
    ),
    "update_span": (
        lambda s: s.update_span("t", "no", {"name": "x"}),
        NotFoundError,
        ["no span 'no' in trace 't'", "create it first"],
    ),
    "batch_update_spans": (
        lambda s: s.batch_update_spans([{"traceId": "t", "spanId": "s", "updates": {"name": 5}}]),
        InvalidArgumentError,
        ["span 's': name must be text"],
    ),
    "get_span": (
        lambda s: s.get_span("t", None),
        InvalidArgumentError,
        ["span_id must be text, not None"],
    ),
    "get_spans": (
        lambda s: s.get_spans("t", "abc"),
        InvalidArgumentError,
        ["span_ids is a list of ids, not 'abc'"],
    ),
    "get_root_span": (
        lambda s: s.get_root_span(5),
        InvalidArgumentError,
        ["trace_id must be text, not 5"],
    ),
    "get_trace_structure": (
        lambda s: s.get_trace_structure(None),
        InvalidArgumentError,
        ["trace_id must be text, not None"],
    ),
    "get_branch": (
        lambda s: s.get_branch("t", "s", -1),
        InvalidArgumentError,
        ["depth must be >= 0 and whole, not -1"],
    ),
    "batch_delete_traces": (
        lambda s: s.batch_delete_traces(["t"], resource_id=5),
        InvalidArgumentError,
        ["resourceId must be text"],
    ),
    "save_eval": (
        lambda s: s.save_eval(evaluation("new", type="dead")),
        InvalidArgumentError,
        ["'test', 'live'", "'dead'"],
    ),
    "get_eval": (
        lambda s: s.get_eval(None),
        InvalidArgumentError,
        ["eval_id must be text, not None"],
    ),
    "list_evals": (
        lambda s: s.list_evals(type="dead"),
        InvalidArgumentError,
        ["'test' or 'live'", "'dead'"],
    ),
    "get_evals_by_agent_name": (
        lambda s: s.get_evals_by_agent_name(5),
        InvalidArgumentError,
        ["agent_name must be text"],
    ),
    "save_workflow_run": (
        lambda s: s.save_workflow_run({"id": "new"}),
        InvalidArgumentError,
        ["workflow run 'new'", "workflowName is missing"],
    ),
    "get_workflow_run_by_id": (
        lambda s: s.get_workflow_run_by_id(5),
        InvalidArgumentError,
        ["run_id must be text"],
    ),
    "list_workflow_runs": (
        lambda s: s.list_workflow_runs(per_page=-1),
        InvalidArgumentError,
        ["per_page must be >= 0", "False for all"],
    ),
    "clone_thread": (
        lambda s: s.clone_thread("t", message_limit=1.5),
        InvalidArgumentError,
        ["message_limit must be >= 0 and whole, not 1.5"],
    ),
    "copy_thread": (
        lambda s: s.copy_thread("nowhere"),
        NotFoundError,
        ["there is no thread 'nowhere'"],
    ),
    "clear_table": (
        lambda s: s.clear_table("counters"),
        InvalidArgumentError,
        ["'threads'", "'workflowRuns'", "'counters'"],
    ),
    "watch_thread": (
        lambda s: s.watch_thread(5),
        InvalidArgumentError,
        ["thread_id must be text"],
    ),
    "watch_resource_threads": (
        lambda s: s.watch_resource_threads(""),
        InvalidArgumentError,
        ["resource_id must be the id of a resource, not ''"],
    ),
    "watch_thread_messages": (
        lambda s: s.watch_thread_messages("t", last="all"),
        InvalidArgumentError,
        ["last must be a whole number"],
    ),
    "subscribe_to_thread": (
        lambda s: s.subscribe_to_thread(5, print),
        InvalidArgumentError,
        ["thread_id must be text"],
    ),
    "subscribe_to_thread_messages": (
        lambda s: s.subscribe_to_thread_messages(" ", print),
        InvalidArgumentError,
        ["thread_id must be the id of a thread"],
    ),
    "subscribe_to_agent_evals": (
        lambda s: s.subscribe_to_agent_evals("a", print, type="dead"),
        InvalidArgumentError,
        ["'test' or 'live'"],
    ),
    "subscribe_to_workflow_run": (
        lambda s: s.subscribe_to_workflow_run(None, print),
        InvalidArgumentError,
        ["run_id must be text, not None"],
    ),
}

# One right call for every operation.
RIGHT: dict[str, Any] = {
    "save_thread": lambda s: s.save_thread(thread()),
    "get_thread_by_id": lambda s: s.get_thread_by_id("t"),
    "list_threads": lambda s: s.list_threads(),
    "update_thread": lambda s: s.update_thread("t"),
    "delete_thread": lambda s: s.delete_thread("t"),
    "clone_thread": lambda s: s.clone_thread("t"),
    "copy_thread": lambda s: s.copy_thread("t"),
    "save_message": lambda s: s.save_message(message()),
    "save_messages": lambda s: s.save_messages([message()]),
    "get_messages": lambda s: s.get_messages("t"),
    "list_messages": lambda s: s.list_messages("t"),
    "list_messages_by_id": lambda s: s.list_messages_by_id(["m"]),
    "update_messages": lambda s: s.update_messages([{"id": "m"}]),
    "delete_messages": lambda s: s.delete_messages(["m"]),
    "get_resource_by_id": lambda s: s.get_resource_by_id("r"),
    "save_resource": lambda s: s.save_resource({"id": "r"}),
    "update_resource": lambda s: s.update_resource("r"),
    "save_trace": lambda s: s.save_trace(trace()),
    "get_trace": lambda s: s.get_trace("x"),
    "list_traces": lambda s: s.list_traces(),
    "create_span": lambda s: s.create_span(span()),
    "batch_create_spans": lambda s: s.batch_create_spans([span()]),
    "update_span": lambda s: s.update_span("t", "s", {"name": "n"}),
    "batch_update_spans": lambda s: s.batch_update_spans(
        [{"traceId": "t", "spanId": "s", "updates": {}}]
    ),
    "get_span": lambda s: s.get_span("t", "s"),
    "get_spans": lambda s: s.get_spans("t", ["s"]),
    "get_root_span": lambda s: s.get_root_span("t"),
    "get_trace_structure": lambda s: s.get_trace_structure("t"),
    "get_branch": lambda s: s.get_branch("t", "s"),
    "batch_delete_traces": lambda s: s.batch_delete_traces(["t"]),
    "save_eval": lambda s: s.save_eval(evaluation()),
    "get_eval": lambda s: s.get_eval("e"),
    "list_evals": lambda s: s.list_evals(),
    "get_evals_by_agent_name": lambda s: s.get_evals_by_agent_name("a"),
    "save_workflow_run": lambda s: s.save_workflow_run(run()),
    "get_workflow_run_by_id": lambda s: s.get_workflow_run_by_id("w"),
    "list_workflow_runs": lambda s: s.list_workflow_runs(),
    "get_statistics": lambda s: s.get_statistics(),
    "clear_table": lambda s: s.clear_table("evals"),
    "get_format_version": lambda s: s.get_format_version(),
}
WRITING = ("save", "create", "clone", "copy", "update", "delete", "clear", "batch")
LIVE = ("watch", "subscribe", "follow")


def save_one_of_each(storage: ConvexStorage) -> Any:
    """A record in each table; returns what tells whether anything has been written since."""
    storage.save_thread(thread())
    storage.save_message(message())
    storage.save_resource({"id": "r", "createdAt": 1})
    storage.save_trace(trace())
    storage.create_span(span())
    storage.save_eval(evaluation())
    storage.save_workflow_run(run())
    return everything(storage)


def everything(storage: ConvexStorage) -> Any:
    """All that is in the storage."""
    return [
        storage.get_statistics(),
        storage.list_threads(),
        storage.get_messages("t"),
        storage.get_resource_by_id("r"),
        storage.list_traces(),
        storage.get_trace_structure("t"),
        storage.list_evals(),
        storage.list_workflow_runs(),
    ]


def test_every_operation_is_here() -> None:
    operations = {name for name in dir(ConvexStorage) if not name.startswith("_")} - {"close"}
    calls = {name for name in operations if not name.startswith(LIVE)}
    assert calls == RIGHT.keys()
    assert calls - WRONG.keys() == {"get_statistics", "get_format_version"}
    assert WRONG.keys() <= operations


def test_a_wrong_call_says_what_is_wrong(storage: ConvexStorage) -> None:
    before = save_one_of_each(storage)
    for operation, (call, kind, fragments) in WRONG.items():
        with pytest.raises(ConvexStorageError) as caught:
            call(storage)
        error = caught.value
        assert type(error) is kind, operation
        assert error.code == kind.code
        assert error.operation == operation
        assert str(error) == f"{operation}: {error.message}"
        for fragment in fragments:
            assert fragment in error.message, operation
    assert everything(storage) == before


def test_codes_are_stable() -> None:
    codes = {kind.code for _, kind, _ in WRONG.values()}
    assert codes == {"INVALID_ARGUMENT", "INVALID_PAYLOAD", "NOT_FOUND", "LIMIT_EXCEEDED"}
    assert StorageClosedError.code == "STORAGE_CLOSED"


def test_a_wrong_argument_is_also_a_value_error(storage: ConvexStorage) -> None:
    with pytest.raises(ValueError, match="save_thread: int is no thread; give Thread or a mapping"):
        storage.save_thread(5)  # type: ignore[arg-type]


class Unknown:
    """Something that JSON has never heard of."""


_CYCLE: list[Any] = []
_CYCLE.append(_CYCLE)
_DEEP: list[Any] = []
for _ in range(50_000):
    _DEEP = [_DEEP]

NOT_JSON: list[tuple[Any, str, str]] = [
    ({"a": [1, float("nan")]}, ".a[1]", "is nan, which JSON cannot say"),
    ({"a": {"b": float("-inf")}}, ".a.b", "is -inf, which JSON cannot say"),
    ([{"when": datetime(2024, 1, 1, tzinfo=timezone.utc)}], "[0].when", "is of type datetime"),
    ({"raw": b"x"}, ".raw", "is of type bytes"),
    ({"set": {1}}, ".set", "is of type set"),
    ({"o": Unknown()}, ".o", "is of type Unknown"),
    ({"m": {1: "x"}}, ".m", "has the key 1; JSON keys are strings"),
    ({"m": {None: "x"}}, ".m", "has the key None; JSON keys are strings"),
    (_CYCLE, "[0]", "contains itself; JSON cannot say that"),
    (_DEEP, "", "is nested too deeply for JSON; flatten it"),
    ("\ud83e\uddf5", "", "has a surrogate pair as two characters"),
]


def test_what_json_cannot_say_is_refused(storage: ConvexStorage) -> None:
    before = save_one_of_each(storage)
    places: list[tuple[str, Callable[[Any], Any]]] = [
        ("message 'm': content", lambda x: storage.save_message(message(content=x))),
        ("message 'm': content", lambda x: storage.save_messages([message(content=x)])),
        ("message 'm': content", lambda x: storage.update_messages([{"id": "m", "content": x}])),
        ("thread 't': metadata", lambda x: storage.save_thread(thread(metadata=x))),
        ("thread 't': metadata", lambda x: storage.update_thread("t", metadata=x)),
        ("thread 't'.own", lambda x: storage.save_thread(thread(own=x))),
        ("resource 'r': metadata", lambda x: storage.update_resource("r", metadata=x)),
        ("trace 'x': spans", lambda x: storage.save_trace(trace(spans=x))),
        ("span 's': attributes", lambda x: storage.create_span(span(attributes=x))),
        ("span 's': output", lambda x: storage.update_span("t", "s", {"output": x})),
        ("span 's'.own", lambda x: storage.update_span("t", "s", {"own": x})),
        ("eval 'e': data", lambda x: storage.save_eval(evaluation(data=x))),
        ("workflow run 'w': state", lambda x: storage.save_workflow_run(run(state=x))),
    ]
    for place, save in places:
        for value, path, reason in NOT_JSON:
            with pytest.raises(InvalidPayloadError) as caught:
                save(value)
            error = caught.value
            assert reason in error.message
            # Of fields that we do not know, too deep a nesting does not tell which.
            known = place.partition(".")[0] if value is _DEEP else place
            assert error.data["path"].endswith(known + path)
            assert error.data["path"] in error.message
    assert everything(storage) == before


def test_text_that_cannot_be_stored_is_refused(storage: ConvexStorage) -> None:
    # Payloads may hold lone surrogates, names and ids may not: they are text on the wire.
    for given in (thread("\ud800"), thread(title="\udfff"), thread(resource="a\ud800")):
        with pytest.raises(InvalidArgumentError, match="must be text without lone surrogates"):
            storage.save_thread(given)
    with pytest.raises(InvalidArgumentError, match="must be text without lone surrogates"):
        storage.get_thread_by_id("\ud800")
    assert storage.list_threads().total == 0


def test_a_field_given_twice_is_refused(storage: ConvexStorage) -> None:
    with pytest.raises(InvalidArgumentError, match="thread 't': resourceId is given twice"):
        storage.save_thread(thread(resource_id="s"))


def test_times_that_nobody_can_say_are_refused(storage: ConvexStorage) -> None:
    for bad in ("now", "2024-01-01T00:00:00", 1e18, -1e15, float("inf"), True, [1], "0000"):
        with pytest.raises(InvalidArgumentError, match="save_thread: thread 't': createdAt"):
            storage.save_thread(thread(createdAt=bad))
    assert storage.list_threads().total == 0
    edges = {"a": -62_135_596_800_000, "b": 0, "c": 253_402_300_799_999}
    for name, time in edges.items():
        saved = storage.save_thread(thread(name, createdAt=time))
        assert saved.to_dict()["createdAt"] == time
        assert saved.created_at.year == {"a": 1, "b": 1970, "c": 9999}[name]


def test_writing_to_a_closed_storage_fails(storage: ConvexStorage) -> None:
    save_one_of_each(storage)
    storage.close()
    storage.close()
    for operation, call in RIGHT.items():
        if operation.startswith(WRITING):
            with pytest.raises(StorageClosedError, match=f"{operation}: .* was closed; open a new"):
                call(storage)


def test_reading_from_a_closed_storage_fails(storage: ConvexStorage) -> None:
    save_one_of_each(storage)
    storage.close()
    for operation, call in RIGHT.items():
        if not operation.startswith(WRITING):
            with pytest.raises(StorageClosedError, match=f"{operation}: .* was closed; open a new"):
                call(storage)


def test_watching_a_closed_storage_fails(storage: ConvexStorage) -> None:
    open_watch = storage.watch_thread("t")
    assert open_watch.next(10) is None
    storage.close()
    for watch in (open_watch, storage.watch_thread("t"), storage.watch_thread_messages("t")):
        with pytest.raises(StorageClosedError):
            watch.next(10)
        assert list(watch) == []
