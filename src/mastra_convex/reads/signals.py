"""Reading logs, metrics, scores and feedback: lists that one index serves, the rest compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models_signals import (
    LEVELS,
    REVIEW_STATUSES,
    Feedback,
    FeedbackPage,
    Log,
    LogPage,
    Metric,
    MetricPage,
    ScoreEvent,
    ScoreEventPage,
    Signal,
)
from mastra_convex.reads.deltas import Source, Wanted, delta, is_delta
from mastra_convex.reads.listing import (
    MAX_PAGE,
    Call,
    Doc,
    Found,
    Keep,
    Read,
    Window,
    listing,
    merged,
    metadata_keep,
    named,
    order_of,
    window,
)
from mastra_convex.record import to_milliseconds
from mastra_convex.values.names import camel_case
from mastra_convex.values.payload import decode_payload

CONTEXT = tuple(field.wire_name for field in Signal.fields if field.types == (str,))
_RANGE = ("start", "end", "startExclusive", "endExclusive")
_DIRECTIONS = {"start": 1, "end": -1}


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of signals is listed.

    A filter by one of `several` is a value or a list; each value is a list of its own, and the
    lists are merged. `texts` are filters by equality besides the context, and by `more` signals can
    be grouped.
    """

    table: str
    model: type[Signal]
    several: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    orders: tuple[str, ...] = ("timestamp",)
    known: Mapping[str, tuple[str, ...]] | None = None

    @property
    def groupable(self) -> frozenset[str]:
        """Fields of text."""
        return frozenset({*CONTEXT, *self.several, *self.texts, *self.more} - {"traceIds"})

    @property
    def source(self) -> Source:
        """Where its signals come in."""
        return Source(self.table, f"{self.table}:listArrived", {}, (self.model.key,))


