"""Logs: what is said comes back, in time, by every filter."""

from queue import Queue
from typing import Any

from mastra_convex import ConvexStorage, Log
from tests.contract.faces import SECONDS
from tests.contract.records import (
    Doc,
    at,
    exactly,
    log,
    metric,
    opinion,
    rating,
    span,
)

CONTEXT: Doc = {
    **{name: name for name in ("traceId", "spanId", "messageId", "threadId", "runId")},
    **{name: name for name in ("resourceId", "userId", "organizationId", "sessionId")},
    **{name: name for name in ("requestId", "experimentId", "environment", "serviceName")},
    **{
        f"{of}ntity{what}": f"{of}{what}"
        for of in ("e", "parentE", "rootE")
        for what in ("Type", "Id", "Name", "VersionId")
    },
    "executionSource": "local",
}
FULL: Doc = {
    **log(level="error", data={"$a": [1]}),
    **CONTEXT,
    "scope": {"core": "1.0"},
    "tags": ["a", "b"],
    "metadata": {"k": 1},
}


def found(storage: ConvexStorage, filters: Any = None, **how: Any) -> list[str]:
    """The ids of a list of logs."""
    return [each.log_id for each in storage.list_logs(filters, **how).logs]


def test_what_is_said_comes_back(storage: ConvexStorage) -> None:
    storage.batch_create_logs([{**FULL, "custom": 1}])
    (one,) = storage.list_logs().logs
    shown = one.to_dict()
    assert shown.pop("createdAt") > FULL["timestamp"]
    assert shown == {**FULL, "custom": 1}
    assert (one.level, one.message, one.data, one.tags) == ("error", "l", {"$a": [1]}, ["a", "b"])
    model = Log(log_id="m", level="debug", message="", timestamp=one.timestamp)
    storage.batch_create_logs([model])
    assert storage.list_logs({"level": "debug"}).logs[0].message == ""


def test_texts_and_payloads_come_back_exactly(storage: ConvexStorage) -> None:
    texts = ["", "\0", "a\ud800", "\udfff", '"{}', "\U0001f9f5"]
    data = {"$a": [2**80, 1.0, -0.0, None, {"ä": []}], "": texts}
    storage.batch_create_logs(
        [log(f"{n}", message=text, data=data) for n, text in enumerate(texts)]
    )
    for one in storage.list_logs().logs:
        assert one.message == texts[int(one.log_id)]
        assert exactly(one.data, data)


def test_saving_again_replaces_in_place(storage: ConvexStorage) -> None:
    storage.batch_create_logs([log("a"), log("b", timestamp=at(1))])
    before = storage.list_logs().logs
    storage.batch_create_logs([log("a"), log("b", timestamp=at(1))])
    assert storage.list_logs().logs == before
    storage.batch_create_logs([log("a", message="other", source="cloud")])
    newest, oldest = storage.list_logs().logs
    assert (oldest.message, oldest.execution_source) == ("other", "cloud")
    assert (oldest.created_at, newest) == (before[1].created_at, before[0])


def test_lists_by_every_filter(storage: ConvexStorage) -> None:
    tagged = log("b", level="warn", timestamp=at(2), tags=["a", "b", "c"], metadata={"k": 2})
    storage.batch_create_logs([FULL, tagged, log("c", timestamp=at(1))])
    for name, value in CONTEXT.items():
        assert found(storage, {name: value}) == ["l"]
        assert found(storage, {name: "other"}) == []
    assert found(storage) == ["b", "c", "l"]
    assert found(storage, {"level": ["error", "warn", "warn"]}) == ["b", "l"]
    assert found(storage, {"level": ["info"], "tags": []}) == ["c"]
    assert found(storage, {"level": []}) == []
    assert found(storage, {"tags": ["b", "a"]}) == ["b", "l"]
    assert found(storage, {"tags": ["c"], "traceId": None}) == ["b"]
    assert found(storage, {"metadata": {"k": 1}}) == ["l"]
    assert found(storage, {"entity_name": "eName", "source": "local"}) == ["l"]
    assert found(storage, {"traceId": "traceId", "level": "warn"}) == []
    between: Doc = {"start": at(0), "end": at(2)}
    assert found(storage, {"timestamp": between}) == ["b", "c", "l"]
    assert found(storage, {"timestamp": {**between, "startExclusive": True}}) == ["b", "c"]
    assert found(storage, {"timestamp": {**between, "end_exclusive": True}}) == ["c", "l"]
    open_ended = {"start": at(1), "end": None, "endExclusive": True}
    assert found(storage, {"timestamp": open_ended, "level": ["info", "warn"]}) == ["b", "c"]


