"""Lists of traces and of branches: every filter against a model, pages, what comes in, live."""

import queue
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from mastra_convex import ConvexStorage, InvalidArgumentError, LightSpan, Span
from tests.contract.records import Doc, at, message, span, thread

ANCHORS = ("agent_run", "tool_call", "workflow_run")
TEXTS = [
    *(
        f"{whose}{what}"
        for whose in ("entity", "parentEntity", "rootEntity")
        for what in ("Type", "Id", "Name", "VersionId")
    ),
    *("userId", "organizationId", "resourceId", "runId", "sessionId", "threadId", "messageId"),
    *("requestId", "environment", "source", "serviceName", "experimentId"),
]


# What no list takes, and what the error says.
WRONG: list[tuple[Doc, str]] = [
    ({"filters": "x"}, "filters is a mapping"),
    ({"filters": {"colour": 1}}, "there is no filter 'colour'"),
    ({"filters": {5: 1}}, "there is no filter 5"),
    ({"filters": {"runId": "a", "run_id": "b"}}, "filters.runId is given twice"),
    ({"filters": {"runId": 5}}, "filters.runId must be text"),
    ({"filters": {"status": "done"}}, "filters.status must be 'success'"),
    ({"filters": {"tags": "x"}}, "filters.tags must be a list of text"),
    ({"filters": {"metadata": []}}, "filters.metadata must be a mapping"),
    ({"filters": {"startedAt": 5}}, "filters.startedAt must be a mapping of start"),
    ({"filters": {"startedAt": {"from": 5}}}, "filters.startedAt must be a mapping of start"),
    ({"filters": {"startedAt": {"start": "soon"}}}, "filters.startedAt.start must be"),
    ({"order_by": {"field": "name"}}, "cannot order by 'name'"),
    ({"per_page": 0}, "per_page must be whole, from 1 to 100, or False"),
    ({"per_page": 101}, "per_page must be whole"),
    ({"pagination": {"size": 5}}, "pagination is a mapping with page and perPage"),
    ({"page": -1}, "page must be >= 0"),
    ({"mode": "all"}, "mode is 'page' or 'delta'"),
    ({"after": "x"}, "after is for mode='delta'"),
    ({"limit": 5}, "limit is for mode='delta'"),
    ({"mode": "delta", "page": 1}, "mode='delta' has no pages"),
    ({"mode": "delta", "order_by": {"field": "endedAt"}}, "mode='delta' has no pages"),
    ({"mode": "delta", "limit": 0}, "limit must be whole, from 1 to 100"),
    *(
        ({"mode": "delta", "after": x}, "after must be the delta_cursor")
        for x in ("", "x", "bnVsbA", 5, "WyJ4IiwxLFtdXQ", "WyJ0cmFjZXMiLDEsNV0")
    ),
]


def traces_of(page: Any) -> str:
    """The ids of a page's traces, in their order."""
    return " ".join(each.trace_id for each in page.spans)


def keys_of(spans: Any) -> list[tuple[str, str]]:
    """What tells spans apart."""
    return [(each.trace_id, each.span_id) for each in spans]


def some_spans(dice: random.Random, count: int) -> list[Doc]:
    """Traces of a root and up to three spans below it, with and without everything."""
    found = []
    for n in range(count):
        for m in range(dice.randint(1, 4)):
            texts = {name: dice.choice("xy") for name in TEXTS if dice.random() < 0.4}
            found.append(
                {
                    **span(f"s{m}", f"t{n}", startedAt=at(dice.randrange(20))),
                    **({"parentSpanId": "s0"} if m or dice.random() < 0.1 else {}),
                    "spanType": dice.choice(["agent_run", "tool_call", "model_step"]),
                    **({"endedAt": at(dice.randrange(20, 40))} if dice.random() < 0.7 else {}),
                    **({"error": {"m": 1}} if dice.random() < 0.2 else {}),
                    **({"metadata": {"k": dice.choice([1, True, "1", None])}} if m < 2 else {}),
                    **({"scope": {"a": {"b": [m]}}} if dice.random() < 0.5 else {}),
                    **({"tags": dice.sample(["p", "q", "r"], 2)} if dice.random() < 0.5 else {}),
                    **texts,
                }
            )
    return found


def status(each: Doc) -> str:
    return "error" if "error" in each else "success" if "endedAt" in each else "running"


