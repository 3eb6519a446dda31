"""What a trace keeps of its spans, against a recount after each change."""

import random
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any

import pytest

from mastra_convex.engine.context import MutationCtx
from mastra_convex.errors import LimitExceededError
from mastra_convex.functions.lib import counters
from mastra_convex.functions.lib import paging as pages
from mastra_convex.functions.lib.listed import RUNNING
from mastra_convex.functions.lib.records import by_key
from mastra_convex.functions.lib.spans import (
    Traces,
    change_span,
    check_count,
    key_of,
    remove_trace,
    save_span,
    some_by_key,
)
from tests.functions.lib.inside import Inside

Doc = dict[str, Any]
Docs = dict[Any, Doc]
# Counted lists of traces, by their criterion; the spans here have no thread and no entity.
COUNTED = ("resourceId",)


def span(span_id: str, trace_id: str = "t", **fields: Any) -> Doc:
    own = {"traceId": trace_id, "spanId": span_id, "name": "n", "spanType": "x", "startedAt": 1}
    return {**own, **fields}


def keys(names: str) -> list[Doc]:
    return [{"traceId": "t", "spanId": name} for name in names]


def save(ctx: MutationCtx, *spans: Doc) -> None:
    save_all(ctx, spans)


def save_all(ctx: MutationCtx, spans: Iterable[Doc]) -> None:
    traces = Traces(ctx)
    for each in spans:
        save_span(ctx, traces, each)
    traces.write()


def change(ctx: MutationCtx, trace_id: str, span_id: str, **fields: Any) -> None:
    trace = by_key(ctx, "spanTraces", trace_id)
    before = trace and by_key(ctx, "spans", key_of(trace), span_id)
    if before:
        traces = Traces(ctx)
        assert traces.get(trace_id) == trace
        change_span(ctx, traces, before, {"traceId": trace_id, "spanId": span_id, **fields})
        traces.write()


def remove(ctx: MutationCtx, trace_id: str) -> None:
    trace = by_key(ctx, "spanTraces", trace_id)
    if trace:
        remove_trace(ctx, trace)


def stored(inside: Inside, table: str) -> list[Doc]:
    found: list[Doc] = inside(lambda ctx: ctx.db.query(table).with_index("by_key").take(1000))
    return found


def check(inside: Inside) -> None:
    """Nothing is there that belongs to nothing, and what is kept is what a recount finds."""
    traces = {key_of(each): each for each in stored(inside, "spanTraces")}
    spans = {(each["trace"], each["spanId"]): each for each in stored(inside, "spans")}
    bodies = {(each["trace"], each["spanId"]) for each in stored(inside, "spanBodies")}
    assert traces.keys() == {trace for trace, _ in spans}
    assert bodies <= spans.keys()
    errors = Counter(trace for (trace, _), each in spans.items() if "error" in each)
    for key, trace in traces.items():
        assert trace["failed"] is (errors[key] > 0)
        head = spans[key, trace["headSpanId"]]
        assert trace.get("resourceId") == head.get("resourceId")
        assert trace.get("organizationId") == head.get("organizationId")
        assert ("startedAt" in trace) is ("parentSpanId" not in head)
        assert trace.get("startedAt", head["startedAt"]) == head["startedAt"]
    kept = {each["first"]: each["count"] for each in stored(inside, "counters")}
    of_lists = Counter(
        each[name]
        for each in check_lists(inside, traces, spans)
        for name in COUNTED
        if name in each
    )
    assert kept == errors + of_lists


def check_lists(inside: Inside, traces: Docs, spans: Docs) -> list[Doc]:
    """Both lists have a document for each span that belongs there; returns those of traces."""
    roots = stored(inside, "traceRoots")
    rooted = [spans[key, each["headSpanId"]] for key, each in traces.items() if "startedAt" in each]
    branches = [each for each in spans.values() if each["spanType"] == "tool_call"]
    failed = {each["trace"]: {"failed": traces[each["trace"]]["failed"]} for each in rooted}
    assert in_order(roots) == in_order({**row_of(each), **failed[each["trace"]]} for each in rooted)
    assert in_order(stored(inside, "traceBranches")) == in_order(map(row_of, branches))
    return roots