def test_pages(storage: ConvexStorage) -> None:
    levels = ["info", "warn", "error"]
    storage.batch_create_logs(
        [log(f"{n:03}", level=levels[n % 3], timestamp=at(n)) for n in range(700)]
    )
    page = storage.list_logs({"level": ["warn", "error"]}, page=2, per_page=3)
    assert [each.log_id for each in page.logs] == ["689", "688", "686"]
    assert page.pagination == {"total": 466, "page": 2, "perPage": 3, "hasMore": True}
    up = {"field": "timestamp", "direction": "ASC"}
    assert found(storage, order_by=up, page=69) == [f"{n:03}" for n in range(690, 700)]
    everything = storage.list_logs(per_page=False)
    assert (everything.total, len(everything.logs), everything.has_more) == (700, 700, False)
    untold = storage.list_logs({"level": "warn"}, per_page=2, include_total=False)
    assert (untold.total, untold.has_more) == (None, True)


def test_signals_go_with_their_traces(storage: ConvexStorage) -> None:
    def save() -> None:
        of = {"a": {"organizationId": "o"}, "b": {"organizationId": "p"}, "c": {}}
        for trace, tenant in of.items():
            storage.create_span(span("s", trace, **tenant))
            storage.batch_create_logs([log(f"{trace}{n}", traceId=trace, **tenant) for n in "xy"])
            storage.batch_create_metrics([metric(trace, 1, traceId=trace, **tenant)])
            storage.create_score(rating(trace, 0.5, traceId=trace, **tenant))
            storage.create_feedback(opinion(trace, traceId=trace, **tenant))
        storage.batch_create_logs([log("z"), log("other", traceId="a", organizationId="p")])

    def left() -> tuple[str, ...]:
        metrics, scores = storage.list_metrics().metrics, storage.list_scores().scores
        feedback = storage.list_feedback().feedback
        return (
            " ".join(sorted(found(storage))),
            "".join(sorted(each.metric_id for each in metrics)),
            "".join(sorted(each.score_id for each in scores)),
            "".join(sorted(each.feedback_id for each in feedback)),
            "".join(t for t in "abc" if storage.get_trace_structure(t)),
        )

    save()
    storage.batch_delete_traces(["a", "b", "none"], organization_id="o")
    assert left() == ("bx by cx cy other z", "bc", "bc", "bc", "bc")
    storage.batch_delete_traces([*(f"none {n}" for n in range(60)), "a", "b", "c"])
    assert left() == ("z", "", "", "", "")
    many = [log(f"{n:04}", traceId="t", timestamp=at(n)) for n in range(510)]
    storage.batch_create_logs(many)
    storage.batch_delete_traces(["t", "z"])
    assert found(storage) == ["z"]


def test_the_newest_are_watched(storage: ConvexStorage) -> None:
    wanted = {"level": ["warn", "error"], "traceId": "t"}
    with storage.watch_logs(wanted, last=2) as watch:
        assert watch.next(SECONDS) == []
        storage.batch_create_logs(
            [log("a", level="warn", traceId="t"), log("b", traceId="t"), log("c", level="error")]
        )
        assert [each.log_id for each in watch.next(SECONDS)] == ["a"]
        storage.batch_create_logs(
            [log(n, level="error", traceId="t", timestamp=at(int(n))) for n in "123"]
        )
        assert [each.log_id for each in watch.next(SECONDS)] == ["3", "2"]
        storage.batch_delete_traces(["t"])
        assert watch.next(SECONDS) == []


def test_each_kind_is_watched(storage: ConvexStorage) -> None:
    storage.batch_create_metrics([metric("a", n) for n in range(2)])
    storage.create_score(rating("b"))
    storage.create_feedback(opinion("c"))
    with storage.watch_metrics({"name": ["tokens"]}) as metrics:
        assert [each.value for each in metrics.next(SECONDS)] == [1]
    with storage.watch_score_events({"scorerId": "tone"}) as scores:
        assert [each.score_id for each in scores.next(SECONDS)] == ["b"]
    with storage.watch_feedback() as feedback:
        assert [each.feedback_id for each in feedback.next(SECONDS)] == ["c"]
    seen: Queue[Any] = Queue()
    stops = [
        storage.subscribe_to_logs(seen.put),
        storage.subscribe_to_metrics(seen.put, last=1),
        storage.subscribe_to_score_events(seen.put, {"traceId": "none"}),
        storage.subscribe_to_feedback(seen.put),
    ]
    assert sorted(len(seen.get(timeout=SECONDS)) for _ in stops) == [0, 0, 1, 1]
    for stop in stops:
        stop()
