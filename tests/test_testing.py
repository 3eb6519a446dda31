"""What the package offers to the tests of its users."""

import asyncio

from mastra_convex import AsyncConvexStorage, ConvexStorage, testing
from mastra_convex.testing import RecordingBackend, async_memory_storage, memory_storage

THREAD = {"id": "t", "resourceId": "r"}


def test_a_storage_in_memory() -> None:
    with memory_storage() as storage, memory_storage() as other:
        assert isinstance(storage, ConvexStorage)
        saved = storage.save_thread(THREAD)
        assert storage.watch_thread("t").next(10) == saved
        assert other.get_thread_by_id("t") is None


def test_a_storage_in_memory_with_the_async_face() -> None:
    async def work() -> None:
        async with async_memory_storage() as storage, async_memory_storage() as other:
            assert isinstance(storage, AsyncConvexStorage)
            saved = await storage.save_thread(THREAD)
            assert await storage.watch_thread("t").next(10) == saved
            assert await other.get_thread_by_id("t") is None

    asyncio.run(work())


def test_what_is_offered() -> None:
    assert testing.__all__ == sorted(testing.__all__)
    assert all(hasattr(testing, name) for name in testing.__all__)
    backend = RecordingBackend({"threads:get": None})
    assert ConvexStorage(backend=backend).get_thread_by_id("t") is None
    assert [call.path for call in backend.calls] == ["threads:get"]
