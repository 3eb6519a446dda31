"""Trying again what another writer has spoiled: for how long, and with which pauses."""

from __future__ import annotations

import time
from collections.abc import Iterator

# Long enough for fifty writers that take turns, each with a durable write.
PATIENCE_SECONDS = 30.0
_FIRST_SECONDS = 0.002
_LONGEST_SECONDS = 0.1


def pauses() -> Iterator[float]:
    """Seconds to wait after each attempt that failed; it ends when there have been enough.

    They are random, and longer on average from one to the next: writers that met once do not meet
    again and again.
    """
    # Imported here: it would be a part of the time that our import takes.
    import random

    begun, longest = time.monotonic(), _FIRST_SECONDS
    while time.monotonic() - begun < PATIENCE_SECONDS:
        yield random.uniform(0, longest)
        longest = min(2 * longest, _LONGEST_SECONDS)


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


async def async_sleep(seconds: float) -> None:
    """Wait, and let others work."""
    import asyncio

    await asyncio.sleep(seconds)
