"""Copying threads: clone_thread and copy_thread."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from mastra_convex import (
    AsyncConvexStorage,
    ConflictError,
    ConvexStorage,
    InvalidArgumentError,
    InvalidPayloadError,
    NotFoundError,
    ThreadClone,
    ThreadCopy,
)
from mastra_convex._sync import copies
from mastra_convex.backends.recording import AsyncRecordingBackend, RecordingBackend
from mastra_convex.values.names import copy_id
from tests.contract.records import T0, at, ids, message, now, thread


def save_source(storage: ConvexStorage) -> None:
    """A thread "t" of four messages, two of them at one time."""
    storage.save_thread(thread(title="Trip", metadata={"a": 1}))
    times = {"a": at(1), "b": at(2), "c": at(2), "d": at(3)}
    storage.save_messages([message(i, createdAt=time, content=i) for i, time in times.items()])


def test_a_clone_and_its_messages(storage: ConvexStorage) -> None:
    save_source(storage)
    before = [storage.get_thread_by_id("t"), storage.get_messages("t")]
    since = int(now())
    clone = storage.clone_thread("t", "n", metadata={"own": [1]})
    assert type(clone) is ThreadClone
    assert clone.thread == storage.get_thread_by_id("n")
    assert (clone.thread.id, clone.thread.resource_id) == ("n", "r")
    assert clone.thread.title == "Clone of Trip"
    metadata = clone.thread.metadata
    assert metadata is not None
    made = metadata["clone"]["clonedAt"]
    assert since <= made == clone.thread.to_dict()["createdAt"] <= now()
    expected = {"sourceThreadId": "t", "clonedAt": made, "lastMessageId": "d"}
    assert metadata == {"own": [1], "clone": expected}
    assert clone.message_id_map == {i: copy_id("n", i) for i in "abcd"}
    assert clone.cloned_messages == storage.get_messages("n")
    assert [each.content for each in clone.cloned_messages] == ["a", "b", "c", "d"]
    assert [storage.get_thread_by_id("t"), storage.get_messages("t")] == before


def test_a_copy_without_its_messages(storage: ConvexStorage) -> None:
    save_source(storage)
    copy = storage.copy_thread("t", resource_id="s", title="Mine")
    assert type(copy) is ThreadCopy
    assert (copy.thread.resource_id, copy.thread.title) == ("s", "Mine")
    copied = storage.get_messages(copy.thread.id)
    assert list(copy.message_id_map) == ["a", "b", "c", "d"]
    assert list(copy.message_id_map.values()) == ids(copied)
    assert {each.resource_id for each in copied} == {"s"}
    assert storage.copy_thread("t").thread.id != copy.thread.id


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"message_limit": 2}, "cd"),
        ({"message_limit": 0}, "abcd"),
        ({"message_ids": ["a", "c", "none"]}, "ac"),
        ({"message_ids": []}, "abcd"),
        ({"start_date": at(2)}, "bcd"),
        ({"end_date": at(2)}, "abc"),
        ({"end_date": at(2), "message_limit": 1}, "c"),
        ({"start_date": "2030-01-01T00:00:00Z"}, ""),
    ],
)
def test_some_of_the_messages(storage: ConvexStorage, how: dict[str, Any], expected: str) -> None:
    save_source(storage)
    clone = storage.clone_thread("t", "n", **how)
    assert [each.content for each in clone.cloned_messages] == list(expected)
    assert list(clone.message_id_map) == list(expected)


def test_what_is_the_same_in_the_source_is_no_copy(storage: ConvexStorage) -> None:
    save_source(storage)
    storage.copy_thread("t", "n", message_limit=2)
    storage.save_message(message("e", createdAt=at(2)))
    storage.save_message(message("f", "n", createdAt=at(2)))
    copy = storage.copy_thread("n", "nn")
    assert set(copy.message_id_map) == {"f", copy_id("n", "c"), copy_id("n", "d")}


def test_a_copy_that_cannot_be_made(storage: ConvexStorage) -> None:
    save_source(storage)
    calls: list[tuple[Callable[[], Any], type[Exception], str]] = [
        (lambda: storage.clone_thread("none"), NotFoundError, "clone_thread: there is no thread"),
        (lambda: storage.copy_thread("t", "t"), ConflictError, "copy_thread: .* another id"),
        (lambda: storage.copy_thread("t", title=5), InvalidArgumentError, "copy_thread: .*title"),  # type: ignore[arg-type]
        (lambda: storage.clone_thread(5), InvalidArgumentError, "clone_thread: .*id"),  # type: ignore[arg-type]
        (
            lambda: storage.clone_thread("t", message_limit=-1),
            InvalidArgumentError,
            "message_limit must be >= 0",
        ),
        (
            lambda: storage.clone_thread("t", message_ids="abc"),
            InvalidArgumentError,
            "message_ids is a list",
        ),
        (
            lambda: storage.clone_thread("t", metadata={"a": {1}}),
            InvalidPayloadError,
            r"metadata\.a is of type set",
        ),
    ]
    for call, kind, text in calls:
        with pytest.raises(kind, match=text):
            call()
    assert ids(storage.list_threads().threads) == ["t"]


MADE = {"id": "n", "resourceId": "r", "createdAt": T0, "updatedAt": T0}
SCRIPT = {"threads:clone": MADE, "messages:list": {"page": [], "cursor": None}}


def test_a_copy_that_is_made_in_steps_is_waited_for() -> None:
    backend = RecordingBackend({**SCRIPT, "threads:get": None})

    def finish() -> None:
        backend.script["threads:get"] = MADE
        backend.refresh()

    with ConvexStorage(backend=backend) as storage:
        threading.Timer(0.05, finish).start()
        assert storage.clone_thread("t", "n").thread.id == "n"
    assert backend.calls[-1].path == "messages:list"
    assert backend.script["threads:get"] is MADE


def test_the_async_face_waits_too() -> None:
    backend = AsyncRecordingBackend({**SCRIPT, "threads:get": None})

    async def run() -> str:
        async with AsyncConvexStorage(backend=backend) as storage:
            copying = asyncio.ensure_future(storage.copy_thread("t", "n"))
            await asyncio.sleep(0.05)
            assert not copying.done()
            backend.script["threads:get"] = MADE
            backend.refresh()
            return (await copying).thread.id

    assert asyncio.run(run()) == "n"


def test_waiting_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_PATIENCE_SECONDS", 0.02)
    with (
        ConvexStorage(backend=RecordingBackend({**SCRIPT, "threads:get": None})) as storage,
        pytest.raises(TimeoutError),
    ):
        storage.copy_thread("t", "n")
