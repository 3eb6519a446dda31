"""Instructions for each message saved, counted by valgrind.

Times of this size move with whatever else a machine does; what its processor has to execute does
not, so small differences can be told. Printed for one save and for groups of 64 in one transaction:
plain `sqlite3` as the floor, the same statements as ours with none of our code, and ours, from the
mapping to the commit. Python's start is not in it: a figure is the difference of two runs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from _common import CONTENT, LONG_THREAD, Floor, message

from mastra_convex import ConvexStorage
from mastra_convex.engine.context import SERVICE
from mastra_convex.engine.engine import Engine
from mastra_convex.functions import registry, schema
from mastra_convex.models import Message
from mastra_convex.values.payload import encode_payload

GROUP = 64
SHORT, LONG = 4, 24
THREAD = {"id": LONG_THREAD, "resourceId": "r"}


def _plain(groups: int, size: int, *, all_statements: bool) -> None:
    """Groups of inserts by plain sqlite3; with the look-up and the log entry that ours has, too."""
    floor = Floor()
    execute, text = floor.connection.execute, encode_payload(CONTENT)
    execute(
        "INSERT INTO threads (id, resourceId, createdAt, updatedAt, messageCount, lastSeq) "
        "VALUES (?, 'r', 1, 1, 0, 0)",
        [LONG_THREAD],
    )
    for number in range(groups):
        execute("BEGIN IMMEDIATE")
        if all_statements:
            execute("SELECT max(ts), totals FROM _commits").fetchone()
        for seq in range(size):
            row = (uuid.uuid4().hex, LONG_THREAD, "user", text, time.time() * 1000, float(seq))
            if all_statements:
                execute("SELECT _id FROM messages WHERE id = ? LIMIT 2", row[:1]).fetchall()
            execute(
                "INSERT INTO messages (id, threadId, role, content, createdAt, seq) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
        execute(
            "UPDATE threads SET updatedAt = ?, messageCount = messageCount + ?, lastSeq = ? "
            "WHERE id = ?",
            (time.time() * 1000, size, number, LONG_THREAD),
        )
        if all_statements:
            changes = "x" * (120 * size)
            execute("INSERT INTO _commits VALUES (?, ?, ?)", (time.time_ns(), changes, "x" * 150))
        execute("COMMIT")
    floor.close()


def _one_by_one(groups: int, size: int) -> None:
    """Our saves, each in a transaction of its own."""
    with tempfile.TemporaryDirectory() as folder, ConvexStorage(Path(folder) / "a.db") as storage:
        storage.save_thread(THREAD)
        for _ in range(groups * size):
            storage.save_message(message(LONG_THREAD))


def _in_groups(groups: int, size: int) -> None:
    """Our saves in groups, as 64 writers who wait for one another make them, without their loop."""
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Path(folder) / "a.db", schema, registry)
        engine.mutation("threads:save", {"thread": THREAD}, SERVICE)
        for _ in range(groups):
            arguments = [{"messages": [Message.encode(message(LONG_THREAD))]} for _ in range(size)]
            jobs = [engine.prepare("messages:save", each, SERVICE) for each in arguments]
            engine.enqueue(jobs)
            while not jobs[-1].done:
                time.sleep(0.01)
        engine.close()


def _floor(groups: int, size: int) -> None:
    _plain(groups, size, all_statements=False)


def _statements(groups: int, size: int) -> None:
    _plain(groups, size, all_statements=True)


WORK: dict[str, tuple[int, Callable[[int, int], None]]] = {
    "one save: floor": (1, _floor),
    "one save: the same statements": (1, _statements),
    "one save: ours": (1, _one_by_one),
    "64 together: floor": (GROUP, _floor),
    "64 together: the same statements": (GROUP, _statements),
    "64 together: ours": (GROUP, _in_groups),
}


def _instructions(name: str, groups: int) -> int:
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}"]
    command += [sys.executable, __file__, name, str(groups)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found is not None, done.stderr
    return int(found[1])


def main() -> None:
    """Count and print; or, with a name and a number of groups, do that work."""
    if sys.argv[1:] and sys.argv[1] in WORK:
        size, work = WORK[sys.argv[1]]
        work(int(sys.argv[2]), size)
        return
    if shutil.which("valgrind") is None:
        print("  left out: valgrind is not installed")
        return
    for name, (size, _) in WORK.items():
        counted = _instructions(name, LONG) - _instructions(name, SHORT)
        print(f"  {name:<40} {counted / (LONG - SHORT) / size:9,.0f} instructions a message")


if __name__ == "__main__":
    main()
