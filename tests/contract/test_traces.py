"""Traces: a trace with its spans inside, and the older row of one span."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given

from mastra_convex import ConvexStorage, InvalidArgumentError, Trace
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
    span,
    trace,
)

SPAN_ROW: Doc = {
    "id": "span-1",
    "parentSpanId": "span-0",
    "traceId": "trace-1",
    "name": "agent.generate",
    "scope": "default-tracer",
    "kind": 0,
    "attributes": {"http.status": 200, "$ref": "#/x"},
    "status": {"code": 1},
    "events": [{"name": "e", "time": [1, 2]}],
    "links": [],
    "other": {"droppedEventsCount": 0},
    "startTime": 1_700_000_000_000_123,
    "endTime": 1_700_000_000_000_456,
    "createdAt": "2023-11-14T22:13:20.000Z",
}


def test_a_missing_trace_is_none(storage: ConvexStorage) -> None:
    assert storage.get_trace("x") is None


def test_what_is_saved_comes_back(storage: ConvexStorage) -> None:
    given = trace(
        threadId="t",
        transportId="p",
        runId="w",
        rootRunId="w0",
        spans=[{"id": 1}, None],
        spanDurations={"a": 0.5},
        properties={"$k": {}},
        custom={"x": 1},
    )
    saved = storage.save_trace(given)
    assert storage.get_trace("x") == saved
    assert saved.to_dict() == given
    assert (saved.transport_id, saved.root_run_id) == ("p", "w0")
    assert (saved.spans, saved.span_durations) == ([{"id": 1}, None], {"a": 0.5})


@pytest.mark.parametrize(
    "given",
    [
        {"id": "x", "threadId": "t", "spanDurations": {}, "timestamp": T0, "createdAt": T0},
        {"id": "x", "thread_id": "t", "span_durations": {}, "timestamp": T0, "created_at": T0},
        Trace(
            id="x",
            thread_id="t",
            span_durations={},
            timestamp="2023-11-14T22:13:20Z",  # type: ignore[arg-type]
            created_at=T0,  # type: ignore[arg-type]
        ),
    ],
    ids=["camelCase", "snake_case", "model"],
)
def test_every_form_of_a_trace_is_the_same(storage: ConvexStorage, given: Any) -> None:
    saved = storage.save_trace(trace=given)
    expected = {"id": "x", "threadId": "t", "spanDurations": {}, "timestamp": T0, "createdAt": T0}
    assert saved.to_dict() == expected
    assert storage.get_trace(trace_id="x") == saved


def test_the_older_row_of_a_span(storage: ConvexStorage) -> None:
    saved = storage.save_trace(SPAN_ROW)
    # It has no timestamp: its place in lists is the time of its creation.
    assert saved.to_dict() == SPAN_ROW | {"createdAt": T0, "timestamp": T0}
    assert storage.save_trace(SPAN_ROW) == saved
    assert storage.get_traces(name="agent.", scope="default-tracer").traces == [saved]
    assert (saved.kind, saved.start_time, saved.parent_span_id) == (
        0,
        1.700000000000123e15,
        "span-0",
    )


def test_times_that_are_left_out_are_now(storage: ConvexStorage) -> None:
    before = now()
    saved = storage.save_trace({"id": "x"})
    assert before - 1 <= saved.timestamp.timestamp() * 1000 <= now() + 1
    assert saved.created_at == saved.timestamp
    assert storage.save_trace({"id": "x"}) == saved


def test_saving_replaces_all_but_the_time_of_creation(storage: ConvexStorage) -> None:
    storage.save_trace(trace(threadId="t", name="n", custom=1))
    saved = storage.save_trace(trace(runId="w", timestamp=at(3), createdAt=at(2)))
    assert saved.to_dict() == trace(runId="w", timestamp=at(3))
    assert storage.get_traces(thread_id="t").total == 0
    assert storage.get_traces(run_id="w").total == 1
    assert storage.get_traces(from_date=at(1)).total == 1
    # The time is kept when the new record has none.
    assert storage.save_trace({"id": "x"}).timestamp == saved.timestamp


def save_many(storage: ConvexStorage) -> list[Doc]:
    """Traces of which any two criteria differ; returns them newest first."""
    saved = [
        trace(
            f"x{n}",
            timestamp=at(n // 2) if n < 8 else at(n),
            threadId="ab"[n % 2],
            runId="ab"[n // 2 % 2],
            scope="ab"[n // 4 % 2],
            **({} if n % 5 == 0 else {"name": ["tool", "tool.call", "agent", "töol"][n % 4]}),
        )
        for n in range(24)
    ]
    for each in saved:
        storage.save_trace(each)
    return saved[::-1]


def test_every_combination_of_filters(storage: ConvexStorage) -> None:
    saved = save_many(storage)
    some = (None, "a")
    for thread_id, run_id, scope, name, first in product(
        some, some, some, (None, "", "tool", "tool.", "zzz"), (None, 2)
    ):
        expected = [
            each["id"]
            for each in saved
            if (thread_id is None or each["threadId"] == thread_id)
            and (run_id is None or each["runId"] == run_id)
            and (scope is None or each["scope"] == scope)
            and (not name or each.get("name", "").startswith(name))
            and (first is None or at(first) <= each["timestamp"] <= at(15))
        ]
        page = storage.get_traces(
            thread_id=thread_id,
            run_id=run_id,
            scope=scope,
            name=name,
            from_date=None if first is None else at(first),
            to_date=None if first is None else at(15),
            per_page=4,
            page=1,
        )
        found = (sorted(ids(page.traces)), page.total, page.has_more)
        assert found == (sorted(expected[4:8]), len(expected), len(expected) > 8)


def test_names_that_begin_alike(storage: ConvexStorage) -> None:
    for n, name in enumerate(["b", "a", "ab", "abc", "ac", "a", "A", "a\U0010ffff", "b"]):
        storage.save_trace(trace(f"x{n}", name=name, timestamp=at(n)))
    for prefix, expected in (("a", "754321"), ("ab", "32"), ("abcd", ""), ("A", "6")):
        found = ids(storage.get_traces(name=prefix).traces)
        assert found == [f"x{n}" for n in expected]
    pages = [storage.get_traces(name="a", page=n, per_page=4) for n in range(2)]
    assert [ids(page.traces) for page in pages] == [["x7", "x5", "x4", "x3"], ["x2", "x1"]]
    assert [(page.total, page.has_more) for page in pages] == [(6, True), (6, False)]
    last = storage.get_traces(name="a", page=1, per_page=3, include_total=False)
    assert (len(last.traces), last.total, last.has_more) == (3, None, False)
    # One name alone may have more than a page.
    for total in (True, False):
        page = storage.get_traces(name="abc", page=0, per_page=1, include_total=total)
        assert (ids(page.traces), page.has_more) == (["x3"], False)
        page = storage.get_traces(name="b", per_page=1, include_total=total)
        assert (ids(page.traces), page.has_more) == (["x8"], True)
    everything = storage.get_traces(name="a", per_page=False)
    assert (len(everything.traces), everything.total, everything.has_more) == (6, 6, False)


def test_pages_of_equal_times_overlap_nowhere(storage: ConvexStorage) -> None:
    for n in range(9):
        storage.save_trace(trace(f"x{n}", name=f"n{n % 3}"))
    found = [
        name
        for page in range(5)
        for name in ids(storage.get_traces(name="n", page=page, per_page=2).traces)
    ]
    assert sorted(found) == [f"x{n}" for n in range(9)]
    assert found == ids(storage.get_traces(name="n", per_page=False).traces)


def test_bad_traces_and_filters_are_refused(storage: ConvexStorage) -> None:
    with pytest.raises(InvalidArgumentError, match="save_trace: trace: id is missing or empty"):
        storage.save_trace({"spans": []})
    with pytest.raises(InvalidArgumentError, match="save_trace: trace 'x': kind must be a number"):
        storage.save_trace(trace(kind="client"))
    with pytest.raises(InvalidArgumentError, match=r"startTime .*2\^53"):
        storage.save_trace(trace(startTime=1_700_000_000_000_000_000))
    for name in ("thread_id", "run_id", "scope", "name"):
        with pytest.raises(InvalidArgumentError, match=r"get_traces: .* must be text, not 5"):
            storage.get_traces(**{name: 5})  # type: ignore[arg-type]
    assert storage.get_traces().total == 0


@on_one_storage
@given(spans=json_values, properties=json_objects)
def test_payloads_are_kept_exactly(storage: ConvexStorage, spans: Any, properties: Doc) -> None:
    given: Doc = {"spans": [spans], "spanDurations": properties, "properties": properties}
    given |= {name: [spans] for name in ("attributes", "status", "events", "links", "other")}
    storage.save_trace(trace(**given))
    found = storage.get_trace("x")
    assert found is not None
    assert exactly({name: found.to_dict()[name] for name in given}, given)


def of_mastra(span_id: str, **fields: Any) -> Doc:
    """A span inside a trace, in Mastra's form."""
    return {"spanId": span_id, "name": "n", "spanType": "tool_call", "startedAt": T0, **fields}


