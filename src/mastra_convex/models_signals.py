"""Signals: logs, metrics, scores and feedback of traces (interface, section 6.6).

They are models like those of `models.py`, under Mastra's names in snake_case; and what is computed
from many of them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models import ListedPage
from mastra_convex.record import Record, instant, json_map, number, opaque_text, payload, text

__all__ = [
    "Aggregate",
    "Feedback",
    "FeedbackPage",
    "Group",
    "Log",
    "LogPage",
    "Metric",
    "MetricPage",
    "PercentileSeries",
    "ScoreEvent",
    "ScoreEventPage",
    "Series",
    "SeriesPoint",
]

LEVELS = ("debug", "info", "warn", "error", "fatal")
_MOST = sys.float_info.max
REVIEW_STATUSES = ("needs-review", "reviewed")


class Signal(Record):
    """What all signals say of where they come from. `timestamp` is now, unless given."""

    # Mastra's older name for a field, by the newer one.
    older: ClassVar[Mapping[str, str]] = {"executionSource": "source"}
    # Fields of numbers, which must be finite.
    numbers: ClassVar[tuple[str, ...]] = ()

    trace_id: str | None = text(default=None)
    span_id: str | None = text(default=None)
    message_id: str | None = text(default=None)
    thread_id: str | None = text(default=None)
    run_id: str | None = text(default=None)
    resource_id: str | None = text(default=None)
    entity_type: str | None = text(default=None)
    entity_id: str | None = text(default=None)
    entity_name: str | None = text(default=None)
    entity_version_id: str | None = text(default=None)
    parent_entity_type: str | None = text(default=None)
    parent_entity_id: str | None = text(default=None)
    parent_entity_name: str | None = text(default=None)
    parent_entity_version_id: str | None = text(default=None)
    root_entity_type: str | None = text(default=None)
    root_entity_id: str | None = text(default=None)
    root_entity_name: str | None = text(default=None)
    root_entity_version_id: str | None = text(default=None)
    user_id: str | None = text(default=None)
    organization_id: str | None = text(default=None)
    session_id: str | None = text(default=None)
    request_id: str | None = text(default=None)
    experiment_id: str | None = text(default=None)
    environment: str | None = text(default=None)
    service_name: str | None = text(default=None)
    execution_source: str | None = text(default=None)
    scope: dict[str, Any] | None = json_map(default=None)
    tags: list[str] | None = payload(default=None)
    metadata: dict[str, Any] | None = json_map(default=None)
    timestamp: datetime = instant(default=None)
    created_at: datetime = instant(default=None)

    @classmethod
    def adapt(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take Mastra's older names; the newer one wins where both are given."""
        tags = given.get("tags")
        if tags is not None and not _is_texts(tags):
            raise InvalidArgumentError(
                f"{cls.label(given)}: tags must be a list of texts, not {tags!r:.60}", path="tags"
            )
        for newer, older in cls.older.items():
            if older in given:
                value = given[older]
                given = {name: each for name, each in given.items() if name != older}
                own = cls._by_name[newer]
                if given.get(own.name) is None and given.get(newer) is None:
                    given = {**given, newer: value}
        return given

    @classmethod
    def encode(cls, value: Record | Mapping[str, Any]) -> dict[str, Any]:
        """As every record's; numbers must be finite."""
        wire = super().encode(value)
        for name in cls.numbers:
            if not -_MOST <= wire.get(name, 0) <= _MOST:
                raise InvalidArgumentError(
                    f"{cls.noun} {wire[cls.key]!r:.80}: {name} is {wire[name]}; give a finite "
                    "number",
                    path=name,
                )
        return wire

    @classmethod
    def one_of(cls, given: Mapping[str, Any], name: str, known: tuple[str, ...]) -> None:
        """Raise `InvalidArgumentError` unless a field that is given is one of the texts."""
        field = cls._by_name[name]
        value = given.get(field.wire_name, given.get(field.name))
        if value is not None and value not in known:
            raise InvalidArgumentError(
                f"{cls.label(given)}: {field.wire_name} {value!r:.40} is none of "
                f"{', '.join(known)}",
                path=field.wire_name,
            )


def _is_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value)


