"""For the tests of programs that use this package.

    from mastra_convex.testing import memory_storage

    def test_greeting() -> None:
        with memory_storage() as storage:
            greet(storage, "thread-1")
            assert storage.get_messages("thread-1")[-1].content == "Hello"

A storage in memory is the real thing, functions, subscriptions and all, without a file; each is
empty and sees no other. Where a test wants to see the calls themselves, or answers that a store
would not give (an error, say), there is `RecordingBackend`:

    backend = RecordingBackend({"threads:get": NotFoundError("gone")})
    storage = ConvexStorage(backend=backend)
"""

from __future__ import annotations

from mastra_convex import AsyncConvexStorage, ConvexStorage
from mastra_convex.backends.recording import AsyncRecordingBackend, RecordedCall, RecordingBackend

__all__ = [
    "AsyncRecordingBackend",
    "RecordedCall",
    "RecordingBackend",
    "async_memory_storage",
    "memory_storage",
]


def memory_storage() -> ConvexStorage:
    """A new, empty storage in memory; close it, or use it as a context manager."""
    return ConvexStorage(":memory:")


def async_memory_storage() -> AsyncConvexStorage:
    """The same with the `async` face; close it with `aclose`, or use `async with`."""
    return AsyncConvexStorage(":memory:")
