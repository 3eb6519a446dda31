"""Spans: a batch of 1,000 with bodies of 4 KiB, their structure, pages of the list of traces."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from _common import Floor, microseconds, report, take_turns

from mastra_convex import ConvexStorage

BATCH, ROUNDS = 1000, 9
FEW, MANY = 400, 10_000
BODY = {"text": "The flight leaves at nine and has two seats left. " * 80}
MORE = 40
_NUMBERS = count()


def _spans(trace_id: str) -> list[dict[str, Any]]:
    own = {"traceId": trace_id, "name": "model", "spanType": "model_generation", "input": BODY}
    return [
        {
            **own,
            "spanId": f"{trace_id}-{n}",
            "startedAt": 1_700_000_000_000 + n,
            **({"parentSpanId": f"{trace_id}-0"} if n else {}),
        }
        for n in range(BATCH)
    ]


def _insert(floor: Floor) -> None:
    """The rows of as many spans, with their text made, in one durable transaction."""
    trace, now = f"t{next(_NUMBERS)}", time.time() * 1000
    execute = floor.connection.execute
    execute("BEGIN IMMEDIATE")
    for n, span in enumerate(_spans(trace)):
        span_id, text = span["spanId"], json.dumps(span["input"])
        execute(
            "INSERT INTO spans (trace, traceId, spanId, parentSpanId, name, spanType, startedAt, "
            "createdAt, updatedAt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (trace, trace, span_id, f"{trace}-0", "model", "model_generation", n, now, now),
        )
        execute(
            "INSERT INTO spanBodies (trace, spanId, input) VALUES (?, ?, ?)", (trace, span_id, text)
        )
    execute("COMMIT")


def _save(storage: ConvexStorage) -> None:
    storage.batch_create_spans(_spans(f"t{next(_NUMBERS)}"))


def _pages(storage: ConvexStorage) -> None:
    """A page of 20 of the traces of one of ten resources, and of all, among few and among many."""
    own = {"resourceId": "r3"}
    lists: dict[str, Callable[[], object]] = {
        "light page of a resource's": lambda: storage.list_traces_light(filters=own, per_page=20),
        "whole page of a resource's": lambda: storage.list_traces(filters=own, per_page=20),
        "light page of all": lambda: storage.list_traces_light(per_page=20),
    }
    _save_traces(storage, FEW)
    small = take_turns(ROUNDS, *lists.values())
    _save_traces(storage, MANY - FEW)
    large = take_turns(ROUNDS, *lists.values())
    for name, many, few in zip(lists, large, small):
        figures = f"({microseconds(many)} : {microseconds(few)})"
        report(f"{name} traces, 20 of {MANY:,} against {FEW:,} {figures}", many, few, 1.5)


def _save_traces(storage: ConvexStorage, count: int) -> None:
    storage.batch_create_spans(
        {
            "traceId": f"root{next(_NUMBERS)}",
            "spanId": "root",
            "name": "agent",
            "spanType": "agent_run",
            "startedAt": 1_700_000_000_000 + n,
            "resourceId": f"r{n % 10}",
            "threadId": f"t{n % 100}",
            "entityId": "agent",
            "input": BODY,
        }
        for n in range(count)
    )


def main() -> None:
    """Measure and print."""
    floor = Floor()
    path = floor.path.with_name("spans.db")
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    with ConvexStorage(path) as storage:
        storage.batch_create_spans(_spans("first"))
        read = partial(storage.get_trace_structure, "first")
        ours, plain = take_turns(ROUNDS, partial(_save, storage), partial(_insert, floor))
        figures = f"({microseconds(ours)} : {microseconds(plain)})"
        report(f"{BATCH:,} spans of 4 KiB in one batch {figures}", ours, plain, 5)
        (small,) = take_turns(ROUNDS, read)
        for _ in range(MORE):
            _save(storage)
        (large,) = take_turns(ROUNDS, read)
        figures = f"({microseconds(large)} : {microseconds(small)})"
        grown = f"{(ROUNDS + MORE + 1) * BATCH:,} spans against {(ROUNDS + 1) * BATCH:,}"
        report(f"structure of {BATCH:,}, {grown} {figures}", large, small, 1.5)
        _pages(storage)
    path.unlink(missing_ok=True)
    floor.close()


if __name__ == "__main__":
    main()
