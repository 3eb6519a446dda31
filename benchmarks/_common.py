"""What the benchmarks share: stores of a given size, the floor, and the report."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mastra_convex import AsyncConvexStorage, ConvexStorage

CONTENT = {
    "format": 2,
    "parts": [{"type": "text", "text": "The flight leaves at nine and has two seats left. " * 6}],
}
LONG_THREAD = "long"
SMALL, LARGE = 10_000, 1_000_000
_FOLDER = Path(tempfile.gettempdir()) / "mastra-convex-bench"


def sizes() -> list[int]:
    """Messages in the files to measure: the large one only without `--small`."""
    return [SMALL] if "--small" in sys.argv else [SMALL, LARGE]


def store_of(messages: int) -> Path:
    """A fresh copy of a store with so many messages; a tenth of them, or 100,000, in one thread."""
    _FOLDER.mkdir(exist_ok=True)
    base = _FOLDER / f"base-{messages}.db"
    if not base.exists():
        print(f"  building a store of {messages:,} messages ...", file=sys.stderr)
        part = base.with_suffix(".part")
        remove(part)
        asyncio.run(_fill(part, messages))
        part.rename(base)
    copy = _FOLDER / "work.db"
    remove(copy)
    shutil.copy(base, copy)
    return copy


async def _fill(path: Path, messages: int) -> None:
    long = min(messages, 100_000)
    async with AsyncConvexStorage(path, durability="relaxed") as storage:
        await storage.save_thread({"id": LONG_THREAD, "resourceId": "r"})
        lengths = [(LONG_THREAD, 500)] * (long // 500)
        for number in range((messages - long) // 100):
            await storage.save_thread({"id": f"t{number}", "resourceId": f"r{number % 500}"})
            lengths.append((f"t{number}", 100))
        for start in range(0, len(lengths), 8):
            batches = [
                storage.save_messages([message(thread) for _ in range(length)])
                for thread, length in lengths[start : start + 8]
            ]
            await asyncio.gather(*batches)


def message(thread_id: str) -> dict[str, Any]:
    """A message with an id of its own."""
    return {"id": uuid.uuid4().hex, "threadId": thread_id, "role": "user", "content": CONTENT}


def remove(path: Path) -> None:
    """Remove a database with its companions."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


class Floor:
    """Plain sqlite3 on a copy of a store: the same tables and indexes, the same durability."""

    def __init__(self, store: Path | None = None) -> None:
        self.path = _FOLDER / "floor.db"
        _FOLDER.mkdir(exist_ok=True)
        remove(self.path)
        if store is None:
            ConvexStorage(self.path).close()
        else:
            shutil.copy(store, self.path)
        self.connection = sqlite3.connect(self.path, isolation_level=None, cached_statements=512)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self._text = json.dumps(CONTENT)
        self._seq = 10**9

    def save_message(self, thread_id: str) -> None:
        """One durable insert of a message row, and the bump of its thread."""
        self._seq += 1
        now = time.time() * 1000
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        execute(
            "INSERT INTO messages (id, threadId, role, content, createdAt, seq) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (uuid.uuid4().hex, thread_id, "user", self._text, now, self._seq),
        )
        execute(
            "UPDATE threads SET updatedAt = ?, messageCount = messageCount + 1, lastSeq = ? "
            "WHERE id = ?",
            (now, self._seq, thread_id),
        )
        execute("COMMIT")

    def last_messages(self, thread_id: str, count: int) -> list[Any]:
        """The rows of the newest messages of a thread."""
        return self.connection.execute(
            "SELECT * FROM messages WHERE threadId = ? ORDER BY createdAt DESC, seq DESC LIMIT ?",
            (thread_id, count),
        ).fetchall()

    def close(self) -> None:
        """Close and remove the file."""
        self.connection.close()
        remove(self.path)


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def take_turns(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Median seconds of each work, all of them done once a round, one after another."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, spent in zip(works, times, strict=True):
            spent.append(timed(work))
    return [statistics.median(spent) for spent in times]


def report(what: str, ours: float, floor: float, goal: float, *, at_least: bool = False) -> None:
    """Print a figure: the ratio of ours to the floor, and its goal."""
    ratio = ours / floor
    met = ratio >= goal if at_least else ratio <= goal
    sign = ">=" if at_least else "<="
    print(f"  {what:<62} {ratio:7.2f} x  (goal {sign} {goal:g})  {'ok' if met else 'MISSED'}")


def microseconds(seconds: float) -> str:
    """Seconds as text in microseconds."""
    return f"{seconds * 1e6:,.0f} us"