def test_spans_inside_a_trace_are_spans(storage: ConvexStorage) -> None:
    inside: list[Any] = [
        of_mastra("b", parentSpanId="a", startedAt="2023-11-14T22:13:20.000Z", input={"$k": 2**70}),
        of_mastra("a", endedAt=None, custom=[1]),
        {"id": "of an older form", "name": "n"},
        of_mastra("c", traceId="another"),
        of_mastra("d", startedAt="soon"),
        "no map",
    ]
    given = trace("x", threadId="t", runId="w", spans=inside)
    saved = storage.save_trace(given)
    # It comes back as it went in, and again when it is saved again.
    assert exactly(storage.get_trace("x").to_dict(), saved.to_dict())  # type: ignore[union-attr]
    assert saved.spans == inside
    assert storage.save_trace(given) == saved
    assert [s.span_id for s in storage.get_trace_structure("x") or []] == ["b", "a"]
    (root,) = storage.list_traces(filters={"threadId": "t"}).spans
    assert (root.span_id, root.run_id, root.extra) == ("a", "w", {"custom": [1]})
    assert storage.get_trace_structure("another") is None

    storage.update_span("x", "a", {"endedAt": at(1)})
    storage.create_span(span("late", "x", parentSpanId="a"))
    found = storage.get_trace("x")
    assert found is not None
    assert found.spans is not None
    assert found.spans[0] == inside[0]
    assert (found.spans[1]["endedAt"], found.spans[6]["spanId"]) == (at(1), "late")
    assert found.spans[2:6] == inside[2:]
    assert (found.run_id, found.timestamp) == (saved.run_id, saved.timestamp)
    # What is saved again is as it says.
    again = storage.save_trace(given)
    assert again.spans == inside
    assert (storage.get_trace("x") or again).spans == inside
    assert (storage.get_span("x", "a") or root).status == "running"


def test_a_trace_that_is_too_large_for_both_stays_one_document(storage: ConvexStorage) -> None:
    large = [of_mastra(f"s{n}", input="x" * 8000) for n in range(400)]
    storage.save_trace(trace("x", spans=large))
    many = [of_mastra(f"s{n}") for n in range(501)]
    storage.save_trace(trace("y", spans=many))
    for name, inside in (("x", large), ("y", many)):
        assert storage.get_trace_structure(name) is None
        assert (storage.get_trace(name) or trace()).spans == inside  # type: ignore[union-attr]
