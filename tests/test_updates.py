"""Arguments of mutations that are more than one record."""

from typing import Any

import pytest

from mastra_convex.errors import InvalidArgumentError, InvalidPayloadError
from mastra_convex.models import Message, Resource, Thread
from mastra_convex.updates import (
    checked_ids,
    message_changes,
    message_documents,
    record_change,
    span_batches,
    span_change_batches,
    trace_removals,
)

MESSAGE = {"id": "m", "threadId": "t", "role": "user", "content": "x"}


def test_the_documents_of_messages() -> None:
    model = Message(id="m", thread_id="t", role="user", content="x")
    expected = {**MESSAGE, "content": '"x"'}
    both: list[Any] = [MESSAGE, model]
    for several in (both, tuple(both), iter(both)):
        assert message_documents(several) == [expected, expected]
    assert message_documents([]) == []


@pytest.mark.parametrize("several", [None, 5, "abc", b"abc", MESSAGE])
def test_what_is_not_several(several: Any) -> None:
    for function in (message_documents, message_changes):
        with pytest.raises(InvalidArgumentError, match="messages is a list of them"):
            function(several)
    with pytest.raises(InvalidArgumentError, match="message_ids is a list of them"):
        checked_ids(several)


def test_ids_are_text() -> None:
    assert checked_ids(("a", "b")) == ["a", "b"]
    assert checked_ids([]) == []
    for bad in (5, None, ["a"]):
        with pytest.raises(InvalidArgumentError, match=r"message_ids\[1\] must be text"):
            checked_ids(["a", bad])  # type: ignore[list-item]


def test_changes_of_messages() -> None:
    given: list[dict[str, Any]] = [
        {"id": "a", "role": "user", "thread_id": "t", "resourceId": "r", "type": None},
        {"id": "b", "content": {"parts": []}},
        {"id": "c"},
    ]
    assert message_changes(given) == [
        {"id": "a", "role": "user", "threadId": "t", "resourceId": "r"},
        {"id": "b", "content": '{"parts":[]}'},
        {"id": "c"},
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"role": "x"}, "a change of a message is a mapping with its id"),
        ({"id": None}, "a change of a message is a mapping with its id"),
        ("a", "a change of a message is a mapping with its id"),
        ({"id": "a", "createdAt": 1}, "message 'a': createdAt cannot be updated; leave it out"),
        ({"id": "a", "threadId": "t", "thread_id": "t"}, "message 'a': threadId is given twice"),
    ],
)
def test_a_bad_change(change: Any, text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=text):
        message_changes([change])


def test_a_change_with_a_bad_payload() -> None:
    with pytest.raises(InvalidPayloadError, match=r"message 'a': content\[0\] is of type bytes"):
        message_changes([{"id": "a", "content": [b"x"]}])


def test_changes_of_a_record() -> None:
    assert record_change(Thread, "t", title=None, metadata={"a": 1}) == {
        "id": "t",
        "metadata": '{"a":1}',
    }
    assert record_change(Resource, "r", workingMemory="") == {"id": "r", "workingMemory": '""'}
    with pytest.raises(InvalidArgumentError, match="thread: id must be text, not int 5"):
        record_change(Thread, 5, title="A")
    with pytest.raises(InvalidArgumentError, match="thread 't': title must be text, not int 5"):
        record_change(Thread, "t", title=5)


def test_spans_go_in_batches_that_fit() -> None:
    def sizes(batches: list[dict[str, Any]]) -> list[int]:
        return [len(batch["spans"]) for batch in batches]

    own = {"traceId": "t", "spanId": "s", "name": "n", "spanType": "x", "startedAt": 1}
    assert span_batches([]) == []
    assert sizes(span_batches([own] * 1001)) == [500, 500, 1]
    mib = 1024 * 1024
    large = [{**own, "input": text} for text in ("a" * mib, "ä" * mib, "a" * mib, "a" * 9 * mib)]
    # By their bytes; one that is too large alone is for the function to refuse.
    assert sizes(span_batches([*large, own])) == [2, 1, 1, 1]
    change = {"traceId": "t", "spanId": "s", "updates": {"output": "a" * mib}}
    assert sizes(span_change_batches([change] * 8)) == [3, 3, 2]
    batches = span_batches([{**own, "spanId": str(n)} for n in range(1200)])
    ids = [each["spanId"] for batch in batches for each in batch["spans"]]
    assert ids == [str(n) for n in range(1200)]


def test_traces_are_deleted_in_batches() -> None:
    ids = [str(n) for n in range(120)]
    batches = trace_removals(ids, None, "r")
    assert [len(batch["traceIds"]) for batch in batches] == [50, 50, 20]
    assert [name for batch in batches for name in batch["traceIds"]] == ids
    assert all(batch.keys() == {"traceIds", "resourceId"} for batch in batches)
    assert trace_removals(["a"], "o", None) == [{"traceIds": ["a"], "organizationId": "o"}]
    assert trace_removals([], None, None) == []