def some_filters(dice: random.Random) -> tuple[Doc, Callable[[Doc], bool]]:
    """One or two filters, and what they mean, said in another way."""
    choices: list[tuple[Doc, Callable[[Doc], bool]]] = [
        *(({name: "x"}, lambda s, name=name: s.get(name) == "x") for name in TEXTS),
        *(({name: None}, lambda s, name=name: name not in s) for name in TEXTS[::5]),
        *(({"status": x}, lambda s, x=x: status(s) == x) for x in ("success", "error", "running")),
        ({"spanType": "agent_run"}, lambda s: s["spanType"] == "agent_run"),
        ({"traceId": "t3"}, lambda s: s["traceId"] == "t3"),
        ({"tags": ["p", "q"]}, lambda s: {"p", "q"} <= set(s.get("tags", []))),
        ({"tags": []}, lambda s: True),
        ({"metadata": {"k": 1}}, lambda s: repr(s.get("metadata", {}).get("k")) == "1"),
        ({"metadata": {"k": None}}, lambda s: s.get("metadata") == {"k": None}),
        ({"metadata": {}}, lambda s: "metadata" in s),
        ({"scope": {"a": {"b": [0]}}}, lambda s: s.get("scope") == {"a": {"b": [0]}}),
        ({"startedAt": {"start": at(5)}}, lambda s: s["startedAt"] >= at(5)),
        ({"startedAt": {"start": at(5), "end": at(9)}}, lambda s: at(5) <= s["startedAt"] <= at(9)),
        (
            {"started_at": {"start": at(5), "start_exclusive": True, "endExclusive": True}},
            lambda s: s["startedAt"] > at(5),
        ),
        ({"startedAt": {"end": at(9), "endExclusive": True}}, lambda s: s["startedAt"] < at(9)),
        ({"endedAt": {}}, lambda s: "endedAt" in s),
        ({"endedAt": {"end": at(30)}}, lambda s: s.get("endedAt", at(99)) <= at(30)),
        ({"endedAt": {"start": at(30)}}, lambda s: s.get("endedAt", 0) >= at(30)),
    ]
    picked = dice.sample(choices, dice.choice([1, 1, 2]))
    filters: Doc = {}
    for each, _ in picked:
        filters |= each
    meanings = [meaning for each, meaning in picked if each.items() <= filters.items()]
    return filters, lambda s: all(meaning(s) for meaning in meanings)


def in_order(spans: list[Doc], field: str, direction: str) -> list[Doc]:
    """By a time, and then as they were saved; what runs ends last. DESC is the reverse of ASC."""
    ordered = sorted(spans, key=lambda s: s.get(field, at(10**6)))
    return ordered if direction == "ASC" else ordered[::-1]


def test_every_filter_and_order_against_a_model(storage: ConvexStorage) -> None:
    dice = random.Random(1)
    spans = some_spans(dice, 24)
    storage.batch_create_spans(spans)
    roots = [each for each in spans if "parentSpanId" not in each]
    failed = {each["traceId"] for each in spans if "error" in each}
    anchors = [each for each in spans if each["spanType"] in ANCHORS]
    for _ in range(40):
        filters, meaning = some_filters(dice)
        field, direction = dice.choice(["startedAt", "endedAt"]), dice.choice(["ASC", "DESC"])
        order: Any = {"field": field, "direction": direction}
        page, per_page = dice.choice([(0, 10), (0, False), (1, 3)])
        part = slice(None) if per_page is False else slice(page * per_page, (page + 1) * per_page)
        how: Any = {"order_by": order, "page": page, "per_page": per_page}

        expected = in_order(list(filter(meaning, anchors)), field, direction)
        branches = storage.list_branches(filters=filters, **how)
        wanted = [(each["traceId"], each["spanId"]) for each in expected]
        assert keys_of(branches.branches) == wanted[part], (filters, how)
        assert branches.total == len(expected)

        if dice.random() < 0.3:
            wanted_failed = dice.random() < 0.5
            filters = {**filters, "hasChildError": wanted_failed}
            of_failed = {x["traceId"] for x in roots if (x["traceId"] in failed) is wanted_failed}
            meaning = both(meaning, partial(in_one_of, of_failed))
        expected = in_order(list(filter(meaning, roots)), field, direction)
        light = storage.list_traces_light(filters=filters, **how)
        wanted = [(each["traceId"], each["spanId"]) for each in expected]
        assert keys_of(light.spans) == wanted[part], (filters, how)
        assert (light.total, light.page, light.per_page) == (len(expected), page, per_page)
        assert light.has_more is (per_page is not False and part.stop < len(expected))


