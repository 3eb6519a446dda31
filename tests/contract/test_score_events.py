"""Scores of the observability domain, attached to traces, spans, messages, runs and threads."""

from typing import Any

from mastra_convex import Aggregate, ConvexStorage, Group, ScoreEvent
from tests.contract.records import T0, Doc, at, rating, score

FULL: Doc = {
    **rating(score=0.25),
    "scorerName": "Tone",
    "scorerVersion": "2",
    "scoreSource": "live",
    "reason": "a\ud800b",
    "scoreTraceId": "other",
    "metadata": {"m": [1]},
}


def found(storage: ConvexStorage, filters: Any = None, **how: Any) -> list[str]:
    """The ids of a list of scores."""
    return [each.score_id for each in storage.list_scores(filters, **how).scores]


def five(storage: ConvexStorage) -> None:
    """Scores of two scorers over three hours."""
    rows = [("a", 0.5, 0, "live"), ("b", 1.0, 1, "test"), ("c", 0.0, 3600, "live")]
    storage.batch_create_scores(
        [rating(n, s, timestamp=at(t), scoreSource=src, threadId="h") for n, s, t, src in rows]
    )
    storage.create_score(rating("d", 0.75, timestamp=at(7200), scoreSource="live", userId="u"))
    storage.create_score(rating("e", 7, scorerId="facts", timestamp=at(2), metadata={"k": None}))


def test_what_is_scored_comes_back(storage: ConvexStorage) -> None:
    storage.create_score(FULL)
    one = storage.get_score_event(score_id="s")
    assert one is not None
    shown = one.to_dict()
    del shown["createdAt"]
    assert shown == FULL
    storage.create_score(ScoreEvent(score_id="t", scorer_id="x", score=1))
    other = storage.get_score_event("t")
    assert other is not None
    assert other.timestamp == other.created_at
    # The scores of the other domain are not among them.
    storage.save_score(score("s"))
    assert storage.get_score_event("none") is None
    assert storage.list_scores().total == 2


def test_the_older_name_of_the_source(storage: ConvexStorage) -> None:
    storage.create_score(rating("a", source="live"))
    storage.create_score(rating("b", source="live", scoreSource="test"))
    sources = {each.score_id: each.score_source for each in storage.list_scores().scores}
    assert sources == {"a": "live", "b": "test"}
    assert found(storage, {"source": "live"}) == ["a"]


def test_scores_of_something(storage: ConvexStorage) -> None:
    of = {"traceId": "t", "spanId": "n", "messageId": "m", "runId": "r", "threadId": "h"}
    storage.create_score(rating("a", 0.5, **of, resourceId="alice"))
    storage.create_score(rating("b", traceId="t", timestamp=at(1)))
    for name, value in of.items():
        assert found(storage, {name: value}) == (["b", "a"] if name == "traceId" else ["a"])
    assert found(storage, {"traceId": "t", "spanId": "n"}) == ["a"]
    assert found(storage, {"resourceId": "alice", "traceId": "t"}) == ["a"]


def test_lists_and_their_orders(storage: ConvexStorage) -> None:
    five(storage)
    assert found(storage) == ["d", "c", "e", "b", "a"]
    assert found(storage, {"scorerId": ["tone", "facts"], "scoreSource": "live"}) == ["d", "c", "a"]
    assert found(storage, {"metadata": {"k": None}}) == ["e"]
    by_score = {"field": "score"}
    assert found(storage, order_by=by_score) == ["e", "b", "d", "a", "c"]
    assert found(storage, {"scorerId": "tone"}, order_by={**by_score, "direction": "ASC"}) == [
        *("c", "a", "d", "b")
    ]
    best = storage.list_scores(
        {"threadId": "h", "timestamp": {"start": T0, "end": at(1)}}, order_by=by_score, per_page=1
    )
    assert ([each.score_id for each in best.scores], best.total, best.has_more) == (["b"], 2, True)


def test_what_is_computed_from_scores(storage: ConvexStorage) -> None:
    five(storage)
    assert storage.get_score_aggregate("tone", "avg").value == 0.5625
    assert storage.get_score_aggregate("tone", "last", score_source="live").value == 0.75
    assert storage.get_score_aggregate("tone", "sum", filters={"scoreSource": "test"}).value == 1
    both = storage.get_score_aggregate("tone", "sum", filters={"scorerId": ["facts"]})
    assert both == Aggregate(None)
    assert storage.get_score_breakdown("tone", "max", ["scoreSource", "user_id"]) == [
        Group({"scoreSource": "test", "user_id": None}, 1.0),
        Group({"scoreSource": "live", "user_id": "u"}, 0.75),
        Group({"scoreSource": "live", "user_id": None}, 0.5),
    ]
    (one,) = storage.get_score_time_series("tone", "count", "1h", score_source="live")
    assert (one.name, [point.value for point in one.points]) == ("tone|live", [1, 1, 1])
    series = storage.get_score_time_series("tone", "sum", "1d", group_by=["scoreSource"])
    assert {s.name: [p.value for p in s.points] for s in series} == {
        "live": [0.5, 0.75],
        "test": [1],
    }
    (median,) = storage.get_score_percentiles("tone", [0.5], "1d")
    assert [point.value for point in median.points] == [0.5, 0.75]


def test_scores_are_deleted(storage: ConvexStorage) -> None:
    storage.batch_create_scores(
        [rating(n, organizationId=o, resourceId=r) for n, o, r in ("aox", "bpx", "coy", "doy")]
    )
    storage.delete_scores([])
    storage.delete_scores(["a", "b", "none"], organization_id="o", resource_id="y")
    assert sorted(found(storage)) == ["a", "b", "c", "d"]
    storage.delete_scores(["a", "b", "c", "none"], organization_id="o")
    assert sorted(found(storage)) == ["b", "d"]
    storage.delete_scores([*map(str, range(600)), "b", "b"])
    assert found(storage) == ["d"]
