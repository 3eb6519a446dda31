"""The last 40 messages of a long thread, in a small and in a large file."""

from __future__ import annotations

from _common import LONG_THREAD, SMALL, Floor, microseconds, report, sizes, store_of, take_turns

from mastra_convex import ConvexStorage


def _measure(size: int) -> float:
    """Seconds of our read, printed against the floor."""
    path = store_of(size)
    floor = Floor(path)
    with ConvexStorage(path) as storage:
        ours, parsed, plain = take_turns(
            500,
            lambda: storage.get_messages(LONG_THREAD, last=40),
            lambda: [m.content for m in storage.get_messages(LONG_THREAD, last=40)],
            lambda: floor.last_messages(LONG_THREAD, 40),
        )
    figures = f"({microseconds(ours)} : {microseconds(plain)})"
    report(f"last 40 messages, {size:,} messages {figures}", ours, plain, 5)
    report("  the same with every content parsed", parsed, plain, 5)
    floor.close()
    return ours


def main() -> None:
    """Measure and print."""
    spent = {size: _measure(size) for size in sizes()}
    for size, seconds in spent.items():
        if size != SMALL:
            report(f"last 40, {size:,} messages against {SMALL:,}", seconds, spent[SMALL], 1.5)


if __name__ == "__main__":
    main()