def in_one_of(trace_ids: set[str], each: Doc) -> bool:
    return each["traceId"] in trace_ids


def both(one: Callable[[Doc], bool], other: Callable[[Doc], bool]) -> Callable[[Doc], bool]:
    return lambda s: one(s) and other(s)


def test_a_list_has_whole_roots_or_light_ones(storage: ConvexStorage) -> None:
    given = span(
        "root", input={"messages": [{"role": "user", "content": "Where to?"}]}, metadata={"k": 1}
    )
    below = span("x", parentSpanId="root", error=1, spanType="tool_call", output={"a": [1]})
    storage.batch_create_spans([given, below])
    whole = storage.list_traces()
    assert whole.spans == [storage.get_span("t", "root")]
    assert type(whole.spans[0]) is Span
    assert whole.pagination == {"total": 1, "page": 0, "perPage": 10, "hasMore": False}
    (light,) = storage.list_traces_light().spans
    assert type(light) is LightSpan
    assert (light.input_preview, light.metadata, light.has_child_error) == (
        "Where to?",
        {"k": 1},
        True,
    )
    assert "input" not in light.to_dict()
    assert storage.list_branches().branches == [storage.get_span("t", "x")]
    storage.update_span("t", "root", {"input": [1]})
    assert storage.list_traces_light().spans[0].input_preview is None
    storage.update_span("t", "root", {"input": {"q": 2}})
    assert storage.list_traces_light().spans[0].input_preview == '{"q":2}'
    storage.update_span("t", "root", {"input": None})
    assert storage.list_traces_light().spans[0].input_preview is None
    # What is read and saved again is the same, its preview too.
    (root,) = storage.list_traces().spans
    storage.create_span(root)
    assert storage.list_traces().spans == [root]


def test_pages_in_mastras_form(storage: ConvexStorage) -> None:
    storage.batch_create_spans(span("r", f"t{n}", startedAt=at(n)) for n in range(5))
    page = storage.list_traces(pagination={"page": 1, "perPage": 2})
    assert (traces_of(page), page.total, page.has_more) == ("t2 t1", 5, True)
    light = storage.list_traces_light(page=2, per_page=2, include_total=False)
    assert (traces_of(light), light.total, light.has_more) == ("t0", None, False)
    assert storage.list_traces(page=9).spans == []


def test_what_a_list_cannot_do_is_refused(storage: ConvexStorage) -> None:
    for arguments, problem in WRONG:
        for operation in ("list_traces", "list_traces_light"):
            with pytest.raises(InvalidArgumentError, match=f"{operation}: {problem}"):
                getattr(storage, operation)(**arguments)


def test_branches_are_not_asked_for_errors_below(storage: ConvexStorage) -> None:
    with pytest.raises(InvalidArgumentError, match="list_branches: there is no filter"):
        storage.list_branches(filters={"hasChildError": True})
    for text in ("true", "false"):
        assert storage.list_traces(filters={"hasChildError": text}).spans == []
    with pytest.raises(InvalidArgumentError, match="hasChildError must be True or False"):
        storage.list_traces(filters={"hasChildError": "maybe"})


