"""From `save_message` to a subscriber: in one process, and across two."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from _common import message, microseconds, report

from mastra_convex import ConvexStorage, Message

ROUNDS = 300
GOAL_ACROSS = 0.030

_WATCHER = """
import sys, time
from mastra_convex import ConvexStorage
with ConvexStorage(sys.argv[1]) as storage:
    for messages in storage.watch_thread_messages("t", last=10):
        print(messages[-1].id if messages else "-", time.time(), flush=True)
"""


def _in_process(path: Path) -> tuple[float, float]:
    """Median seconds of a save, and from its call to the callback that has it."""
    arrived = threading.Event()
    moment = 0.0
    expected = ""

    def callback(messages: list[Message]) -> None:
        nonlocal moment
        if messages and messages[-1].id == expected:
            moment = time.perf_counter()
            arrived.set()

    saves, deliveries = [], []
    with ConvexStorage(path) as storage:
        storage.save_thread({"id": "t", "resourceId": "r"})
        storage.subscribe_to_thread_messages("t", callback, last=10)
        for _ in range(ROUNDS):
            next_message = message("t")
            expected = next_message["id"]
            arrived.clear()
            start = time.perf_counter()
            storage.save_message(next_message)
            saves.append(time.perf_counter() - start)
            arrived.wait(5)
            deliveries.append(moment - start)
            time.sleep(0.002)
    return statistics.median(saves), statistics.median(deliveries)


def _across(path: Path) -> tuple[float, float]:
    """Median and 99th percentile of seconds from the call to the other process."""
    delays = []
    with ConvexStorage(path) as storage:
        storage.save_thread({"id": "t", "resourceId": "r"})
        watcher = subprocess.Popen(
            [sys.executable, "-c", _WATCHER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert watcher.stdout is not None
        watcher.stdout.readline()
        for _ in range(ROUNDS):
            next_message = message("t")
            start = time.time()
            storage.save_message(next_message)
            while True:
                saved, moment = watcher.stdout.readline().split()
                if saved == next_message["id"]:
                    break
            delays.append(float(moment) - start)
            time.sleep(0.003)
        watcher.kill()
        watcher.wait()
        watcher.stdout.close()
    delays.sort()
    return statistics.median(delays), delays[int(len(delays) * 0.99)]


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        save, delivery = _in_process(Path(folder) / "one.db")
        figures = f"({microseconds(delivery)} : {microseconds(save)})"
        report(f"save_message to callback against the save {figures}", delivery, save, 2)
        median, slow = _across(Path(folder) / "two.db")
        report(
            f"to another process, median {median * 1e3:.1f} ms, of 30 ms", median, GOAL_ACROSS, 1
        )
        report(f"to another process, p99 {slow * 1e3:.1f} ms, of 30 ms", slow, GOAL_ACROSS, 1)


if __name__ == "__main__":
    main()
