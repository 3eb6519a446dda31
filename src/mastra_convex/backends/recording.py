"""A backend for tests: it answers from a script and remembers the calls.

    backend = RecordingBackend({"threads:get": {"id": "t", "resourceId": "r", ...}})
    storage = ConvexStorage(backend=backend)
    storage.get_thread_by_id("t")
    assert backend.calls == [RecordedCall("query", "threads:get", {"id": "t"})]

The script has an answer for each function path: a value, an exception, which is raised, or a
callable, which is given the call's arguments and returns the value. `script` may be changed at any
time; `refresh` tells the subscribers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mastra_convex.backends.base import Args, Deliver, Read, Unsubscribe
from mastra_convex.errors import FunctionNotFoundError, StorageClosedError
from mastra_convex.values.outcome import Outcome


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One call: its kind ("query" or "mutation"), the function's path and the arguments."""

    kind: str
    path: str
    args: Args


class _Script:
    """What both colours share."""

    def __init__(self, script: Mapping[str, Any]) -> None:
        self.script: dict[str, Any] = dict(script)
        self.calls: list[RecordedCall] = []
        self.closed = False
        self._subscribers: dict[int, tuple[Callable[[], Read], Deliver]] = {}
        self._subscribed = 0

    def refresh(self) -> None:
        """Deliver the present value to every subscriber, as if all had changed."""
        for read, deliver in list(self._subscribers.values()):
            deliver(self._evaluate(read))

    def _answer(self, kind: str, path: str, args: Args) -> Any:
        if self.closed:
            raise StorageClosedError("the recording backend was closed; make a new one")
        self.calls.append(RecordedCall(kind, path, args))
        if path not in self.script:
            raise FunctionNotFoundError(
                f"the script has no answer for {path!r}; give it one", path=path
            )
        answer = self.script[path]
        if isinstance(answer, Exception):
            raise answer
        return answer(args) if callable(answer) else answer

    def _evaluate(self, read: Callable[[], Read]) -> Outcome:
        program = read()
        try:
            call = next(program)
            while True:
                call = program.send(self._answer("query", *call))
        except StopIteration as stop:
            return Outcome(stop.value)
        except Exception as error:
            return Outcome(error=error)
        finally:
            program.close()

    def _subscribe(self, read: Callable[[], Read], deliver: Deliver) -> Unsubscribe:
        if self.closed:
            raise StorageClosedError("the recording backend was closed; make a new one")
        self._subscribed += 1
        number = self._subscribed
        self._subscribers[number] = (read, deliver)
        deliver(self._evaluate(read))

        def unsubscribe() -> None:
            self._subscribers.pop(number, None)

        return unsubscribe

    def _close(self) -> None:
        if not self.closed:
            self.closed = True
            ended = StorageClosedError("the recording backend was closed; make a new one")
            for _, deliver in self._subscribers.values():
                deliver(Outcome(error=ended))
            self._subscribers.clear()


class RecordingBackend(_Script):
    """For `ConvexStorage(backend=...)`."""

    def query(self, path: str, args: Args) -> Any:
        """See `Backend.query`."""
        return self._answer("query", path, args)

    def mutation(self, path: str, args: Args) -> Any:
        """See `Backend.mutation`."""
        return self._answer("mutation", path, args)

    def subscribe(self, read: Callable[[], Read], deliver: Deliver) -> Unsubscribe:
        """See `Backend.subscribe`."""
        return self._subscribe(read, deliver)

    def close(self) -> None:
        """See `Backend.close`."""
        self._close()


class AsyncRecordingBackend(_Script):
    """For `AsyncConvexStorage(backend=...)`."""

    async def query(self, path: str, args: Args) -> Any:
        """See `AsyncBackend.query`."""
        return self._answer("query", path, args)

    async def mutation(self, path: str, args: Args) -> Any:
        """See `AsyncBackend.mutation`."""
        return self._answer("mutation", path, args)

    async def subscribe(self, read: Callable[[], Read], deliver: Deliver) -> Unsubscribe:
        """See `AsyncBackend.subscribe`."""
        return self._subscribe(read, deliver)

    async def close(self) -> None:
        """See `AsyncBackend.close`."""
        self._close()
