"""Over the wire against in process: one save, the last 40 messages, 64 clients at once."""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _common import message, microseconds, report, take_turns

from mastra_convex import AsyncConvexStorage, ConvexStorage

MESSAGES = 2_000
ROUNDS = 600
CLIENTS, EACH, REPEATS = 64, 25, 7
# The clients are in other processes than the server, each with a connection of its own.
PROCESSES = 2

_CROWD = """
import asyncio, sys, time
sys.path[:0] = {path!r}
from _common import message
from mastra_convex import AsyncConvexStorage

async def main():
    async with AsyncConvexStorage({url!r}) as storage:
        async def write():
            for _ in range({each}):
                await storage.save_message(message("t"))

        await asyncio.gather(*(storage.get_format_version() for _ in range({clients})))
        print("ready", flush=True)
        while sys.stdin.readline():
            await asyncio.gather(*(write() for _ in range({clients})))
            print("done", flush=True)

asyncio.run(main())
"""


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """The address of `mastra-convex dev` in its own process; its key is in the environment."""
    server = subprocess.Popen(
        [sys.executable, "-m", "mastra_convex.cli.main", "dev", "--db", "served.db", "--port", "0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        for line in server.stdout:
            if found := re.match(r"(CONVEX_URL|MASTRA_CONVEX_KEY)=(\S+)", line):
                os.environ[found[1]] = found[2]
                if found[1] == "MASTRA_CONVEX_KEY":
                    break
        yield os.environ.pop("CONVEX_URL")
    finally:
        server.terminate()
        server.wait(10)


def _fill(storage: ConvexStorage) -> None:
    storage.save_thread({"id": "t", "resourceId": "r"})
    for _ in range(MESSAGES // 500):
        storage.save_messages([message("t") for _ in range(500)])


def _one_by_one(inside: ConvexStorage, outside: ConvexStorage) -> None:
    wire, ours, wire_read, our_read = take_turns(
        ROUNDS,
        lambda: outside.save_message(message("t")),
        lambda: inside.save_message(message("t")),
        lambda: outside.get_messages("t", last=40),
        lambda: inside.get_messages("t", last=40),
    )
    report(f"save_message ({microseconds(wire)} : {microseconds(ours)})", wire, ours, 3)
    figures = f"({microseconds(wire_read)} : {microseconds(our_read)})"
    report(f"last 40 messages {figures}", wire_read, our_read, 5)


async def _inside(path: Path) -> float:
    """Seconds a message, of 64 writers in one process."""
    async with AsyncConvexStorage(path) as storage:

        async def write() -> None:
            for _ in range(EACH):
                await storage.save_message(message("t"))

        start = time.perf_counter()
        await asyncio.gather(*(write() for _ in range(CLIENTS)))
        return (time.perf_counter() - start) / (CLIENTS * EACH)


def _together(path: Path, url: str) -> None:
    program = _CROWD.format(path=sys.path[:1], url=url, clients=CLIENTS // PROCESSES, each=EACH)
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    said = [process.stdout for process in crowd if process.stdout is not None]
    for lines in said:
        lines.readline()
    wire, ours = [], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        for process in crowd:
            print("go", file=process.stdin, flush=True)
        for lines in said:
            lines.readline()
        wire.append((time.perf_counter() - start) / (CLIENTS * EACH))
        ours.append(asyncio.run(_inside(path)))
    for process in crowd:
        process.communicate()
    there, here = statistics.median(wire), statistics.median(ours)
    figures = f"({microseconds(there)} : {microseconds(here)} a message)"
    report(f"rate of {CLIENTS} clients {figures}", here, there, 1 / 3, at_least=True)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inside.db"
        with _server(Path(folder)) as url:
            with ConvexStorage(path) as inside, ConvexStorage(url) as outside:
                _fill(inside)
                _fill(outside)
                _one_by_one(inside, outside)
            _together(path, url)


if __name__ == "__main__":
    main()
