"""Scores: what scorers have found, listed by scorer, run, entity and span."""

from typing import Any

import pytest
from hypothesis import given

from mastra_convex import ConvexStorage, InvalidArgumentError, InvalidPayloadError, Score
from tests.contract.records import (
    T0,
    Doc,
    at,
    exactly,
    ids,
    json_objects,
    json_values,
    now,
    on_one_storage,
    score,
)

FULL: Doc = {
    **score(traceId="t", spanId="n", resourceId="r", threadId="h", reason="so"),
    "organizationId": "o",
    "projectId": "p",
    "batchId": "b",
    "datasetId": "d",
    "datasetItemId": "i",
    "structuredOutput": True,
    "input": ["hi"],
    "output": {"a": 1},
    **{f"{name}Prompt": name for name in ("reason", "extract", "analyze", "preprocess")},
    "generateScorePrompt": "g",
    "generateReasonPrompt": "h",
    "metadata": {"m": 1},
    **{f"{name}StepResult": {name: 1} for name in ("extract", "analyze", "preprocess")},
    "additionalContext": {"c": 1},
    "requestContext": {"r": 1},
    "updatedAt": at(1),
}


def test_a_missing_score_is_none(storage: ConvexStorage) -> None:
    assert storage.get_score_by_id("s") is None


def test_what_is_saved_comes_back(storage: ConvexStorage) -> None:
    saved = storage.save_score({**FULL, "custom": 1})
    assert saved.to_dict() == {**FULL, "custom": 1}
    assert storage.get_score_by_id(score_id="s") == saved
    assert (saved.score, saved.structured_output, saved.output) == (0.5, True, {"a": 1})
    model = Score(
        id="m",
        scorer_id="tone",
        entity_id="a",
        run_id="w",
        source="TEST",
        score=0,
        scorer={},
        entity={},
        output=None,
    )
    assert storage.save_score(model).score == 0
    found = storage.get_score_by_id("m")
    assert found is not None
    assert (found.output, found.entity_type) == (None, None)


@on_one_storage
@given(output=json_values, scorer=json_objects)
def test_payloads_come_back_exactly(storage: ConvexStorage, output: Any, scorer: Doc) -> None:
    found = storage.save_score(score(output=output, scorer=scorer))
    assert exactly(found.output, output)
    assert exactly(found.scorer, scorer)


def test_a_score_without_an_id_gets_one(storage: ConvexStorage) -> None:
    given = {name: value for name, value in score().items() if name != "id"}
    first, second = storage.save_score(given), storage.save_score({**given, "id": None})
    assert first.id != second.id
    assert ids(storage.list_scores_by_run_id("w").scores) == [second.id, first.id]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"scorerId": None}, "scorerId is missing or empty"),
        ({"entityId": ""}, "entityId is missing or empty"),
        ({"runId": 5}, "runId must be text"),
        ({"score": "1"}, "score must be a number"),
        ({"score": float("inf")}, "score is inf; give a finite number"),
        ({"source": "live"}, "'LIVE', 'TEST'"),
        ({"entityType": "agent"}, "entityType 'agent' is not 'AGENT'"),
        ({"scorer": "tone"}, "scorer must be a map"),
        ({"metadata": [1]}, "metadata must be a map"),
        ({"structuredOutput": 1}, "structuredOutput must be True or False"),
    ],
)
def test_what_is_no_score_is_refused(storage: ConvexStorage, fields: Doc, text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=text):
        storage.save_score(score(**fields))
    assert storage.list_scores_by_scorer_id("tone").total == 0


def test_the_output_must_be_given(storage: ConvexStorage) -> None:
    given = {name: value for name, value in score().items() if name != "output"}
    with pytest.raises(InvalidArgumentError, match="score 's': output is missing"):
        storage.save_score(given)
    with pytest.raises(InvalidPayloadError, match=r"score 's': output\[0\] is of type bytes"):
        storage.save_score({**given, "output": [b"x"]})


def test_every_kind_of_span_can_be_scored(storage: ConvexStorage) -> None:
    for kind in ("STEP", "TRAJECTORY", "EXTERNAL", "tool_call", "workflow_step", "agent_signal"):
        storage.save_score(score(kind, entityType=kind))
        found = storage.list_scores_by_entity_id("a", kind)
        assert (ids(found.scores), found.total) == ([kind], 1)


def test_saving_again_replaces_all_but_creation(storage: ConvexStorage) -> None:
    first = storage.save_score(score(reason="x", metadata={"a": 1}))
    assert storage.save_score(score(reason="x", metadata={"a": 1})) == first
    before = int(now())
    second = storage.save_score(score(score=1, source="TEST", createdAt=at(5)))
    assert (second.score, second.reason, second.metadata) == (1, None, None)
    assert second.created_at == first.created_at
    assert second.updated_at.timestamp() * 1000 >= before
    totals = [storage.list_scores_by_scorer_id("tone", source=s).total for s in ("LIVE", "TEST")]
    assert totals == [0, 1]


@pytest.fixture
def five(storage: ConvexStorage) -> ConvexStorage:
    """Five scores, a moment after one another."""
    rows: list[Doc] = [
        {"traceId": "t", "spanId": "n", "organizationId": "o1"},
        {"source": "TEST", "traceId": "t", "spanId": "n2", "organizationId": "o2"},
        {"runId": "w2", "entityType": "WORKFLOW", "organizationId": "o1", "projectId": "p1"},
        {"scorerId": "other", "traceId": "t", "spanId": "n", "organizationId": "o1"},
        {"entityId": "b", "organizationId": "o1"},
    ]
    for n, row in enumerate(rows):
        storage.save_score(score(f"s{n}", createdAt=at(n), **row))
    return storage


