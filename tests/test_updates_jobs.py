"""Arguments of mutations on records with an id of their own."""

from typing import Any

import pytest

from mastra_convex import InvalidArgumentError, Score
from mastra_convex.updates_jobs import next_fire, schedule_patch, task_update, text, with_id


def test_a_record_without_an_id_gets_a_random_one() -> None:
    given = {"scorerId": "s", "entityId": "e", "runId": "r", "source": "LIVE", "score": 1}
    given |= {"scorer": {}, "entity": {}, "output": None}
    first, second = (with_id(Score, given, "score")["score"] for _ in range(2))
    assert first["id"] != second["id"]
    assert with_id(Score, {**given, "id": "x"}, "score")["score"]["id"] == "x"
    model = Score.of(first)
    assert with_id(Score, model, "score") == {"score": first}


def test_none_takes_a_field_away() -> None:
    update = {"suspend_payload": None, "result": None, "startedAt": 5}
    assert task_update("k", update, "running") == {
        "id": "k",
        "update": {"suspendPayload": None, "result": None, "startedAt": 5},
        "expectedStatus": "running",
    }
    assert schedule_patch("d", {"timezone": None, "target": {"type": "x"}}) == {
        "id": "d",
        "timezone": None,
        "target": '{"type":"x"}',
    }
    assert task_update("k", {}, None) == {"id": "k", "update": {}}


@pytest.mark.parametrize(
    ("update", "words"),
    [
        ({"startedAt": 1, "started_at": 2}, "startedAt is given twice"),
        ({"createdAt": 1}, "createdAt cannot be updated"),
        ([("status", "x")], "a change is a mapping"),
        ({"retryCount": True}, "retryCount must be a whole number"),
    ],
)
def test_a_wrong_change_is_refused(update: Any, words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        task_update("k", update, None)


def test_a_claim_has_times_and_texts() -> None:
    claimed = next_fire("d", 1, "1970-01-01T00:00:00.002Z", 3, "run")
    assert claimed == {
        "id": "d",
        "expectedNextFireAt": 1,
        "newNextFireAt": 2,
        "lastFireAt": 3,
        "lastRunId": "run",
    }
    with pytest.raises(InvalidArgumentError, match="last_run_id must be text, not None"):
        next_fire("d", 1, 2, 3, None)
    assert text("x", "platform") == {"id": "x"}