LOGS = Kind("logs", Log, ("level",), known={"level": LEVELS})
METRICS = Kind("metrics", Metric, ("traceIds", "name"), ("provider", "model", "costUnit"))
SCORES = Kind(
    "scoreEvents",
    ScoreEvent,
    ("scorerId",),
    ("scoreSource",),
    ("scorerName", "scorerVersion", "scoreTraceId"),
    orders=("timestamp", "score"),
)
FEEDBACK = Kind(
    "feedback",
    Feedback,
    ("feedbackType",),
    ("feedbackSource", "feedbackUserId", "reviewStatus"),
    ("sourceId",),
    known={"reviewStatus": REVIEW_STATUSES},
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What filters choose: lists of criteria, bounds of time, and what no index serves."""

    lists: list[Doc]
    bounds: Doc
    keep: Keep | None

    def calls(self, kind: Kind, order: str, shift: float = 0) -> list[Call]:
        """The calls that list it; its times `shift` milliseconds earlier."""
        args = {**_range(self.bounds, shift), "order": order}
        if len(kind.orders) > 1:
            args["orderBy"] = kind.orders[0]
        return [(f"{kind.table}:list", {**each, **args}) for each in self.lists]

    @property
    def meets(self) -> Keep:
        """What tells whether a signal is chosen, wherever it was found."""
        bounds = _range(self.bounds, 0)
        first, last = bounds.get("from", -math.inf), bounds.get("to", math.inf)
        return lambda document: (
            first <= document["timestamp"] <= last
            and any(_has(document, criteria) for criteria in self.lists)
            and (self.keep is None or self.keep(document))
        )


def chosen(kind: Kind, filters: Any, of: Mapping[str, list[str]] | None = None) -> Chosen:
    """What `filters` choose of the signals `of` something: a field that has one of some values.

    Raises `InvalidArgumentError`.
    """
    if not (filters is None or isinstance(filters, Mapping)):
        raise InvalidArgumentError(f"filters is a mapping, not {filters!r:.60}", path="filters")
    given = _named(kind, filters or {})
    bounds = _bounds(given.pop("timestamp", None))
    keeps = [
        *_tags_keep(given.pop("tags", None)),
        *_labels_keep(given.pop("labels", None)),
        metadata_keep(given.pop("metadata", None)),
    ]
    fields = dict(of or {})
    for name in (*kind.several, *kind.texts, *CONTEXT):
        if name in given:
            values = _values(kind, name, given[name])
            field = "traceId" if name == "traceIds" else name
            if field in fields:
                keeps.append(_one_of_keep(field, values))
            else:
                fields[field] = values
    criteria = {field: values[0] for field, values in fields.items() if len(values) == 1}
    # The first that has several values makes as many lists; none makes no list.
    first, *others = [(f, v) for f, v in fields.items() if len(v) != 1] or [("", [""])]
    keeps += [_one_of_keep(field, values) for field, values in others]
    lists = [{**criteria, first[0]: value} if first[0] else criteria for value in first[1]]
    return Chosen(lists, bounds, _all_of([keep for keep in keeps if keep is not None]))


def _named(kind: Kind, filters: Mapping[str, Any]) -> Doc:
    """The filters that are not None, by their wire names. Raises `InvalidArgumentError`."""
    known = {*CONTEXT, *kind.several, *kind.texts, "timestamp", "tags", "metadata"}
    if kind is METRICS:
        known.add("labels")
    older = {old: new for new, old in kind.model.older.items()}
    found: Doc = {}
    for name, value in filters.items():
        wire_name = camel_case(str(name))
        wire_name = older.get(wire_name, wire_name)
        if wire_name not in known:
            raise InvalidArgumentError(
                f"{kind.table} cannot be filtered by {name!r:.60}; leave it out", path="filters"
            )
        if value is None:
            continue
        if wire_name in found:
            raise InvalidArgumentError(f"filters: {wire_name} is given twice", path="filters")
        found[wire_name] = value
    return found


def _values(kind: Kind, name: str, value: Any) -> list[str]:
    many = name in kind.several and isinstance(value, (list, tuple))
    values = list(value) if many else [value]
    known = (kind.known or {}).get(name)
    for each in values:
        named(each, f"filters.{name}")
        if known is not None and each not in known:
            raise InvalidArgumentError(
                f"filters.{name} {each!r:.40} is none of {', '.join(known)}", path=f"filters.{name}"
            )
    return list(dict.fromkeys(values))


def _bounds(value: Any) -> Doc:
    """A range of time: `start` and `end` in milliseconds, and whether each is left out itself."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidArgumentError(
            f"filters.timestamp is a mapping with start and end, not {value!r:.60}",
            path="filters.timestamp",
        )
    found: Doc = {}
    for name, each in value.items():
        wire_name = camel_case(str(name))
        if wire_name not in _RANGE:
            raise InvalidArgumentError(
                f"filters.timestamp has {', '.join(_RANGE)}, and no {name!r:.40}",
                path="filters.timestamp",
            )
        if each is None:
            continue
        if wire_name in _DIRECTIONS:
            found[wire_name] = to_milliseconds(each, f"filters.timestamp.{wire_name}")
        elif isinstance(each, bool):
            found[wire_name] = each
        else:
            raise InvalidArgumentError(
                f"filters.timestamp.{wire_name} is True or False, not {each!r:.40}",
                path="filters.timestamp",
            )
    return found


def _range(bounds: Doc, shift: float) -> Doc:
    """The functions' `from` and `to`, both inclusive."""
    args = {}
    for name, argument in (("start", "from"), ("end", "to")):
        if name in bounds:
            moment = bounds[name] - shift
            if bounds.get(f"{name}Exclusive"):
                # Inclusive of the next number that there is.
                moment = math.nextafter(moment, _DIRECTIONS[name] * math.inf)
            args[argument] = moment
    return args


def _tags_keep(tags: Any) -> list[Keep]:
    if tags is None:
        return []
    if not isinstance(tags, (list, tuple)) or not all(isinstance(tag, str) for tag in tags):
        raise InvalidArgumentError(
            f"filters.tags is a list of texts, not {tags!r:.60}", path="filters.tags"
        )

    def keep(document: Doc) -> bool:
        own = payload_of(document, "tags")
        return isinstance(own, list) and all(tag in own for tag in tags)

    return [keep] if tags else []


def _labels_keep(labels: Any) -> list[Keep]:
    if labels is None:
        return []
    if not isinstance(labels, Mapping):
        raise InvalidArgumentError(
            f"filters.labels is a mapping, not {labels!r:.60}", path="filters.labels"
        )
    wanted = {named(k, "filters.labels"): named(v, "filters.labels") for k, v in labels.items()}

    def keep(document: Doc) -> bool:
        own = payload_of(document, "labels")
        return isinstance(own, dict) and all(own.get(k) == v for k, v in wanted.items())

    return [keep] if wanted else []


