"""How many records one call takes."""

from __future__ import annotations

from mastra_convex.errors import LimitExceededError

# What one transaction may carry on Convex, with room to spare (convex-protocol, 6.2).
MAX_BATCH = 1000


def check_batch(count: int, what: str) -> None:
    """Raise `LimitExceededError` for a batch that is too long."""
    if count > MAX_BATCH:
        raise LimitExceededError(
            f"{count} {what} in one call; a transaction takes at most {MAX_BATCH}, so split them",
            limit=MAX_BATCH,
            given=count,
        )
