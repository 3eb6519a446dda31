"""Durable writes: one at a time, and from 64 writers together, in a small and in a large file."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from _common import (
    LONG_THREAD,
    SMALL,
    Floor,
    message,
    microseconds,
    report,
    sizes,
    store_of,
    take_turns,
)

from mastra_convex import AsyncConvexStorage, ConvexStorage

WRITERS, EACH, REPEATS = 64, 40, 11


async def _together(path: Path, floor: Floor) -> list[float]:
    """Median seconds a message, of 64 writers that each wait for their own last one, and of floor.

    They take turns in bursts, of a length that the disk and the processor settle into.
    """
    async with AsyncConvexStorage(path) as storage:

        async def write() -> None:
            for _ in range(EACH):
                await storage.save_message(message(LONG_THREAD))

        bursts = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            await asyncio.gather(*[write() for _ in range(WRITERS)])
            middle = time.perf_counter()
            for _ in range(REPEATS * EACH):
                floor.save_message(LONG_THREAD)
            alone = (time.perf_counter() - middle) / (REPEATS * EACH)
            bursts.append(((middle - start) / (WRITERS * EACH), alone))
        return [statistics.median(times) for times in zip(*bursts)]


def _measure(size: int) -> tuple[float, float]:
    """Seconds of one save and, with 64 writers, of each; printed against the floor."""
    path = store_of(size)
    floor = Floor(path)
    with ConvexStorage(path) as storage:
        ours, plain = take_turns(
            1500,
            lambda: storage.save_message(message(LONG_THREAD)),
            lambda: floor.save_message(LONG_THREAD),
        )
    figures = f"({microseconds(ours)} : {microseconds(plain)})"
    report(f"save_message, {size:,} messages {figures}", ours, plain, 1.5)
    crowd, alone = asyncio.run(_together(path, floor))
    figures = f"({microseconds(crowd)} : {microseconds(alone)})"
    report(f"rate of 64 writers, {size:,} messages {figures}", alone, crowd, 4, at_least=True)
    floor.close()
    return ours, crowd


def main() -> None:
    """Measure and print."""
    measured = {size: _measure(size) for size in sizes()}
    for size, figures in measured.items():
        if size != SMALL:
            for name, ours, small in zip(("save_message", "64 writers"), figures, measured[SMALL]):
                report(f"{name}, {size:,} messages against {SMALL:,}", ours, small, 1.5)


if __name__ == "__main__":
    main()