def _one_of_keep(field: str, values: Sequence[str]) -> Keep:
    wanted = frozenset(values)
    return lambda document: document.get(field) in wanted


def _has(document: Doc, criteria: Doc) -> bool:
    return all(document.get(name) == value for name, value in criteria.items())


def _all_of(keeps: list[Keep]) -> Keep | None:
    if not keeps:
        return None
    return lambda document: all(keep(document) for keep in keeps)


def payload_of(document: Doc, field: str) -> Any:
    """The value of a payload, or None; also for what is no JSON, which other clients may save."""
    try:
        return decode_payload(document.get(field, "null"))
    except (ValueError, RecursionError):
        return None


def walked(calls: list[Call], keep: Keep | None, take: Callable[[Doc], None]) -> Read[None]:
    """Give every document of some lists to `take`, page by page."""
    for path, args in calls:
        cursor: Doc = {}
        while True:
            reply = yield path, {**args, "limit": MAX_PAGE, **cursor}
            for document in reply["page"]:
                if keep is None or keep(document):
                    take(document)
            if reply["cursor"] is None:
                break
            cursor = {"cursor": reply["cursor"]}


def _listed(kind: Kind, wanted: Wanted) -> Read[tuple[list[Any], Doc]]:
    """The signals that are wanted, and what a page says about itself."""
    if is_delta(wanted):
        what = chosen(kind, wanted.filters)
        rows, about = yield from delta(kind.source, wanted, what.meets)
        return [kind.model.of(row) for row in rows], about
    part = window(wanted.page, wanted.per_page, wanted.include_total)
    field, order = order_of(wanted.order_by, kind.orders, "desc")
    what = chosen(kind, wanted.filters)
    calls = what.calls(kind, order)
    if field != kind.orders[0]:
        calls = [(path, {**args, "orderBy": field}) for path, args in calls]
    if len(calls) == 1:
        found = yield from listing(*calls[0], part, what.keep)
    else:
        found = yield from merged(calls, part, lambda document: document[field], what.keep)
    numbers = {"page": wanted.page, "per_page": wanted.per_page, "has_more": found.has_more}
    return _all(kind.model, found), {"total": found.total, **numbers, "delta_cursor": None}


def newest(kind: Kind, filters: Any, last: Any) -> Read[list[Any]]:
    """The newest `last` signals that meet the filters, newest first."""
    if type(last) is not int or last < 1:
        raise InvalidArgumentError(f"last must be >= 1 and whole, not {last!r:.60}", path="last")
    what = chosen(kind, filters)
    calls = what.calls(kind, "desc")
    wanted = Window(0, last, include_total=False)
    if len(calls) == 1:
        found = yield from listing(*calls[0], wanted, what.keep, look_beyond=False)
    else:
        found = yield from merged(calls, wanted, lambda document: document["timestamp"], what.keep)
    return _all(kind.model, found)


def logs(wanted: Wanted) -> Read[LogPage]:
    """A page of logs, newest first unless ordered otherwise; or what came in."""
    found, about = yield from _listed(LOGS, wanted)
    return LogPage(**about, logs=found)


def metrics(wanted: Wanted) -> Read[MetricPage]:
    """A page of metrics, newest first unless ordered otherwise; or what came in."""
    found, about = yield from _listed(METRICS, wanted)
    return MetricPage(**about, metrics=found)


def scores(wanted: Wanted) -> Read[ScoreEventPage]:
    """A page of scores, newest first unless ordered otherwise; or what came in."""
    found, about = yield from _listed(SCORES, wanted)
    return ScoreEventPage(**about, scores=found)


def feedback(wanted: Wanted) -> Read[FeedbackPage]:
    """A page of feedback, newest first unless ordered otherwise; or what came in."""
    found, about = yield from _listed(FEEDBACK, wanted)
    return FeedbackPage(**about, feedback=found)


def score(score_id: str) -> Read[ScoreEvent | None]:
    """One score, or None."""
    found = yield "scoreEvents:get", {"id": named(score_id, "score_id")}
    return None if found is None else ScoreEvent.of(found)


def one_feedback(feedback_id: str) -> Read[Feedback | None]:
    """One piece of feedback, or None."""
    found = yield "feedback:get", {"id": named(feedback_id, "feedback_id")}
    return None if found is None else Feedback.of(found)


def _all(model: Any, found: Found) -> list[Any]:
    return [model.of(document) for document in found.documents]
