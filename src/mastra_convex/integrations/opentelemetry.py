"""OpenTelemetry's spans into a storage, without HTTP: as they start, and as they end."""

from __future__ import annotations

import atexit
import logging
import math
import os
import signal
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence
from types import FrameType
from typing import NamedTuple, NoReturn

from mastra_convex import AsyncConvexStorage, ConvexStorage, Span
from mastra_convex.errors import ConvexStorageError, InvalidArgumentError, StorageClosedError
from mastra_convex.extras import needs_extra
from mastra_convex.integrations.span_writer import PASSING, SpanWriter
from mastra_convex.otlp.mapping import document_of
from mastra_convex.otlp.sdk import Reader
from mastra_convex.otlp.span import BadSpanError

with needs_extra("otel", "writing OpenTelemetry's spans"):
    from opentelemetry.context import Context, attach, detach, set_value
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
    from opentelemetry.sdk.trace import Span as SdkSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

__all__ = ["ConvexSpanExporter", "ConvexSpanProcessor"]

logger = logging.getLogger("mastra_convex")

# Libraries that are instrumented look for it: what the storage does is not the program's doing.
_SUPPRESS = "suppress_instrumentation"
# Small, so that the traced program has the interpreter again soon.
_AT_ONCE = 100
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
_WARN_SECONDS = 30.0
# How long the end of a program waits for a storage that is out of reach.
_END_MILLISECONDS = 10_000
_EXIT_STATUS = 128 + signal.SIGTERM


class _Mark:
    """Stands in the queue: reached when all before it is written, or is given up."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.written = False


class _Started(NamedTuple):
    span: ReadableSpan


class ConvexSpanProcessor(SpanProcessor):
    """Writes each span when it starts, and again when it has ended.

    A thread of its own does the work, every `delay` seconds: a span that is over by then is
    written once. Not more than `max_queue` spans wait; while a storage is out of reach for longer
    than that lasts, those that end are dropped, and the log says how many.

    `instance` is the name under which spans are open, and this machine's unless given. What an
    earlier process of that name has left open is closed as interrupted when the first span is
    written. With `handle_sigterm`, a program that has no handler for it ends in order on SIGTERM,
    as with `sys.exit`, so that its spans end too.
    """

    def __init__(
        self,
        storage: ConvexStorage,
        *,
        instance: str | None = None,
        delay: float = 0.2,
        max_queue: int = 16_384,
        handle_sigterm: bool = True,
    ) -> None:
        if max_queue < 1:
            raise InvalidArgumentError("max_queue is a number of spans, 1 or more")
        _check_blocks(storage)
        self._writer = SpanWriter(storage, instance or socket.gethostname())
        self._delay = delay
        self._max_queue = max_queue
        self._queue: deque[ReadableSpan | _Started | _Mark] = deque()
        self._filled = threading.Event()
        self._hurry = threading.Event()
        self._closed = False
        self._forked = False
        self._dropped = 0
        self._missed = False
        self._warned = -math.inf
        self._thread = threading.Thread(
            target=self._run, name="mastra-convex-opentelemetry", daemon=True
        )
        self._thread.start()
        _PROCESSORS.add(self)
        if handle_sigterm:
            _end_in_order_on_sigterm()

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        """Take note of a span that begins."""
        if not span.get_span_context().trace_flags.sampled:
            return
        # Half of the room is for spans that have ended: those say all that the others do.
        if not self._closed and len(self._queue) * 2 < self._max_queue:
            self._put(_Started(span))

    def on_end(self, span: ReadableSpan) -> None:
        """Take note of a span that has ended."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if not self._closed and len(self._queue) < self._max_queue:
            self._put(span)
        elif not self._closed or self._forked:
            self._drop()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Write all that is waiting; False if it has not been written within the time."""
        if self._closed:
            return not self._queue
        mark = _Mark()
        self._put(mark)
        self._hurry.set()
        return mark.reached.wait(timeout_millis / 1000) and mark.written

    def shutdown(self) -> None:
        """Write all that is waiting, and close what is still open as interrupted."""
        if self._closed:
            return
        written = self.force_flush(_END_MILLISECONDS)
        self._closed = True
        self._filled.set()
        self._hurry.set()
        if written:
            self._thread.join()

    def _put(self, item: ReadableSpan | _Started | _Mark) -> None:
        self._queue.append(item)
        if not self._filled.is_set():
            self._filled.set()

    def _drop(self) -> None:
        self._missed = True
        self._dropped += 1
        now = time.monotonic()
        if now - self._warned > _WARN_SECONDS:
            self._warned = now
            why = (
                "this process was forked; make its ConvexSpanProcessor after the fork"
                if self._forked
                else "more end than the storage takes"
            )
            logger.warning("%d spans were dropped: %s", self._dropped, why)

    def _run(self) -> None:
        attach(set_value(_SUPPRESS, True))
        pause = _FIRST_PAUSE
        while True:
            self._filled.wait()
            if not self._closed:
                self._hurry.wait(self._delay)
            self._filled.clear()
            self._hurry.clear()
            try:
                while self._queue or self._writer.has_work() or self._caught_up():
                    self._write()
                if self._closed:
                    self._writer.interrupt_open()
                    return
                pause = _FIRST_PAUSE
            except PASSING as error:
                if self._closed:
                    return self._give_up(error)
                logger.warning("spans wait, to be tried again in %.1f s: %s", pause, error)
                self._filled.set()
                self._hurry.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            except StorageClosedError as error:
                return self._give_up(error)
            except Exception:
                logger.exception("%d spans are lost", self._writer.forget())
                self._filled.set()

    def _caught_up(self) -> bool:
        """Take those that ended without room in the queue, of what is written as open; if any."""
        missed, self._missed = self._missed, False
        return missed and self._writer.catch_up()

    def _write(self) -> None:
        """Write some of what waits; what was taken and could not be written comes before it."""
        marks = []
        if not self._writer.has_work():
            for _ in range(min(_AT_ONCE, len(self._queue))):
                item = self._queue.popleft()
                if isinstance(item, _Mark):
                    marks.append(item)
                elif isinstance(item, _Started):
                    self._writer.started(item.span)
                else:
                    self._writer.ended(item)
        try:
            self._writer.write()
        except BaseException:
            self._queue.extendleft(reversed(marks))
            raise
        for mark in marks:
            mark.written = True
            mark.reached.set()

    def _give_up(self, error: Exception) -> None:
        """End without having written all, and let nobody wait for it."""
        self._closed = True
        left = list(self._queue)
        self._queue.clear()
        lost = self._writer.forget() + sum(isinstance(item, ReadableSpan) for item in left)
        if lost:
            logger.error("%d spans are lost: %s", lost, error)
        for item in left:
            if isinstance(item, _Mark):
                item.reached.set()

    def _leave_to_parent(self) -> None:
        """In a fork there is no thread, and what waits is the parent's."""
        self._closed = self._forked = True
        self._queue.clear()