def row_of(span: Doc) -> Doc:
    ended = {"endedAt": RUNNING} | span
    status = "error" if "error" in span else "success" if "endedAt" in span else "running"
    names = ("trace", "spanId", "startedAt", "resourceId")
    kept: Doc = {name: span[name] for name in names if name in span}
    return {**kept, "endsAt": ended["endedAt"], "status": status}


def in_order(documents: Iterable[Doc]) -> list[Doc]:
    rows = [{name: x for name, x in each.items() if name != "_id"} for each in documents]
    return sorted(rows, key=lambda row: (row["trace"], row["spanId"]))


def test_what_a_trace_keeps_is_what_its_spans_say(inside: Inside) -> None:
    dice = random.Random(41)

    def some(name: str, *values: Any) -> Doc:
        return {name: dice.choice(values)} if dice.random() < 0.5 else {}

    for _ in range(250):
        trace_id = dice.choice("tuv")
        fields = {
            **some("parentSpanId", "a", "b"),
            **some("error", "1"),
            **some("resourceId", "r", "s"),
            **some("organizationId", "o"),
            **some("startedAt", 2, 3),
            **some("endedAt", 4),
            **some("spanType", "tool_call"),
        }
        body = some("input", "1", "2")
        action = dice.random()
        if action < 0.4:
            several = [span(name, trace_id, **fields, **body) for name in dice.sample("abcd", 2)]
            inside(partial(save_all, spans=several))
        elif action < 0.9:
            cleared = dice.sample(["error", "parentSpanId", "resourceId", "endedAt", "input"], 2)
            fields |= {"cleared": [name for name in cleared if name not in {**fields, **body}]}
            changes = {**fields, **body}
            inside(partial(change, trace_id=trace_id, span_id=dice.choice("abcd"), **changes))
        else:
            inside(partial(remove, trace_id=trace_id))
        check(inside)


def test_a_trace_is_read_once_and_written_once(inside: Inside) -> None:
    inside(lambda ctx: save(ctx, *(span(f"s{n}", error="1", parentSpanId="p") for n in range(9))))

    def quiet(ctx: MutationCtx) -> int:
        before = len(ctx.db.changes)
        save(ctx, *(span(f"more{n}", parentSpanId="p") for n in range(9)))
        ctx.db.flush()
        return sum(table.name != "spans" for table, *_ in ctx.db.changes[before:])

    # A trace whose root and errors stay is not written, so that its readers are not disturbed.
    assert inside(quiet) == 0


def test_a_counter_that_is_no_lists(inside: Inside) -> None:
    def work(ctx: MutationCtx) -> list[float]:
        found = [counters.add(ctx, "spans", "errors", "x", delta) for delta in (2, -1, -1)]
        counters.forget(ctx, "spans", "errors", "x")
        counters.add(ctx, "spans", "errors", "x", 3)
        counters.forget(ctx, "spans", "errors", "x")
        return found

    assert inside(work) == [2, 1, 0]
    assert stored(inside, "counters") == []


def test_bodies_are_read_as_far_as_there_is_room(inside: Inside, monkeypatch: Any) -> None:
    large = "x" * 1000
    inside(lambda ctx: save(ctx, *(span(name, input=large) for name in "abcde")))
    monkeypatch.setattr("mastra_convex.functions.lib.spans.MAX_PAGE_BYTES", 1500)
    found = inside(lambda ctx: some_by_key(ctx, keys("abcde")))
    assert ([each["spanId"] for each in found["page"]], found["rest"]) == (["a", "b"], 3)
    monkeypatch.setattr("mastra_convex.functions.lib.spans.MAX_PAGE_BYTES", 10)
    found = inside(lambda ctx: some_by_key(ctx, keys("cde")))
    # One at least, or a reader would never come to an end.
    assert ([each["spanId"] for each in found["page"]], found["rest"]) == (["c"], 2)
    assert pages.MAX_PAGE_BYTES > 1500


def test_a_count_has_a_limit() -> None:
    check_count(5, "spans", 5)
    with pytest.raises(LimitExceededError, match="6 spans in one call, which takes at most 5"):
        check_count(6, "spans", 5)
