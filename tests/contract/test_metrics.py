"""Metrics: single observations, and what is computed from many."""

from typing import Any

from mastra_convex import Aggregate, ConvexStorage, Group, Metric
from tests.contract.records import T0, Doc, at, metric

FULL: Doc = {
    **metric(value=12.5, labels={"kind": "input", "$x": "ä"}),
    "provider": "openai",
    "model": "gpt",
    "estimatedCost": 0.25,
    "costUnit": "usd",
    "costMetadata": {"rate": [1]},
    "traceId": "t",
    "tags": ["a"],
}
HOUR = 3_600_000
# The beginning of the hour of the first moment.
H0 = T0 - T0 % HOUR


def found(storage: ConvexStorage, filters: Any = None) -> list[str]:
    """The ids of a list of metrics."""
    return [each.metric_id for each in storage.list_metrics(filters).metrics]


def observed(storage: ConvexStorage) -> None:
    """Two hours of tokens and of latency."""
    rows = [
        (0, 10, "in", "a", 0.5, "usd"),
        (1, 30, "out", "a", 0.25, "usd"),
        (2, 20, "in", "b", None, None),
        (HOUR, 40, "in", "a", 0.125, "eur"),
        (HOUR + 1, 8, None, None, None, None),
    ]
    storage.batch_create_metrics(
        [
            metric(f"m{n}", value, timestamp=H0 + after, entityName=entity)
            | {"labels": {"kind": kind} if kind else None, "estimatedCost": cost, "costUnit": unit}
            for n, (after, value, kind, entity, cost, unit) in enumerate(rows)
        ]
    )
    storage.batch_create_metrics([metric("x", 1000, name="latency", timestamp=H0, model="m")])


def test_what_is_observed_comes_back(storage: ConvexStorage) -> None:
    storage.batch_create_metrics([FULL])
    (one,) = storage.list_metrics().metrics
    shown = one.to_dict()
    del shown["createdAt"]
    assert shown == FULL
    assert (one.value, one.labels, one.estimated_cost) == (12.5, {"kind": "input", "$x": "ä"}, 0.25)
    storage.batch_create_metrics([Metric(metric_id="n", name="n", value=0)])
    (other,) = storage.list_metrics({"name": ["n"]}).metrics
    assert (other.value, other.labels) == (0, None)


def test_lists_by_every_filter(storage: ConvexStorage) -> None:
    storage.batch_create_metrics(
        [FULL, metric("b", name="lag", traceId="u", timestamp=at(1)), metric("c", timestamp=at(2))]
    )
    assert found(storage) == ["c", "b", "m"]
    assert found(storage, {"name": ["tokens"]}) == ["c", "m"]
    assert found(storage, {"name": ["lag", "tokens"]}) == ["c", "b", "m"]
    assert found(storage, {"traceIds": ["t", "u", "none"]}) == ["b", "m"]
    assert found(storage, {"traceIds": ["t", "u"], "name": ["tokens", "none"]}) == ["m"]
    assert found(storage, {"traceIds": ["t", "u"], "traceId": "u"}) == ["b"]
    for name in ("provider", "model", "costUnit", "traceId"):
        assert found(storage, {name: FULL[name]}) == ["m"]
    assert found(storage, {"labels": {"kind": "input"}}) == ["m"]
    assert found(storage, {"labels": {"kind": "input", "$x": "a"}}) == []
    assert found(storage, {"labels": {}, "name": "lag"}) == ["b"]


def test_numbers_are_computed(storage: ConvexStorage) -> None:
    observed(storage)
    assert storage.get_metric_aggregate("tokens", "avg") == Aggregate(21.6, estimated_cost=0.875)
    groups = storage.get_metric_breakdown("tokens", "sum", ["kind"], limit=1)
    assert groups == [Group({"kind": "in"}, 70, 0.625, None)]
    (series,) = storage.get_metric_time_series(name="tokens", aggregation="sum", interval="1h")
    assert [point.value for point in series.points] == [60, 48]
    (highest,) = storage.get_metric_percentiles("tokens", [1], "1h")
    assert [point.value for point in highest.points] == [30, 40]


def test_many_are_computed_from(storage: ConvexStorage) -> None:
    storage.batch_create_metrics(
        [metric(str(n), 0.1, timestamp=H0 + n * 1000, labels={"n": str(n)}) for n in range(520)]
    )
    # The sum of as many tenths, to the last digit, in whatever order they come.
    assert storage.get_metric_aggregate("tokens", "sum").value == 52
    assert len(storage.get_metric_time_series("tokens", "count", "1m")[0].points) == 9
    names = storage.get_metric_label_values("tokens", "n")
    assert names == sorted(map(str, range(520)))
    assert storage.get_metric_label_values("tokens", "n", limit=510) == names[:510]


def test_names_and_labels_are_discovered(storage: ConvexStorage) -> None:
    observed(storage)
    assert storage.get_metric_names() == ["latency", "tokens"]
    assert storage.get_metric_names(prefix="t", limit=5) == ["tokens"]
    assert storage.get_metric_names(limit=1) == ["latency"]
    assert storage.get_metric_label_keys("tokens") == ["kind"]
    assert storage.get_metric_label_keys("latency") == []
    assert storage.get_metric_label_values("tokens", "kind") == ["in", "out"]
    assert storage.get_metric_label_values("tokens", "kind", prefix="o", limit=9) == ["out"]
