"""What a subscription is told."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from mastra_convex.values.outcome import Outcome


def test_an_outcome_is_a_value_or_an_error() -> None:
    failure = ValueError("no")
    assert Outcome([1]) == Outcome([1], None)
    assert Outcome(error=failure).error is failure
    assert Outcome() == Outcome(None, None)


def test_an_outcome_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Outcome(1).value = 2  # type: ignore[misc]
