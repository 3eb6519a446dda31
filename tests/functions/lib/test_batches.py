"""How many records one call takes."""

import pytest

from mastra_convex.errors import LimitExceededError
from mastra_convex.functions.lib.batches import MAX_BATCH, check_batch


def test_a_batch_has_a_limit() -> None:
    check_batch(0, "messages")
    check_batch(MAX_BATCH, "messages")
    with pytest.raises(LimitExceededError, match="1001 messages in one call") as caught:
        check_batch(MAX_BATCH + 1, "messages")
    assert caught.value.data == {"limit": MAX_BATCH, "given": MAX_BATCH + 1}