def test_lists_are_newest_first(five: ConvexStorage) -> None:
    by_scorer = five.list_scores_by_scorer_id("tone")
    assert (ids(by_scorer.scores), by_scorer.total) == (["s4", "s2", "s1", "s0"], 4)
    assert ids(five.list_scores_by_run_id("w").scores) == ["s4", "s3", "s1", "s0"]
    assert ids(five.list_scores_by_entity_id("a", "AGENT").scores) == ["s3", "s1", "s0"]
    assert ids(five.list_scores_by_span("t", "n").scores) == ["s3", "s0"]
    assert five.list_scores_by_span("t", "no").total == 0


def test_criteria_combine(five: ConvexStorage) -> None:
    tone = five.list_scores_by_scorer_id
    assert ids(tone("tone", source="LIVE").scores) == ["s4", "s2", "s0"]
    assert ids(tone("tone", entity_id="a", entity_type="AGENT").scores) == ["s1", "s0"]
    assert ids(tone("tone", entity_id="b").scores) == ["s4"]
    assert ids(tone("tone", entity_id="", entity_type="").scores) == ["s4", "s2", "s1", "s0"]
    found = tone("tone", filters={"organizationId": "o1"})
    assert (ids(found.scores), found.total) == (["s4", "s2", "s0"], 3)
    both = {"organization_id": "o1", "project_id": "p1"}
    assert ids(tone("tone", filters=both).scores) == ["s2"]
    assert ids(five.list_scores_by_run_id("w", filters={"organizationId": "o2"}).scores) == ["s1"]
    assert five.list_scores_by_span("t", "n", filters={"projectId": "p1"}).total == 0
    by_entity = five.list_scores_by_entity_id("a", "AGENT", filters={"organizationId": "o1"})
    assert ids(by_entity.scores) == ["s3", "s0"]


def test_pages_have_both_forms(five: ConvexStorage) -> None:
    page = five.list_scores_by_scorer_id("tone", page=1, per_page=3)
    assert (ids(page.scores), page.total, page.has_more) == (["s0"], 4, False)
    theirs = five.list_scores_by_scorer_id("tone", pagination={"page": 0, "perPage": 3})
    assert theirs.pagination == {"total": 4, "page": 0, "perPage": 3, "hasMore": True}
    every = five.list_scores_by_run_id("w", pagination={"page": 0, "perPage": False})
    assert (len(every.scores), every.per_page, every.has_more) == (4, False, False)
    none = five.list_scores_by_run_id("w", per_page=0)
    assert (none.scores, none.total, none.has_more) == ([], 4, True)
    filtered = five.list_scores_by_scorer_id("tone", filters={"organizationId": "o1"}, per_page=2)
    assert (ids(filtered.scores), filtered.total, filtered.has_more) == (["s4", "s2"], 3, True)
    assert five.list_scores_by_run_id("w", include_total=False).total is None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"page": -1}, "page must be >= 0"),
        ({"pagination": {"page": 0, "perPage": 1.5}}, "per_page must be >= 0"),
        ({"pagination": {"limit": 5}}, "pagination is a mapping with page and perPage"),
        ({"filters": {"tenant": "x"}}, "filters is a mapping with organizationId"),
        ({"filters": {"projectId": 5}}, "projectId must be text"),
        ({"source": "live"}, "source is 'LIVE' or 'TEST'"),
        ({"entity_id": 5}, "entity_id must be text"),
    ],
)
def test_bad_arguments_are_refused(storage: ConvexStorage, arguments: Doc, text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=text):
        storage.list_scores_by_scorer_id("tone", **arguments)


def test_scores_of_a_scorer_and_a_run_are_watched(storage: ConvexStorage) -> None:
    storage.save_score(score("a"))
    with (
        storage.watch_scorer_scores("tone", last=2) as of_scorer,
        storage.watch_run_scores("w") as of_run,
    ):
        assert ids(of_scorer.next(10)) == ids(of_run.next(10)) == ["a"]
        storage.save_score(score("b", createdAt=at(1)))
        assert ids(of_scorer.next(10)) == ids(of_run.next(10)) == ["b", "a"]
        storage.save_score(score("c", runId="other", createdAt=at(2)))
        assert ids(of_scorer.next(10)) == ["c", "b"]
        with pytest.raises(TimeoutError):
            of_run.next(0.1)
    got: list[Any] = []
    unsubscribe = storage.subscribe_to_scorer_scores("tone", got.append, source="TEST")
    stop = storage.subscribe_to_run_scores("w", lambda _: None, last=1)
    storage.save_score(score("d", source="TEST", createdAt=at(3)))
    deadline = now() + 10_000
    while (not got or ids(got[-1]) != ["d"]) and now() < deadline:
        storage.get_score_by_id("d")
    assert ids(got[-1]) == ["d"]
    unsubscribe()
    stop()


def test_clearing_forgets_the_totals(five: ConvexStorage) -> None:
    five.clear_table("scores")
    assert five.list_scores_by_scorer_id("tone").total == 0
    five.save_score(score(createdAt=T0))
    assert five.list_scores_by_scorer_id("tone").total == 1