def test_what_comes_in_is_given_once(storage: ConvexStorage) -> None:
    storage.create_span(span("root", "old"))
    cursor = storage.list_traces(mode="delta").delta_cursor
    for n in range(7):
        kind = "agent_run" if n % 2 else "generic"
        storage.create_span(span("root", f"t{n}", spanType=kind, startedAt=at(-n)))
    storage.create_span(span("child", "t9", parentSpanId="root"))
    first = storage.list_traces(mode="delta", after=cursor, limit=4)
    assert (traces_of(first), first.has_more, first.total) == ("t0 t1 t2 t3", True, None)
    # Later changes do not give a trace again; one that gets its root now is new.
    storage.update_span("t1", "root", {"endedAt": at(9)})
    storage.create_span(span("root", "t9"))
    second = storage.list_traces_light(mode="delta", after=first.delta_cursor)
    assert (traces_of(second), second.has_more) == ("t4 t5 t6 t9", False)
    after = second.delta_cursor
    nothing = storage.list_traces(mode="delta", after=after)
    assert (nothing.spans, nothing.has_more) == ([], False)
    # From the same place, what is filtered; the cursor of another list is none of this one.
    agents = storage.list_traces(
        mode="delta", after=cursor, filters={"spanType": "agent_run"}, limit=2
    )
    assert (traces_of(agents), agents.has_more) == ("t1 t3", True)
    agents = storage.list_traces(
        mode="delta", after=agents.delta_cursor, filters={"spanType": "agent_run"}
    )
    assert (traces_of(agents), agents.has_more) == ("t5", False)
    ended = storage.list_traces(
        mode="delta", after=cursor, filters={"endedAt": {}, "status": "success"}
    )
    assert traces_of(ended) == "t1"
    with pytest.raises(InvalidArgumentError, match="list_branches: after must be"):
        storage.list_branches(mode="delta", after=cursor)
    branches = storage.list_branches(mode="delta").delta_cursor
    storage.create_span(span("tool", "t9", parentSpanId="root", spanType="tool_call"))
    found = storage.list_branches(mode="delta", after=branches).branches
    assert keys_of(found) == [("t9", "tool")]


def test_traces_and_messages_are_joined(storage: ConvexStorage) -> None:
    storage.save_thread(thread())
    storage.save_messages([message("question"), message("answer", createdAt=at(1))])
    storage.batch_create_spans(
        [
            span("root", "one", startedAt=at(2), threadId="t", messageId="question"),
            *(span(f"s{n}", "one", parentSpanId="root", messageId="answer") for n in range(3)),
            span("root", "two", startedAt=at(1)),
            span("s", "two", parentSpanId="root", messageId="answer"),
            span("s", "rootless", parentSpanId="far", messageId="answer"),
            span("s2", "two", parentSpanId="root", messageId="never saved"),
        ]
    )
    assert [x.trace_id for x in storage.list_traces_by_message_id("answer")] == ["two", "one"]
    assert [x.span_id for x in storage.list_traces_by_message_id("question")] == ["root"]
    assert storage.list_traces_by_message_id("none") == []
    assert [x.id for x in storage.list_messages_by_trace_id("one")] == ["question", "answer"]
    assert [x.id for x in storage.list_messages_by_trace_id("two")] == ["answer"]
    assert storage.list_messages_by_trace_id("none") == []
    assert traces_of(storage.list_traces(filters={"threadId": "t"})) == "one"
    assert traces_of(storage.list_traces(filters={"message_id": "question"})) == "one"


@pytest.mark.parametrize("by", ["resourceId", "threadId", "entityId"])
def test_a_list_that_is_watched_tells_how_traces_run(storage: ConvexStorage, by: str) -> None:
    mine, other = {by: "mine"}, {by: "other"}
    with storage.watch_traces(filters=mine) as pages:
        assert pages.next(10).spans == []
        storage.create_span(span("root", "a", startedAt=at(1), **mine))
        found = pages.next(10)
        assert (traces_of(found), found.spans[0].status, found.total) == ("a", "running", 1)
        # What is another's, or below a root without failing, does not change the list.
        storage.create_span(span("root", "b", **other))
        storage.create_span(span("x", "a", parentSpanId="root", **mine))
        storage.update_span("a", "x", {"error": "broken"})
        found = pages.next(10)
        assert (traces_of(found), found.spans[0].has_child_error) == ("a", True)
        storage.update_span("a", "root", {"endedAt": at(2), "name": "done"})
        found = pages.next(10)
        assert [(x.status, x.name) for x in found.spans] == [("success", "done")]
        storage.create_span(span("root", "c", startedAt=at(3), **mine))
        assert traces_of(pages.next(10)) == "c a"
        storage.update_span("a", "root", {by: "other"})
        assert traces_of(pages.next(10)) == "c"
        storage.batch_delete_traces(["c"])
        assert pages.next(10).spans == []
        with pytest.raises(TimeoutError):
            pages.next(0.05)


def test_a_callback_is_told(storage: ConvexStorage) -> None:
    told: queue.Queue[str] = queue.Queue()
    stop = storage.subscribe_to_traces(lambda page: told.put(traces_of(page)))
    assert told.get(timeout=10) == ""
    storage.create_span(span("root", "a"))
    assert told.get(timeout=10) == "a"
    stop()
