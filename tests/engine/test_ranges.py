"""Ranges: the order of keys, and what lies in an interval of them."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mastra_convex.engine.ranges import Bound, Key, ReadRange, sortable
from tests.engine.model import sort_key

CHECKED = settings(max_examples=300, deadline=None, derandomize=True)
values = st.none() | st.sampled_from([-1, 0, 0.5, 1]) | st.sampled_from(["", "a", "b"])
keys = st.tuples(values, values, st.integers(1, 3))
bounds = st.tuples(st.lists(values, max_size=3).map(sortable), st.booleans())


@CHECKED
@given(keys, keys)
def test_keys_are_in_convex_order(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    wanted = [sort_key(value) for value in one] < [sort_key(value) for value in other]
    assert (sortable(one) < sortable(other)) == wanted


def test_booleans_and_floats_are_numbers() -> None:
    assert sortable([1]) == sortable([1.0]) == sortable([True])
    assert sortable([None]) < sortable([float("-inf")]) < sortable([""])


@CHECKED
@given(keys, bounds, bounds)
def test_a_key_is_inside_when_it_is_between_the_bounds(
    key: tuple[Any, ...], low: Bound, high: Bound
) -> None:
    read = ReadRange("books", "by_title", (), low, high)
    whole = sortable(key)

    def compare(bound: Key) -> int:
        """-1, 0 or 1: the key lies before, under or after what begins with the bound."""
        for mine, limit in zip(whole, bound):
            if mine != limit:
                return -1 if mine < limit else 1
        return 0

    after_low = compare(low[0]) > 0 or (compare(low[0]) == 0 and low[1])
    before_high = compare(high[0]) < 0 or (compare(high[0]) == 0 and high[1])
    assert read.contains(whole) == (after_low and before_high)


def test_a_range_without_bounds_holds_everything() -> None:
    read = ReadRange("books", "by_title", (), ((), True), ((), True))
    assert read.contains(sortable([None, 1]))
    assert read.contains(sortable(["a", 1]))
