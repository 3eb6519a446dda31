"""Numbers of many signals: aggregates, breakdowns, time series, percentiles (interface, 6.6).

All walk the signals in question by an index, in pages, and keep of each what is computed from. So
they are exact, whatever the filters; sums do not depend on the order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models_signals import (
    Aggregate,
    Group,
    PercentileSeries,
    Series,
    SeriesPoint,
)
from mastra_convex.reads.listing import Doc, Read, direction, named
from mastra_convex.reads.signals import (
    FEEDBACK,
    METRICS,
    SCORES,
    Chosen,
    Kind,
    chosen,
    payload_of,
    walked,
)
from mastra_convex.values.names import camel_case

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_AGGREGATIONS = ("sum", "avg", "min", "max", "count", "count_distinct", "last")
_MINUTE = 60_000
_DAY = 24 * 60 * _MINUTE
_INTERVALS = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "1d": 24 * 60}
_PERIODS = {"previous_period": None, "previous_day": _DAY, "previous_week": 7 * _DAY}
# What JavaScript takes for a number.
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z")
_INTEGER = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)\Z")


class Subject(NamedTuple):
    """Which signals are computed from: of a kind, those whose fields are as given."""

    kind: Kind
    given: Mapping[str, Any]


class _Checked(NamedTuple):
    """A subject: each field with the values that it may have, and what a series of it is called."""

    kind: Kind
    of: dict[str, list[str]]
    name: str


class _Sample(NamedTuple):
    """What is kept of one signal."""

    at: float
    value: float
    by: tuple[str | None, ...]
    distinct: str | None
    cost: float | None
    unit: str | None


def metric(name: Any) -> Subject:
    """The metrics of a name, or of several."""
    return Subject(METRICS, {"name": name})


def score(scorer_id: Any, score_source: Any) -> Subject:
    """The scores of a scorer, of all sources or one."""
    return Subject(SCORES, {"scorer_id": scorer_id, "score_source": score_source or None})


def feedback(feedback_type: Any, feedback_source: Any) -> Subject:
    """The feedback of a type, of all sources or one: as far as it is numbers, or texts of them."""
    given = {"feedback_type": feedback_type, "feedback_source": feedback_source or None}
    return Subject(FEEDBACK, given)


def _checked(subject: Subject) -> _Checked:
    """Raises `InvalidArgumentError`."""
    of, names = {}, []
    for position, (name, value) in enumerate(subject.given.items()):
        if position and value is None:
            continue
        several = subject.kind is METRICS and isinstance(value, (list, tuple))
        values = [named(each, name) for each in (value if several else [value])]
        if not values:
            raise InvalidArgumentError(f"{name} has no values; give one", path=name)
        names.append(",".join(values))
        of[camel_case(name)] = list(dict.fromkeys(values))
    return _Checked(subject.kind, of, "|".join(names))


def aggregate(
    subject: Subject,
    aggregation: Any,
    filters: Any,
    compare_period: Any = None,
    distinct_column: Any = None,
) -> Read[Aggregate]:
    """One number, and what it was in a period before."""
    checked = _checked(subject)
    distinct = _distinct(checked.kind, aggregation, distinct_column)
    what = chosen(checked.kind, filters, checked.of)
    shift = _shift(what, compare_period)
    samples = yield from _samples(checked.kind, what, (), distinct)
    now, cost = _combined(samples, aggregation), _cost(samples)
    if shift is None:
        return Aggregate(now, estimated_cost=cost, cost_unit=_unit(samples))
    earlier = yield from _samples(checked.kind, what, (), distinct, shift)
    before, cost_before = _combined(earlier, aggregation), _cost(earlier)
    return Aggregate(
        value=now,
        previous_value=before,
        change_percent=_change(now, before),
        estimated_cost=cost,
        cost_unit=_unit(samples),
        previous_estimated_cost=cost_before,
        cost_change_percent=_change(cost, cost_before),
    )


def breakdown(
    subject: Subject,
    group_by: Any,
    aggregation: Any,
    filters: Any,
    limit: Any = None,
    order_direction: Any = "DESC",
    distinct_column: Any = None,
) -> Read[list[Group]]:
    """One number for each group, the greatest first; equal ones in the order of their signals."""
    checked = _checked(subject)
    columns = _columns(checked.kind, group_by)
    distinct = _distinct(checked.kind, aggregation, distinct_column)
    descending = direction(order_direction) == "desc"
    if limit is not None and (type(limit) is not int or limit < 0):
        raise InvalidArgumentError(f"limit must be >= 0 and whole, not {limit!r:.60}", path="limit")
    what = chosen(checked.kind, filters, checked.of)
    samples = yield from _samples(checked.kind, what, columns, distinct)
    groups = [
        Group(
            dimensions=dict(zip(columns, by)),
            value=_combined(some, aggregation) or 0,
            estimated_cost=_cost(some),
            cost_unit=_unit(some),
        )
        for by, some in _grouped(samples, lambda sample: sample.by).items()
    ]
    groups.sort(key=lambda group: -group.value if descending else group.value)
    return groups[:limit]


def time_series(
    subject: Subject,
    interval: Any,
    aggregation: Any,
    filters: Any,
    group_by: Any = None,
    distinct_column: Any = None,
) -> Read[list[Series]]:
    """One number for each interval; a series for each group, or one of all."""
    checked = _checked(subject)
    columns = () if group_by is None else _columns(checked.kind, group_by)
    distinct = _distinct(checked.kind, aggregation, distinct_column)
    length = _length(interval)
    what = chosen(checked.kind, filters, checked.of)
    samples = yield from _samples(checked.kind, what, columns, distinct)
    groups = _grouped(samples, lambda sample: sample.by) if columns else {(): samples}
    return [
        Series(
            name="|".join(each or "" for each in by) if columns else checked.name,
            points=[
                SeriesPoint(moment, _combined(some, aggregation) or 0, _cost(some))
                for moment, some in _buckets(group, length)
            ],
            cost_unit=_unit(group),
        )
        for by, group in groups.items()
    ]


def percentiles(
    subject: Subject, wanted: Any, interval: Any, filters: Any
) -> Read[list[PercentileSeries]]:
    """Percentiles of each interval: of metrics a value that there is, of others between two."""
    checked = _checked(subject)
    of = _nearest if checked.kind is METRICS else _interpolated
    shares = _shares(wanted)
    length = _length(interval)
    what = chosen(checked.kind, filters, checked.of)
    samples = yield from _samples(checked.kind, what, (), None)
    buckets = [
        (moment, sorted(sample.value for sample in some))
        for moment, some in _buckets(samples, length)
    ]
    return [
        PercentileSeries(share, [SeriesPoint(moment, of(each, share)) for moment, each in buckets])
        for share in shares
    ]


def _samples(
    kind: Kind,
    what: Chosen,
    columns: tuple[str, ...],
    distinct: str | None,
    shift: float = 0,
) -> Read[list[_Sample]]:
    """The signals in question, as they came in time."""
    found: list[_Sample] = []
    fields = tuple(camel_case(column) for column in columns)

    def take(document: Doc) -> None:
        value = _value(kind, document)
        if value is not None:
            by = tuple(
                document.get(field, _label(document, column) if kind is METRICS else None)
                for field, column in zip(fields, columns)
            )
            found.append(
                _Sample(
                    document["timestamp"],
                    value,
                    by,
                    None if distinct is None else document.get(distinct),
                    document.get("estimatedCost"),
                    document.get("costUnit"),
                )
            )

    yield from walked(what.calls(kind, "asc", shift), what.keep, take)
    if len(what.lists) > 1:
        found.sort(key=lambda sample: sample.at)
    return found


def _value(kind: Kind, document: Doc) -> float | None:
    if kind is not FEEDBACK:
        value: float = document["value" if kind is METRICS else "score"]
        return value
    return numeric(payload_of(document, "value"))


def numeric(value: Any) -> float | None:
    """The number that feedback's value is or says, as JavaScript reads it; None for others."""
    if isinstance(value, str):
        text = value.strip()
        if _INTEGER.match(text):
            value = int(text, 0)
        else:
            value = float(text) if _NUMBER.match(text) else None
    if isinstance(value, int):
        # A number in JavaScript too.
        value = float(value) if abs(value) < 2**1023 else None
    return value if value is not None and math.isfinite(value) else None


