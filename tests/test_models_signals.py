"""Logs, metrics, scores and feedback as records: names, older names, and what is refused."""

from typing import Any

import pytest

from mastra_convex import Feedback, InvalidArgumentError, Log, Metric, ScoreEvent
from mastra_convex.models_signals import LogPage, Signal

LOG = {"logId": "l", "level": "info", "message": "m"}
METRIC = {"metricId": "m", "name": "n", "value": 1}
SCORE = {"scoreId": "s", "scorerId": "x", "score": 1}
FEEDBACK = {"feedbackId": "f", "feedbackType": "t", "value": 1}


def test_own_fields_come_before_those_of_all_signals() -> None:
    names = [field.wire_name for field in Log.fields]
    assert names[:5] == ["logId", "level", "message", "data", "traceId"]
    assert len(names) == len(set(names)) == len(Signal.fields) + 4


def test_names_of_python_are_taken_too() -> None:
    wire = Log.encode({**LOG, "traceId": "t", "executionSource": "ci"})
    given = {"log_id": "l", "level": "info", "message": "m", "trace_id": "t"}
    assert Log.encode({**given, "source": "ci"}) == wire
    assert Log.encode({**given, "execution_source": "ci"}) == wire
    built = Log(log_id="l", level="info", message="m", trace_id="t", execution_source="ci")
    assert built.wire == wire


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ({"source": "a"}, "a"),
        ({"source": "a", "scoreSource": "b"}, "b"),
        ({"source": "a", "score_source": "b"}, "b"),
        ({"source": "a", "scoreSource": None}, "a"),
        ({"source": None}, None),
    ],
)
def test_the_newer_name_wins(given: dict[str, Any], source: str | None) -> None:
    wire = ScoreEvent.encode({**SCORE, **given})
    assert wire.get("scoreSource") == source
    assert "extra" not in wire


@pytest.mark.parametrize(
    ("model", "given", "text"),
    [
        (Log, {**LOG, "logId": None}, "logId is missing or empty"),
        (Log, {**LOG, "logId": ""}, "log '': logId is missing or empty"),
        (Log, {**LOG, "tags": "a"}, "log 'l': tags must be a list of texts"),
        (Log, {**LOG, "tags": [1]}, "tags must be a list of texts"),
        (Log, {**LOG, "data": [1]}, "data must be a map"),
        (Log, {**LOG, "message": 5}, "message must be text"),
        (Metric, {**METRIC, "labels": {"a": 1}}, "labels must be texts by their keys"),
        (Metric, {**METRIC, "labels": [1]}, "labels must be a map"),
        (Metric, {**METRIC, "value": 10**400}, "give a finite number"),
        (Metric, {**METRIC, "value": True}, "value must be a number"),
        (Metric, {**METRIC, "estimatedCost": float("-inf")}, "estimatedCost is -inf"),
        (ScoreEvent, {**SCORE, "score": float("nan")}, "score 's': score is nan"),
        (Feedback, {**FEEDBACK, "value": None}, "value is missing"),
        (Feedback, {**FEEDBACK, "value": True}, "value must be a number or text"),
        (Feedback, {**FEEDBACK, "review_status": "x"}, "reviewStatus 'x' is none of"),
    ],
)
def test_what_is_no_signal_is_refused(model: type[Signal], given: Any, text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=text):
        model.encode(given)


def test_feedback_always_has_a_source() -> None:
    assert Feedback.encode(FEEDBACK)["feedbackSource"] == ""
    assert Feedback(feedback_id="f", feedback_type="t", value=1).feedback_source == ""
    assert Feedback.encode({**FEEDBACK, "source": "app"})["feedbackSource"] == "app"


def test_a_page_as_mastra_says_it() -> None:
    page = LogPage(total=None, page=1, per_page=False, has_more=False, delta_cursor=None, logs=[])
    assert page.pagination == {"total": None, "page": 1, "perPage": False, "hasMore": False}