class Log(Signal):
    """One line of a log; `level` is debug, info, warn, error or fatal."""

    noun = "log"
    key = "logId"

    log_id: str = text()
    level: str = text()
    message: str = opaque_text()
    data: dict[str, Any] | None = json_map(default=None)

    @classmethod
    def adapt(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """As every signal's; the level must be one that Mastra knows."""
        cls.one_of(given, "level", LEVELS)
        return super().adapt(given)


class Metric(Signal):
    """One observation of a number; `labels` are texts by their keys."""

    noun = "metric"
    key = "metricId"
    numbers: ClassVar[tuple[str, ...]] = ("value", "estimatedCost")

    metric_id: str = text()
    name: str = text()
    value: float = number()
    labels: dict[str, str] | None = json_map(default=None)
    provider: str | None = text(default=None)
    model: str | None = text(default=None)
    estimated_cost: float | None = number(default=None)
    cost_unit: str | None = text(default=None)
    cost_metadata: dict[str, Any] | None = json_map(default=None)

    @classmethod
    def adapt(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """As every signal's; labels must be texts."""
        labels = given.get("labels")
        if isinstance(labels, Mapping) and not _is_texts([*labels, *labels.values()]):
            raise InvalidArgumentError(
                f"{cls.label(given)}: labels must be texts by their keys, not {labels!r:.60}",
                path="labels",
            )
        return super().adapt(given)


class ScoreEvent(Signal):
    """A score of a trace, a span, a message or a run; `score_source` is any text."""

    noun = "score"
    key = "scoreId"
    older: ClassVar[Mapping[str, str]] = {"scoreSource": "source"}
    numbers: ClassVar[tuple[str, ...]] = ("score",)

    score_id: str = text()
    scorer_id: str = text()
    scorer_name: str | None = text(default=None)
    scorer_version: str | None = text(default=None)
    score_source: str | None = text(default=None)
    score: float = number()
    reason: str | None = opaque_text(default=None)
    score_trace_id: str | None = text(default=None)


class Feedback(Signal):
    """What somebody said of an answer; `value` is a number or a text."""

    noun = "feedback"
    key = "feedbackId"
    older: ClassVar[Mapping[str, str]] = {"feedbackSource": "source"}

    feedback_id: str = text()
    feedback_type: str = text()
    value: float | str = payload()
    feedback_source: str = text(default="")
    feedback_user_id: str | None = text(default=None)
    comment: str | None = opaque_text(default=None)
    source_id: str | None = text(default=None)
    review_status: str = text(default="needs-review")

    @classmethod
    def adapt(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """As every signal's; whose feedback it is may stand as the user, or in the metadata."""
        cls.one_of(given, "reviewStatus", REVIEW_STATUSES)
        value = given.get("value")
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, (int, float, str))
        ):
            raise InvalidArgumentError(
                f"{cls.label(given)}: value must be a number or text, not {value!r:.60}",
                path="value",
            )
        given = super().adapt(given)
        metadata = given.get("metadata")
        users = (
            *(given.get(name) for name in ("feedbackUserId", "feedback_user_id")),
            *(given.get(name) for name in ("userId", "user_id")),
            metadata.get("userId") if isinstance(metadata, Mapping) else None,
        )
        user = next((each for each in users if each is not None), None)
        names = ("feedbackUserId", "feedback_user_id")
        if isinstance(user, str) and all(given.get(name) is None for name in names):
            given = {k: v for k, v in given.items() if k not in names}
            given["feedbackUserId"] = user
        return given

    @classmethod
    def encode(cls, value: Record | Mapping[str, Any]) -> dict[str, Any]:
        """As every signal's; the source is there, if only as an empty text."""
        return {"feedbackSource": "", **super().encode(value)}


@dataclass(frozen=True, slots=True)
class LogPage(ListedPage):
    """A page of logs."""

    logs: list[Log]


@dataclass(frozen=True, slots=True)
class MetricPage(ListedPage):
    """A page of metrics."""

    metrics: list[Metric]


@dataclass(frozen=True, slots=True)
class ScoreEventPage(ListedPage):
    """A page of scores."""

    scores: list[ScoreEvent]


@dataclass(frozen=True, slots=True)
class FeedbackPage(ListedPage):
    """A page of feedback."""

    feedback: list[Feedback]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One number of many signals, and of a period before; None where there are no signals.

    Costs are those of metrics: a sum, and its unit where there is one alone.
    """

    value: float | None
    previous_value: float | None = None
    change_percent: float | None = None
    estimated_cost: float | None = None
    cost_unit: str | None = None
    previous_estimated_cost: float | None = None
    cost_change_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """One number of the signals whose `dimensions` are the same; a missing one is None."""

    dimensions: dict[str, str | None]
    value: float
    estimated_cost: float | None = None
    cost_unit: str | None = None


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """One number of the signals of one interval, which begins at `timestamp`."""

    timestamp: datetime
    value: float
    estimated_cost: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """The numbers of intervals, oldest first; those without signals are left out."""

    name: str
    points: list[SeriesPoint]
    cost_unit: str | None = None


@dataclass(frozen=True, slots=True)
class PercentileSeries:
    """A percentile (0 to 1) of intervals, oldest first."""

    percentile: float
    points: list[SeriesPoint]
