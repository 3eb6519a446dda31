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
    StorageClosedError,
)
from tests.contract import calls, calls_records, calls_signals
from tests.contract.records import evaluation, message, run, span, thread, trace

Call = Callable[[ConvexStorage], Any]

# One wrong call for every operation that takes an argument: what raises, and what its text says.
WRONG = {**calls_records.WRONG, **calls.WRONG, **calls_signals.WRONG}
# One right call for every operation.
RIGHT = {**calls_records.RIGHT, **calls.RIGHT, **calls_signals.RIGHT}
WRITING = (
    "save",
    "clone",
    "copy",
    "update",
    "delete",
    "clear",
    "persist",
    "claim",
    "create",
    "record",
    "batch",
)
# What is said without asking anybody.
CONSTANT = {"supports_concurrent_updates", "get_features", "get_store", "token_for"}
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
        storage.get_traces(),
        storage.get_trace_structure("t"),
        storage.list_evals(),
        storage.list_workflow_runs(),
    ]


def test_every_operation_is_here() -> None:
    operations = {name for name in dir(ConvexStorage) if not name.startswith("_")} - {"close"}
    asked = {name for name in operations - CONSTANT if not name.startswith(LIVE)}
    assert asked == RIGHT.keys()
    assert asked - WRONG.keys() == {
        *("get_statistics", "get_format_version", "get_running_count"),
        *("get_entity_types", "get_service_names", "get_environments"),
    }
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
    expected = {"INVALID_ARGUMENT", "INVALID_PAYLOAD", "NOT_FOUND", "CONFLICT", "LIMIT_EXCEEDED"}
    assert codes == expected | {"UNSUPPORTED_DOMAIN"}
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
        with pytest.raises(InvalidArgumentError, match="lone surrogate"):
            storage.save_thread(given)
    with pytest.raises(InvalidArgumentError, match="lone surrogate"):
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
