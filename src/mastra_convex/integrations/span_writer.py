"""Writing spans of OpenTelemetry's SDK: as they begin, as they end, and those left behind."""

from __future__ import annotations

import logging
import time
from typing import Any

from mastra_convex import ConvexStorage, LightSpan, Span
from mastra_convex.errors import (
    ConvexStorageError,
    DeploymentError,
    FileBusyError,
    FileUnavailableError,
    StorageClosedError,
)
from mastra_convex.integrations.processes import process_name, runs
from mastra_convex.otlp.mapping import document_of
from mastra_convex.otlp.sdk import Reader
from mastra_convex.otlp.span import BadSpanError

logger = logging.getLogger("mastra_convex")

# After these, the same may succeed.
PASSING = (DeploymentError, FileBusyError, FileUnavailableError)
_STOPPING = (*PASSING, StorageClosedError)
_INTERRUPTED = {
    "name": "Interrupted",
    "message": "the process that made this span ended before the span did",
}
_Key = tuple[int, int]


class SpanWriter:
    """Writes spans, on one thread. What could not be written waits for the next time."""

    def __init__(self, storage: ConvexStorage, instance: str) -> None:
        self._storage = storage
        self._instance = instance
        self._process = process_name()
        self._reader = Reader()
        self._open: dict[_Key, Any] = {}
        # Spans to be written, as they are when their turn comes; and those that were read already.
        self._noted: dict[_Key, Any] = {}
        self._waiting: dict[_Key, Span] = {}
        self._looked_behind = False

    def has_work(self) -> bool:
        """Whether something waits."""
        return bool(self._noted or self._waiting)

    def forget(self) -> int:
        """Give up what waits; returns how many spans that is."""
        count = len(self._noted.keys() | self._waiting.keys())
        self._noted.clear()
        self._waiting.clear()
        return count

    def started(self, span: Any) -> None:
        """A span that began; it may be over by now, and is then still to come."""
        key = span.context.trace_id, span.context.span_id
        self._open[key] = self._noted[key] = span

    def ended(self, span: Any) -> None:
        """A span that is over."""
        key = span.context.trace_id, span.context.span_id
        self._open.pop(key, None)
        self._noted[key] = span

    def write(self) -> None:
        """Write what waits. Raises what may pass.

        A span that the storage will never take is logged, and left out.
        """
        if not self._looked_behind:
            self._close_left_behind()
            self._looked_behind = True
        self._read_noted()
        if not self._waiting:
            return
        try:
            self._storage.batch_create_spans(list(self._waiting.values()))
        except _STOPPING:
            raise
        except ConvexStorageError:
            for key, span in list(self._waiting.items()):
                self._write_one(span)
                del self._waiting[key]
        self._waiting.clear()

    def catch_up(self) -> bool:
        """Take what has ended of what is open, whose ends nobody has told; whether there is any."""
        over = [span for span in self._open.values() if span.end_time is not None]
        for span in over:
            self.ended(span)
        return bool(over)

    def interrupt_open(self) -> None:
        """Close what has not ended, since its process does."""
        self.catch_up()
        now = time.time_ns() // 1_000_000
        for key, span in self._open.items():
            self._take(key, span)
            if key in self._waiting:
                document = self._waiting[key].to_dict()
                ended_at = max(now, document["startedAt"])
                changed = {**document, "endedAt": ended_at, "error": _INTERRUPTED}
                self._waiting[key] = Span.of(Span.encode(changed))
        self._open.clear()
        self.write()

    def _read_noted(self) -> None:
        for key, span in self._noted.items():
            if key not in self._open:
                self._take(key, span)
            elif span.end_time is None:
                self._take(key, span, openedBy=self._instance, openedIn=self._process)
            else:
                # Its end is still to come, or `catch_up` finds it.
                continue
            # Let the traced program have the interpreter: it may wait for it, and is first.
            time.sleep(0)
        self._noted.clear()

    def _take(self, key: _Key, span: Any, **fields: str) -> None:
        try:
            document = document_of(self._reader.read(span))
        except BadSpanError as error:
            logger.error("the span %r cannot be written: %s", span.name, error)
        else:
            self._waiting[key] = Span.of({**document, **fields})

    def _write_one(self, span: Span) -> None:
        try:
            self._storage.create_span(span)
        except _STOPPING:
            raise
        except ConvexStorageError as error:
            logger.error("the span %r cannot be written: %s", span.name, error)

    def _close_left_behind(self) -> None:
        try:
            for span in self._storage.list_open_spans(self._instance):
                if span.opened_in is None or not runs(span.opened_in):
                    self._close(span)
        except _STOPPING:
            raise
        except ConvexStorageError as error:
            logger.warning("what an earlier process left open is not closed: %s", error)

    def _close(self, span: LightSpan) -> None:
        # When it was heard of last: nothing is known of it later than that.
        ended_at = max(span.started_at, span.updated_at)
        gone = {"openedBy": None, "openedIn": None}
        updates = {"endedAt": ended_at, "error": _INTERRUPTED, **gone}
        self._storage.update_span(span.trace_id, span.span_id, updates)