def _label(document: Doc, key: str) -> str | None:
    labels = payload_of(document, "labels")
    value = labels.get(key) if isinstance(labels, dict) else None
    return value if isinstance(value, str) else None


def _combined(samples: list[_Sample], aggregation: str) -> float | None:
    if aggregation == "count_distinct":
        return len({sample.distinct for sample in samples} - {None})
    if not samples:
        return None
    values = [sample.value for sample in samples]
    if aggregation == "count":
        return len(values)
    if aggregation == "min":
        return min(values)
    if aggregation == "max":
        return max(values)
    if aggregation == "last":
        # They are in the order of time; of equal times, the later one is the last.
        return values[-1]
    return _sum(values) / (len(values) if aggregation == "avg" else 1)


def _cost(samples: Iterable[_Sample]) -> float | None:
    costs = [sample.cost for sample in samples if sample.cost is not None]
    return _sum(costs) if costs else None


def _sum(values: list[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # beyond what a float holds, or of infinities
        return sum(values)


def _unit(samples: Iterable[_Sample]) -> str | None:
    units = {sample.unit for sample in samples if sample.unit is not None}
    return units.pop() if len(units) == 1 else None


def _change(now: float | None, before: float | None) -> float | None:
    if now is None or not before:
        return None
    return (now - before) / abs(before) * 100


def _grouped(samples: list[_Sample], key: Callable[[_Sample], Any]) -> dict[Any, list[_Sample]]:
    groups: dict[Any, list[_Sample]] = {}
    for sample in samples:
        groups.setdefault(key(sample), []).append(sample)
    return groups


def _buckets(samples: list[_Sample], length: float) -> list[tuple[datetime, list[_Sample]]]:
    """The samples of each interval that has any, by its beginning."""
    groups = _grouped(samples, lambda sample: math.floor(sample.at / length) * length)
    return [(_EPOCH + timedelta(milliseconds=at), groups[at]) for at in sorted(groups)]


def _nearest(values: list[float], share: float) -> float:
    return values[min(math.floor(share * len(values)), len(values) - 1)]


def _interpolated(values: list[float], share: float) -> float:
    position = share * (len(values) - 1)
    low, high = values[math.floor(position)], values[math.ceil(position)]
    return low + (high - low) * (position - math.floor(position))


def _distinct(kind: Kind, aggregation: Any, column: Any) -> str | None:
    """The field whose values are counted. Raises `InvalidArgumentError`."""
    known = _AGGREGATIONS if kind is METRICS else [a for a in _AGGREGATIONS if "_" not in a]
    if aggregation not in known:
        raise InvalidArgumentError(
            f"aggregation {aggregation!r:.40} is none of {', '.join(known)}", path="aggregation"
        )
    if aggregation != "count_distinct":
        return None
    field = camel_case(column) if isinstance(column, str) else column
    if field not in kind.groupable:
        raise InvalidArgumentError(
            f"count_distinct needs a distinct_column of text, such as 'model', not {column!r:.40}",
            path="distinct_column",
        )
    return str(field)


def _columns(kind: Kind, group_by: Any) -> tuple[str, ...]:
    """Fields to group by; metrics are also grouped by their labels."""
    if isinstance(group_by, (str, bytes, Mapping)) or not isinstance(group_by, (list, tuple)):
        raise InvalidArgumentError(
            f"group_by is a list of fields, not {group_by!r:.60}", path="group_by"
        )
    for column in group_by:
        named(column, "group_by")
        if kind is not METRICS and camel_case(column) not in kind.groupable:
            raise InvalidArgumentError(
                f"{kind.table} cannot be grouped by {column!r:.40}; give a field of text",
                path="group_by",
            )
    if not group_by:
        raise InvalidArgumentError("group_by has no fields; give one", path="group_by")
    return tuple(group_by)


def _length(interval: Any) -> int:
    if interval not in _INTERVALS:
        raise InvalidArgumentError(
            f"interval {interval!r:.40} is none of {', '.join(_INTERVALS)}", path="interval"
        )
    return _INTERVALS[interval] * _MINUTE


def _shares(wanted: Any) -> list[float]:
    given = list(wanted) if isinstance(wanted, (list, tuple)) else []
    if not given or any(type(p) not in {int, float} or not 0 <= p <= 1 for p in given):
        raise InvalidArgumentError(
            f"percentiles are numbers from 0 to 1, such as [0.5, 0.99], not {wanted!r:.60}",
            path="percentiles",
        )
    return given


def _shift(what: Chosen, period: Any) -> float | None:
    """How much earlier the period is that is compared with, in milliseconds."""
    if period is None:
        return None
    if period not in _PERIODS:
        raise InvalidArgumentError(
            f"compare_period {period!r:.40} is none of {', '.join(_PERIODS)}",
            path="compare_period",
        )
    if not {"start", "end"} <= what.bounds.keys():
        raise InvalidArgumentError(
            "compare_period needs filters.timestamp with start and end; give both",
            path="compare_period",
        )
    length: float = what.bounds["end"] - what.bounds["start"]
    return _PERIODS[period] or length
