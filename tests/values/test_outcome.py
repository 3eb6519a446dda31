"""What a subscription is told."""

from __future__ import annotations

import traceback
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


def test_an_error_does_not_remember_where_else_it_was_raised() -> None:
    try:
        raise ValueError("no")
    except ValueError as raised:
        outcome = Outcome(error=raised)
    places: list[traceback.FrameSummary] = []
    for _ in range(3):
        try:
            raise outcome.to_raise()
        except ValueError as told:
            places = [*traceback.extract_tb(told.__traceback__)]
    # Where it was raised first, and here.
    assert len(places) == 2
