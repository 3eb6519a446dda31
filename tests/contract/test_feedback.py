"""Feedback: thumbs, ratings and comments, attached to traces, spans, messages, runs and threads."""

from typing import Any

import pytest

from mastra_convex import ConvexStorage, Feedback, Group, NotFoundError
from tests.contract.records import Doc, at, opinion

FULL: Doc = {
    **opinion(value="up"),
    "feedbackSource": "app",
    "feedbackUserId": "u",
    "comment": "nice \0",
    "sourceId": "x",
    "reviewStatus": "reviewed",
    "metadata": {"m": 1},
}


def found(storage: ConvexStorage, filters: Any = None, **how: Any) -> list[str]:
    """The ids of a list of feedback."""
    return [each.feedback_id for each in storage.list_feedback(filters, **how).feedback]


def one(storage: ConvexStorage, feedback_id: str = "f") -> Feedback:
    """The feedback with this id, which is there."""
    feedback = storage.get_feedback(feedback_id)
    assert feedback is not None
    return feedback


def test_what_is_said_comes_back(storage: ConvexStorage) -> None:
    assert storage.get_feedback("f") is None
    storage.create_feedback(FULL)
    shown = one(storage).to_dict()
    del shown["createdAt"]
    assert shown == FULL
    storage.create_feedback(opinion("g", 4))
    plain = one(storage, "g")
    assert (plain.value, plain.feedback_source, plain.review_status) == (4, "", "needs-review")
    storage.create_feedback(Feedback(feedback_id="h", feedback_type="thumb", value="down"))
    assert one(storage, "h").value == "down"


def test_whose_it_is(storage: ConvexStorage) -> None:
    storage.batch_create_feedback(
        [
            opinion("a", feedbackUserId="x", userId="y"),
            opinion("b", userId="y", metadata={"userId": "z"}),
            opinion("c", metadata={"userId": "z"}),
            opinion("d", metadata={"userId": 5}),
        ]
    )
    users = {each.feedback_id: each.feedback_user_id for each in storage.list_feedback().feedback}
    assert users == {"a": "x", "b": "y", "c": "z", "d": None}
    assert one(storage, "b").user_id == "y"
    assert found(storage, {"feedbackUserId": "y"}) == ["b"]


def test_feedback_of_something(storage: ConvexStorage) -> None:
    of = {"traceId": "t", "spanId": "n", "messageId": "m", "runId": "r", "threadId": "h"}
    storage.create_feedback(opinion("a", **of, source="app"))
    storage.create_feedback(opinion("b", feedbackType="thumb", timestamp=at(1), traceId="t"))
    for name, value in of.items():
        assert found(storage, {name: value}) == (["b", "a"] if name == "traceId" else ["a"])
    assert found(storage, {"traceId": "t", "spanId": "n"}) == ["a"]
    assert found(storage, {"feedbackType": ["thumb", "rating"]}) == ["b", "a"]
    assert found(storage, {"feedbackType": "thumb"}) == ["b"]
    assert found(storage, {"source": "app"}) == found(storage, {"feedbackSource": "app"}) == ["a"]
    assert found(storage, order_by={"direction": "ASC"}) == ["a", "b"]


def test_it_is_reviewed(storage: ConvexStorage) -> None:
    storage.batch_create_feedback([opinion("a"), opinion("b", timestamp=at(1))])
    before = one(storage, "a")
    reviewed = storage.update_feedback_review_status("a", "reviewed")
    assert reviewed == one(storage, "a")
    assert (reviewed.review_status, reviewed.created_at) == ("reviewed", before.created_at)
    assert found(storage, {"reviewStatus": "needs-review"}) == ["b"]
    # Sent once more, as after a lost reply.
    storage.batch_create_feedback([opinion("a"), opinion("b", timestamp=at(1))])
    assert found(storage, {"reviewStatus": "reviewed"}) == ["a"]
    assert storage.update_feedback_review_status("a", "needs-review") == before
    with pytest.raises(NotFoundError):
        storage.update_feedback_review_status("none", "reviewed")


def test_what_is_computed_from_numbers(storage: ConvexStorage) -> None:
    values: list[tuple[float | str, str]] = [
        (5, "app"),
        (" 3 ", "app"),
        ("bad", "app"),
        ("0x10", "web"),
        ("", "web"),
        (-1, "web"),
    ]
    storage.batch_create_feedback(
        [
            opinion(f"f{n}", value, timestamp=at(n), feedbackSource=source)
            for n, (value, source) in enumerate(values)
        ]
    )
    assert storage.get_feedback_aggregate("rating", "sum").value == 23
    assert storage.get_feedback_aggregate("rating", "count", feedback_source="app").value == 2
    assert storage.get_feedback_aggregate("thumb", "avg").value is None
    assert storage.get_feedback_breakdown("rating", "avg", ["feedbackSource"]) == [
        Group({"feedbackSource": "web"}, 7.5),
        Group({"feedbackSource": "app"}, 4),
    ]
    (series,) = storage.get_feedback_time_series("rating", "last", "1d")
    assert [point.value for point in series.points] == [-1]
    low, high = storage.get_feedback_percentiles("rating", [0.25, 1], "1d")
    assert ([p.value for p in low.points], [p.value for p in high.points]) == ([2], [16])


def test_it_is_deleted(storage: ConvexStorage) -> None:
    storage.batch_create_feedback(
        [opinion(n, organizationId=o, resourceId=r) for n, o, r in ("aox", "bpx", "coy")]
    )
    storage.delete_feedback(["a", "b", "c"], organization_id="o", resource_id="x")
    assert sorted(found(storage)) == ["b", "c"]
    storage.delete_feedback(feedback_ids=["b", "b", "none"])
    assert found(storage) == ["c"]
