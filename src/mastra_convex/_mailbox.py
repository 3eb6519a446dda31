"""Between a backend's thread and a subscriber: the newest outcome, waited for in either colour.

A mailbox holds one outcome. A newer one takes its place, so a slow subscriber skips what lies in
between and always ends at the last.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from mastra_convex.values.outcome import Outcome

# asyncio is imported where it is used: it would be half of the time that our import takes, and a
# program that has an event loop has loaded it already.
if TYPE_CHECKING:
    import asyncio


class Mailbox:
    """A mailbox for a thread."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._outcome: Outcome | None = None
        self._closed = False

    def put(self, outcome: Outcome) -> None:
        """Leave an outcome; from any thread, never waits for the reader."""
        with self._condition:
            self._outcome = outcome
            self._condition.notify()

    def take(self, timeout: float | None = None) -> Outcome | None:
        """Wait for an outcome and take it; None once closed.

        Raises `TimeoutError` after `timeout` seconds without one.
        """
        with self._condition:
            ready = self._condition.wait_for(lambda: self._outcome or self._closed, timeout)
            if not ready:
                raise TimeoutError(f"nothing has changed for {timeout} seconds")
            outcome, self._outcome = self._outcome, None
            return None if self._closed else outcome

    def close(self) -> None:
        """Wake the reader with None."""
        with self._condition:
            self._closed = True
            self._condition.notify()


class AsyncMailbox:
    """A mailbox for a task of the running event loop."""

    def __init__(self) -> None:
        import asyncio

        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._outcome: Outcome | None = None
        self._closed = False

    def put(self, outcome: Outcome) -> None:
        """Leave an outcome; from any thread, never waits for the reader."""
        self._outcome = outcome
        self._notify()

    async def take(self, timeout: float | None = None) -> Outcome | None:
        """Wait for an outcome and take it; None once closed.

        Raises `TimeoutError` after `timeout` seconds without one.
        """
        import asyncio

        while True:
            # Cleared before looking: what arrives from now on sets it again.
            self._event.clear()
            outcome, self._outcome = self._outcome, None
            if self._closed or outcome is not None:
                return None if self._closed else outcome
            try:
                await asyncio.wait_for(self._event.wait(), timeout)
            except asyncio.TimeoutError:
                raise TimeoutError(f"nothing has changed for {timeout} seconds") from None

    def close(self) -> None:
        """Wake the reader with None."""
        self._closed = True
        self._notify()

    def _notify(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:
            self._closed = True  # The loop has ended, and the reader with it.


# The event loop itself keeps only weak references to its tasks.
_tasks: set[asyncio.Task[None]] = set()


def spawn(work: Callable[[], None], name: str) -> None:
    """Run `work` in a thread that does not keep the program alive."""
    threading.Thread(target=work, name=name, daemon=True).start()


def async_spawn(work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
    """Run `work` in a task of the running event loop."""
    import asyncio

    task = asyncio.get_running_loop().create_task(work(), name=name)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