class ConvexSpanExporter(SpanExporter):
    """Writes spans that have ended, for those who have a processor: `BatchSpanProcessor`, say."""

    def __init__(self, storage: ConvexStorage) -> None:
        _check_blocks(storage)
        self._storage = storage
        self._lock = threading.Lock()
        self._reader = Reader()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write spans; when it returns success, they are durable."""
        documents = []
        with self._lock:
            for span in spans:
                try:
                    documents.append(Span.of(document_of(self._reader.read(span))))
                except BadSpanError as error:
                    logger.error("the span %r could not be written: %s", span.name, error)
        token = attach(set_value(_SUPPRESS, True))
        try:
            self._storage.batch_create_spans(documents)
        except ConvexStorageError as error:
            logger.error("spans could not be written: %s", error)
            return SpanExportResult.FAILURE
        finally:
            detach(token)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing waits here. The storage is closed by whoever opened it."""


def _check_blocks(storage: object) -> None:
    """Raise `InvalidArgumentError` for what spans cannot be written to from a thread."""
    if isinstance(storage, AsyncConvexStorage):
        raise InvalidArgumentError(
            "spans are written by a thread without an event loop, which takes a ConvexStorage and "
            "not an AsyncConvexStorage; open one of the same path or address beside it",
            path="storage",
        )


_PROCESSORS: weakref.WeakSet[ConvexSpanProcessor] = weakref.WeakSet()


def _flush_all() -> None:
    for processor in list(_PROCESSORS):
        processor.force_flush(_END_MILLISECONDS)


def _after_fork() -> None:
    for processor in list(_PROCESSORS):
        processor._leave_to_parent()


# A provider shuts its processors down at exit, unless it was told not to. That is too late for a
# storage at an address to make a new connection: executors have been shut down before.
getattr(threading, "_register_atexit", atexit.register)(_flush_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _end_in_order_on_sigterm() -> None:
    """Let SIGTERM end the program as `sys.exit` does, if nobody else has said what it does."""
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _exit)


def _exit(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(_EXIT_STATUS)
