"""The recording backend: answers from a script, remembers the calls."""

import asyncio
from typing import Any

import pytest

from mastra_convex import (
    AsyncConvexStorage,
    ConvexStorage,
    FunctionNotFoundError,
    NotFoundError,
    StorageClosedError,
    Thread,
)
from mastra_convex.backends.base import AsyncBackend, Backend
from mastra_convex.backends.recording import AsyncRecordingBackend, RecordedCall, RecordingBackend

THREAD = {"id": "t", "resourceId": "r", "createdAt": 1, "updatedAt": 1}
SECONDS = 10.0


def test_it_is_a_backend() -> None:
    backend: Backend = RecordingBackend({})
    async_backend: AsyncBackend = AsyncRecordingBackend({})
    for each in (backend, async_backend):
        assert all(callable(getattr(each, name)) for name in vars(Backend) if name[0] != "_")


def test_answers_and_calls() -> None:
    backend = RecordingBackend({"threads:get": THREAD, "threads:save": lambda args: args["thread"]})
    storage = ConvexStorage(backend=backend)
    assert storage.get_thread_by_id("t") == Thread.of(THREAD)
    assert storage.save_thread({"id": "u", "resourceId": "s"}).resource_id == "s"
    assert backend.calls == [
        RecordedCall("query", "threads:get", {"id": "t"}),
        RecordedCall("mutation", "threads:save", {"thread": {"id": "u", "resourceId": "s"}}),
    ]
    backend.script["threads:get"] = None
    assert storage.get_thread_by_id("t") is None


def test_an_error_is_raised() -> None:
    backend = RecordingBackend({"threads:update": NotFoundError("gone", id="t")})
    storage = ConvexStorage(backend=backend)
    with pytest.raises(NotFoundError, match="update_thread: gone"):
        storage.update_thread("t")
    assert [call.path for call in backend.calls] == ["threads:update"]


def test_a_call_without_an_answer_is_refused() -> None:
    backend = RecordingBackend({})
    with pytest.raises(FunctionNotFoundError, match="the script has no answer for 'threads:get'"):
        ConvexStorage(backend=backend).get_thread_by_id("t")
    assert len(backend.calls) == 1


def test_a_subscriber_is_told_when_asked() -> None:
    backend = RecordingBackend({"threads:get": None})
    watch = ConvexStorage(backend=backend).watch_thread("t")
    assert watch.next(SECONDS) is None
    backend.script["threads:get"] = THREAD
    with pytest.raises(TimeoutError):
        watch.next(0.01)
    backend.refresh()
    assert watch.next(SECONDS) == Thread.of(THREAD)
    backend.script["threads:get"] = NotFoundError("gone")
    backend.refresh()
    with pytest.raises(NotFoundError):
        watch.next(SECONDS)
    watch.close()
    calls = len(backend.calls)
    backend.refresh()
    assert len(backend.calls) == calls


def test_closing_ends_everything() -> None:
    backend = RecordingBackend({"threads:get": None})
    storage = ConvexStorage(backend=backend)
    watch = storage.watch_thread("t")
    assert watch.next(SECONDS) is None
    storage.close()
    storage.close()
    assert backend.closed
    assert list(watch) == []
    with pytest.raises(StorageClosedError):
        storage.get_thread_by_id("t")
    with pytest.raises(StorageClosedError):
        storage.watch_thread("t").next(SECONDS)


def test_the_async_colour() -> None:
    async def work() -> None:
        backend = AsyncRecordingBackend(
            {"threads:get": THREAD, "threads:remove": None, "threads:save": lambda args: THREAD}
        )
        async with AsyncConvexStorage(backend=backend) as storage:
            assert await storage.get_thread_by_id("t") == Thread.of(THREAD)
            await storage.delete_thread("t")
            assert [call.kind for call in backend.calls] == ["query", "mutation"]
            got: list[Any] = []
            unsubscribe = storage.subscribe_to_thread("t", got.append)
            watch = storage.watch_thread("t")
            assert await watch.next(SECONDS) == Thread.of(THREAD)
            backend.script["threads:get"] = None
            backend.refresh()
            assert await watch.next(SECONDS) is None
            await asyncio.sleep(0.01)
            assert got[-1] is None
            unsubscribe()
        assert [value async for value in watch] == []

    asyncio.run(asyncio.wait_for(work(), SECONDS))
