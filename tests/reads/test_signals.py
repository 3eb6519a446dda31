"""Which calls filters become, and what is compared after them."""

import math
from typing import Any

import pytest

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.reads.deltas import Wanted
from mastra_convex.reads.signals import FEEDBACK, LOGS, METRICS, SCORES, Kind, chosen, logs


def calls(kind: Kind, filters: Any, of: Any = None) -> list[dict[str, Any]]:
    """The arguments of the calls, without their order."""
    found = [args for _, args in chosen(kind, filters, of).calls(kind, "asc")]
    return [{k: v for k, v in args.items() if k not in ("order", "orderBy")} for args in found]


def test_each_of_several_values_is_a_list() -> None:
    assert calls(LOGS, {"level": "warn", "runId": "r"}) == [{"level": "warn", "runId": "r"}]
    both = calls(LOGS, {"level": ("warn", "info"), "runId": "r"})
    assert both == [{"runId": "r", "level": "warn"}, {"runId": "r", "level": "info"}]
    assert calls(SCORES, {"scorerId": []}) == []


def test_one_of_two_filters_makes_lists_and_the_other_is_compared() -> None:
    filters = {"traceIds": ["t", "u"], "name": ["a", "b"]}
    assert calls(METRICS, filters) == [{"traceId": "t"}, {"traceId": "u"}]
    keep = chosen(METRICS, filters).keep
    assert keep is not None
    assert [keep({"name": name}) for name in "abc"] == [True, True, False]


def test_a_filter_besides_the_subject_is_compared() -> None:
    what = chosen(SCORES, {"scorerId": ["b"]}, {"scorerId": ["a"]})
    assert [args["scorerId"] for _, args in what.calls(SCORES, "asc")] == ["a"]
    assert what.keep is not None
    assert not what.keep({"scorerId": "a"})


def test_exclusive_bounds_are_the_next_number() -> None:
    bounds = {"start": 5, "end": 9, "startExclusive": True, "endExclusive": True}
    (args,) = calls(FEEDBACK, {"timestamp": bounds})
    assert args == {"from": math.nextafter(5, math.inf), "to": math.nextafter(9, -math.inf)}
    assert calls(FEEDBACK, {"timestamp": {**bounds, "start_exclusive": False, "end": None}}) == [
        {"from": 5}
    ]
    shifted = chosen(LOGS, {"timestamp": {"start": 5, "end": 9}}).calls(LOGS, "asc", 4)
    assert (shifted[0][1]["from"], shifted[0][1]["to"]) == (1, 5)


def test_tags_and_labels_that_are_none_are_no_match() -> None:
    keep = chosen(LOGS, {"tags": ["a"]}).keep
    assert keep is not None
    given = [{}, {"tags": "null"}, {"tags": "{no"}, {"tags": '[[],"b"]'}, {"tags": '["b","a"]'}]
    assert [keep(document) for document in given] == [False, False, False, False, True]
    keep = chosen(METRICS, {"labels": {"a": "b"}}).keep
    assert keep is not None
    given = [{}, {"labels": "[]"}, {"labels": '{"a":["b"]}'}, {"labels": '{"c":1,"a":"b"}'}]
    assert [keep(document) for document in given] == [False, False, False, True]


@pytest.mark.parametrize(
    ("kind", "filters", "text"),
    [
        (LOGS, {"labels": {}}, "cannot be filtered by 'labels'"),
        (LOGS, {"level": ["info", "loud"]}, "level 'loud' is none of debug"),
        (LOGS, {"level": {"info"}}, "must be text"),
        (LOGS, {"tags": "a"}, "filters.tags is a list of texts"),
        (LOGS, {"timestamp": 5}, "timestamp is a mapping"),
        (LOGS, {"timestamp": {"from": 5}}, "no 'from'"),
        (LOGS, {"timestamp": {"startExclusive": 1}}, "startExclusive is True or False"),
        (LOGS, {"runId": "a", "run_id": "a"}, "runId is given twice"),
        (LOGS, {"runId": 5}, "runId must be text, not 5"),
        (METRICS, {"labels": [1]}, "labels is a mapping"),
        (METRICS, {"traceIds": ["a", None]}, "traceIds must be text"),
        (FEEDBACK, {"reviewStatus": "x"}, "none of needs-review, reviewed"),
        (SCORES, {"scoreSource": "a", "source": "a"}, "scoreSource is given twice"),
    ],
)
def test_wrong_filters_are_refused(kind: Kind, filters: Any, text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=text):
        chosen(kind, filters)


def test_mistakes_are_raised_before_the_first_call() -> None:
    with pytest.raises(InvalidArgumentError, match="page must be"):
        next(logs(Wanted(page=-1)))
