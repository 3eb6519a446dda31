"""What is computed from signals: exact, whatever the order in which they came."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mastra_convex import Aggregate, ConvexStorage, Group
from mastra_convex.reads.analytics import numeric
from tests.contract.records import T0, metric, rating
from tests.contract.test_metrics import H0, HOUR, observed


@pytest.fixture(scope="module")
def storage() -> Iterator[ConvexStorage]:
    """Metrics of two hours."""
    with ConvexStorage(":memory:") as storage:
        observed(storage)
        yield storage


def test_aggregates(storage: ConvexStorage) -> None:
    expected = {"sum": 108, "avg": 21.6, "min": 8, "max": 40, "count": 5, "last": 8}
    for aggregation, value in expected.items():
        one = storage.get_metric_aggregate("tokens", aggregation)
        assert (one.value, one.estimated_cost, one.cost_unit) == (value, 0.875, None)
    both = storage.get_metric_aggregate(["latency", "tokens"], "count")
    assert both.value == 6
    distinct = storage.get_metric_aggregate(
        "tokens", "count_distinct", distinct_column="entityName"
    )
    assert distinct.value == 2
    assert storage.get_metric_aggregate("none", "count") == Aggregate(None)
    none = storage.get_metric_aggregate("none", "count_distinct", distinct_column="model")
    assert none.value == 0


def test_sums_beyond_a_float_are_infinite() -> None:
    with ConvexStorage(":memory:") as storage:
        huge = [{**metric(f"m{n}"), "name": "huge", "value": 1e308} for n in range(2)]
        storage.batch_create_metrics(huge)
        assert storage.get_metric_aggregate("huge", "sum").value == float("inf")
        assert storage.get_metric_aggregate("huge", "max").value == 1e308


def test_periods_are_compared(storage: ConvexStorage) -> None:
    hour = {"timestamp": {"start": H0 + HOUR, "end": H0 + 2 * HOUR, "endExclusive": True}}
    found = storage.get_metric_aggregate(
        "tokens", "sum", filters=hour, compare_period="previous_period"
    )
    assert found == Aggregate(48, 60, -20.0, 0.125, "eur", 0.75, (0.125 - 0.75) / 0.75 * 100)
    for period in ("previous_day", "previous_week"):
        found = storage.get_metric_aggregate("tokens", "avg", filters=hour, compare_period=period)
        assert (found.value, found.previous_value, found.change_percent) == (24, None, None)


def test_breakdowns(storage: ConvexStorage) -> None:
    assert storage.get_metric_breakdown("tokens", "sum", ["kind"]) == [
        Group({"kind": "in"}, 70, 0.625, None),
        Group({"kind": "out"}, 30, 0.25, "usd"),
        Group({"kind": None}, 8, None, None),
    ]
    up = storage.get_metric_breakdown(
        "tokens", "max", ["entity_name", "kind"], order_direction="ASC", limit=2
    )
    assert [(each.dimensions, each.value) for each in up] == [
        ({"entity_name": None, "kind": None}, 8),
        ({"entity_name": "b", "kind": "in"}, 20),
    ]
    by_entity = storage.get_metric_breakdown(
        "tokens", "count", ["entityName"], filters={"labels": {"kind": "in"}}
    )
    assert [(g.dimensions["entityName"], g.value) for g in by_entity] == [("a", 2), ("b", 1)]


def test_time_series(storage: ConvexStorage) -> None:
    (one,) = storage.get_metric_time_series("tokens", "sum", "1h")
    assert (one.name, one.cost_unit) == ("tokens", None)
    points = [(p.timestamp.timestamp() * 1000, p.value, p.estimated_cost) for p in one.points]
    assert points == [(H0, 60, 0.75), (H0 + HOUR, 48, 0.125)]
    groups = storage.get_metric_time_series(
        ["tokens", "latency"], "last", "1d", group_by=["name", "kind"]
    )
    assert {each.name: [p.value for p in each.points] for each in groups} == {
        "tokens|in": [40],
        "tokens|out": [30],
        "tokens|": [8],
        "latency|": [1000],
    }
    assert storage.get_metric_time_series("none", "sum", "1m")[0].points == []


def test_percentiles_are_values_that_there_are(storage: ConvexStorage) -> None:
    found = storage.get_metric_percentiles("tokens", [0, 0.5, 0.99, 1], "1h")
    assert [(s.percentile, [p.value for p in s.points]) for s in found] == [
        (0, [10, 8]),
        (0.5, [20, 40]),
        (0.99, [30, 40]),
        (1, [30, 40]),
    ]


def test_ties_are_as_they_came() -> None:
    with ConvexStorage(":memory:") as storage:
        storage.batch_create_scores(
            [rating(n, s, scoreSource=n) for n, s in (("b", 1), ("a", 2), ("c", 1))]
        )
        groups = storage.get_score_breakdown("tone", "sum", ["scoreSource"])
        assert [group.dimensions["scoreSource"] for group in groups] == ["a", "b", "c"]
        # Of one moment, the one that came last is the last.
        assert storage.get_score_aggregate("tone", "last").value == 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30), st.floats(0, 1))
def test_numbers_against_all_of_them(values: list[float], share: float) -> None:
    with ConvexStorage(":memory:") as storage:
        storage.batch_create_metrics(
            [metric(str(n), v, timestamp=T0 + n % 3) for n, v in enumerate(values)]
        )
        storage.batch_create_scores(
            [rating(str(n), v, timestamp=T0 + n % 3) for n, v in enumerate(values)]
        )
        low, high = min(values), max(values)
        assert storage.get_metric_aggregate("tokens", "min").value == low
        assert storage.get_metric_aggregate("tokens", "max").value == high
        assert storage.get_metric_aggregate("tokens", "count").value == len(values)
        (nearest,) = storage.get_metric_percentiles("tokens", [share], "1d")
        assert nearest.points[0].value in values
        at_most = sum(value <= nearest.points[0].value for value in values)
        assert at_most >= share * len(values)
        (between,) = storage.get_score_percentiles("tone", [share], "1d")
        assert low - 1e-6 <= between.points[0].value <= high + 1e-6


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *((5, 5), (0.5, 0.5), ("5", 5), (" 5\n", 5), ("-.5", -0.5), ("+5.", 5), ("1e3", 1000)),
        *(("0x1F", 31), ("0b11", 3), ("0o17", 15)),
        *((text, None) for text in ("", " ", "five", "1_000", "5 6", "Infinity", "nan", "-0x1")),
        *((other, None) for other in (10**400, "1e999", None)),
    ],
)
def test_numbers_are_read_as_javascript_does(value: Any, number: float | None) -> None:
    assert numeric(value) == number
