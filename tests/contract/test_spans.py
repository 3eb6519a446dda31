"""Spans: written one by one or in batches, read as a structure, a branch, a trace."""

import random
from typing import Any

import pytest
from hypothesis import given

from mastra_convex import ConvexStorage, InvalidArgumentError, LightSpan, NotFoundError, Span
from tests.contract.records import (
    T0,
    Doc,
    at,
    exactly,
    json_objects,
    json_values,
    now,
    on_one_storage,
    span,
    trace,
)

PAYLOADS = ("input", "output", "error", "attributes", "metadata", "scope", "requestContext")
TEXTS = [
    *(
        f"{whose}{what}"
        for whose in ("entity", "parentEntity", "rootEntity")
        for what in ("Type", "Id", "Name", "VersionId")
    ),
    *("userId", "organizationId", "resourceId", "runId", "sessionId", "threadId", "messageId"),
    *("requestId", "environment", "source", "serviceName", "experimentId"),
]


def names(spans: Any) -> str:
    """The ids of spans, in their order."""
    return " ".join(each.span_id for each in spans)


def save_tree(storage: ConvexStorage, trace_id: str = "t") -> None:
    """A root with two branches; the first to begin is a grandchild, by a clock that is wrong."""
    storage.batch_create_spans(
        [
            span("a1", trace_id, parentSpanId="a", startedAt=at(0), input="i" * 100),
            span("root", trace_id, startedAt=at(1), threadId="th", runId="r"),
            span("b", trace_id, parentSpanId="root", startedAt=at(3)),
            span("a", trace_id, parentSpanId="root", startedAt=at(2)),
            span("a2", trace_id, parentSpanId="a", startedAt=at(3)),
            span("lost", trace_id, parentSpanId="never came", startedAt=at(4)),
        ]
    )


def test_what_is_saved_comes_back(storage: ConvexStorage) -> None:
    payloads: Doc = {name: {"$k": [name, 2**70]} for name in PAYLOADS}
    texts: Doc = {name: name.upper() for name in TEXTS}
    given = span(
        parentSpanId="p",
        endedAt=at(1),
        isEvent=True,
        links=[{"traceId": "u"}],
        tags=["x"],
        **payloads,
        **texts,
        events=[{"own": 1}],
    )
    before = now()
    storage.create_span(given)
    found = storage.get_span("t", "s")
    assert found is not None
    assert {**found.to_dict(), "createdAt": 0, "updatedAt": 0} == {
        **given,
        "createdAt": 0,
        "updatedAt": 0,
    }
    assert before - 1 <= found.created_at.timestamp() * 1000 <= now() + 1
    assert found.created_at == found.updated_at
    assert (found.status, found.is_event, found.extra) == ("error", True, {"events": [{"own": 1}]})
    assert found.parent_entity_version_id == "PARENTENTITYVERSIONID"
    assert storage.get_span("t", "none") is None
    assert storage.get_span("none", "s") is None


@pytest.mark.parametrize(
    "given",
    [
        span(endedAt="2023-11-14T22:13:20Z", isEvent=None),
        {
            "trace_id": "t",
            "span_id": "s",
            "name": "s",
            "span_type": "generic",
            "started_at": T0,
            "ended_at": T0,
        },
        Span(
            trace_id="t",
            span_id="s",
            name="s",
            span_type="generic",
            started_at=T0,  # type: ignore[arg-type]
            ended_at=T0,  # type: ignore[arg-type]
        ),
    ],
    ids=["camelCase", "snake_case", "model"],
)
def test_every_form_of_a_span_is_the_same(storage: ConvexStorage, given: Any) -> None:
    storage.create_span(span=given)
    found = storage.get_span(trace_id="t", span_id="s")
    assert found is not None
    assert found.to_dict().items() >= {**span(), "endedAt": T0}.items()
    assert (found.is_event, found.parent_span_id, found.status) == (False, None, "success")


def test_saving_replaces_all_but_the_time_of_creation(storage: ConvexStorage) -> None:
    storage.create_span(span(input=1, endedAt=at(1), custom=1))
    first = storage.get_span("t", "s")
    storage.create_span(span(input=1, endedAt=at(1), custom=1))
    assert storage.get_span("t", "s") == first
    storage.create_span(span(output=2))
    found = storage.get_span("t", "s")
    assert first is not None
    assert found is not None
    assert (found.input, found.output, found.extra, found.status) == (None, 2, {}, "running")
    assert found.created_at == first.created_at
    assert found.updated_at > first.updated_at


def test_a_span_grows_while_it_runs(storage: ConvexStorage) -> None:
    storage.create_span(span(input={"q": 1}, attributes={"a": 1, "b": 2}, custom=1))
    storage.update_span("t", "s", {"attributes": {"a": 3}, "output": [1], "other": 2})
    found = storage.get_span("t", "s")
    assert found is not None
    assert (found.input, found.output, found.attributes) == ({"q": 1}, [1], {"a": 3})
    assert (found.extra, found.status) == ({"custom": 1, "other": 2}, "running")
    storage.update_span("t", "s", {"endedAt": at(5), "input": None, "attributes": None})
    found = storage.get_span("t", "s")
    assert found is not None
    assert (found.input, found.attributes, found.output, found.status) == (
        None,
        None,
        [1],
        "success",
    )
    storage.update_span("t", "s", {"error": {"message": "late"}, "ended_at": None})
    found = storage.get_span("t", "s")
    assert found is not None
    assert (found.status, found.ended_at) == ("error", None)
    storage.update_span("t", "s", {"error": None})
    assert (storage.get_span("t", "s") or found).status == "running"
    unchanged = storage.get_span("t", "s")
    storage.update_span("t", "s", {"output": [1], "input": None})
    assert storage.get_span("t", "s") == unchanged


def test_a_batch_of_updates_goes_in_its_order(storage: ConvexStorage) -> None:
    storage.batch_create_spans([span("a"), span("b", parentSpanId="a")])
    storage.batch_update_spans(
        [
            {"traceId": "t", "spanId": "a", "updates": {"name": "1"}},
            {"trace_id": "t", "span_id": "b", "updates": {"name": "2"}},
            {"traceId": "t", "spanId": "a", "updates": {"name": "3"}},
        ]
    )
    assert [each.name for each in storage.get_spans("t", ["a", "b"])] == ["3", "2"]
    with pytest.raises(NotFoundError, match="no span 'c' in trace 't'; create it first"):
        storage.batch_update_spans(
            [{"traceId": "t", "spanId": s, "updates": {"name": "4"}} for s in "abc"]
        )
    assert [each.name for each in storage.get_spans("t", ["a", "b"])] == ["3", "2"]


def test_what_cannot_be_updated_is_refused(storage: ConvexStorage) -> None:
    storage.create_span(span())
    for updates, problem in (
        ({"spanId": "x"}, "spanId cannot be changed"),
        ({"created_at": 1}, "created_at cannot be changed"),
        ({"name": None}, "name cannot be removed"),
        ({"startedAt": None}, "startedAt cannot be removed"),
        ({"endedAt": None, "ended_at": 1}, "endedAt is given twice"),
        ({"runId": "a", "run_id": "b"}, "runId is given twice"),
        ({"isEvent": 1}, "isEvent must be True or False"),
    ):
        with pytest.raises(InvalidArgumentError, match=f"update_span: span 's': {problem}"):
            storage.update_span("t", "s", updates)
    for bad in ({}, {"traceId": "t", "spanId": "s"}, [("traceId", "t")], 5):
        with pytest.raises(InvalidArgumentError, match="batch_update_spans: an update of a span"):
            storage.batch_update_spans([bad])  # type: ignore[list-item]
    with pytest.raises(InvalidArgumentError, match="spanId must be text, not NoneType"):
        storage.batch_update_spans([{"traceId": "t", "updates": {}}])


def test_spans_come_in_the_order_asked_for(storage: ConvexStorage) -> None:
    save_tree(storage)
    assert names(storage.get_spans("t", ["b", "none", "a1", "b"])) == "b a1 b"
    assert storage.get_spans("none", ["b"]) == []
    assert storage.get_spans("t", []) == []


def test_a_structure_has_everything_but_what_is_large(storage: ConvexStorage) -> None:
    save_tree(storage)
    found = storage.get_trace_structure("t")
    assert found is not None
    # Equal times are in the order in which they came.
    assert names(found) == "a1 root a b a2 lost"
    assert all(type(each) is LightSpan for each in found)
    assert found[0].to_dict().keys() == {
        "traceId",
        "spanId",
        "parentSpanId",
        "name",
        "spanType",
        "startedAt",
        "createdAt",
        "updatedAt",
    }
    storage.update_span("t", "a", {"error": 1, "entityName": "weather"})
    changed = (storage.get_trace_structure("t") or [])[2]
    assert (changed.error, changed.entity_name, changed.status) == (1, "weather", "error")
    assert storage.get_trace_structure("none") is None


def test_the_root_of_a_trace(storage: ConvexStorage) -> None:
    assert storage.get_root_span("t") is None
    storage.create_span(span("child", parentSpanId="root"))
    assert storage.get_root_span("t") is None
    storage.create_span(span("root", input=1))
    assert names([storage.get_root_span("t")]) == "root"
    storage.create_span(span("second"))
    assert names([storage.get_root_span("t")]) == "second"
    storage.update_span("t", "second", {"parentSpanId": "root"})
    assert storage.get_root_span("t") is None
    storage.update_span("t", "root", {"name": "again"})
    assert names([storage.get_root_span("t")]) == "root"


def test_a_branch_ends_at_its_depth(storage: ConvexStorage) -> None:
    save_tree(storage)
    for span_id, depth, expected in (
        ("root", None, "a1 root a b a2"),
        ("root", 0, "root"),
        ("root", 1, "root a b"),
        ("root", 2, "a1 root a b a2"),
        ("a", None, "a1 a a2"),
        ("a2", 7, "a2"),
        ("lost", None, "lost"),
    ):
        assert names(storage.get_branch("t", span_id, depth) or []) == expected
    assert (storage.get_branch("t", "a") or [])[0].input == "i" * 100
    assert storage.get_branch("t", "none") is None
    assert storage.get_branch("none", "root") is None
    for bad in (-1, 1.0, "1", True):
        with pytest.raises(InvalidArgumentError, match="get_branch: depth must be >= 0 and whole"):
            storage.get_branch("t", "root", bad)  # type: ignore[arg-type]


def test_a_branch_cuts_cycles(storage: ConvexStorage) -> None:
    storage.batch_create_spans(
        [span("a", parentSpanId="b"), span("b", parentSpanId="a"), span("c", parentSpanId="c")]
    )
    assert names(storage.get_branch("t", "a") or []) == "a b"
    assert names(storage.get_branch("t", "c") or []) == "c"


def test_a_trace_is_read_whole(storage: ConvexStorage) -> None:
    save_tree(storage)
    storage.update_span("t", "root", {"metadata": {"k": 2**70}, "custom": "ü"})
    found = storage.get_trace("t")
    assert found is not None
    assert found.spans is not None
    assert (found.id, found.thread_id, found.run_id, found.name) == ("t", "th", "r", "root")
    assert found.timestamp.timestamp() * 1000 == at(1)
    ids = [each["spanId"] for each in found.spans]
    assert ids == ["a1", "root", "a", "b", "a2", "lost"]
    assert found.spans == [each.to_dict() for each in storage.get_spans("t", ids)]
    # A document of the older shape comes first under its id.
    older = storage.save_trace(trace("t"))
    assert storage.get_trace("t") == older
    assert names(storage.get_trace_structure("t") or []) == "a1 root a b a2 lost"


def test_a_large_batch_is_many_transactions(storage: ConvexStorage) -> None:
    spans = [
        span(f"s{n}", parentSpanId="s0" if n else None, startedAt=at(n), input="x" * 9000)
        for n in range(1203)
    ]
    spans[700]["input"] = "ü" * 2_500_000
    storage.batch_create_spans(spans)
    found = storage.get_trace("t")
    assert found is not None
    assert found.spans is not None
    assert [each["input"] for each in found.spans] == [each["input"] for each in spans]
    assert len(storage.get_trace_structure("t") or []) == 1203
    assert len(storage.get_branch("t", "s0", 1) or []) == 1203
    storage.batch_update_spans(
        [{"traceId": "t", "spanId": f"s{n}", "updates": {"endedAt": at(n)}} for n in range(1203)]
    )
    assert {each.status for each in storage.get_trace_structure("t") or []} == {"success"}
    storage.batch_delete_traces(["t"])
    assert storage.get_trace("t") is None


def test_a_bad_span_stops_its_batch_before_it_begins(storage: ConvexStorage) -> None:
    good = [span(f"s{n}") for n in range(501)]
    for bad, problem in (
        ({**span(), "spanType": None}, "span 's': spanType is missing"),
        ({**span(), "startedAt": "soon"}, "span 's': startedAt must be"),
        ({**span(), "traceId": ""}, "span 's': traceId is missing or empty"),
        ({**span(), "spanId": ""}, "span '': spanId is missing or empty"),
    ):
        with pytest.raises(InvalidArgumentError, match=f"batch_create_spans: {problem}"):
            storage.batch_create_spans([*good, bad])
    assert storage.get_trace_structure("t") is None
    with pytest.raises(InvalidArgumentError, match="records is a list of them"):
        storage.batch_create_spans(span())  # type: ignore[arg-type]


def test_traces_are_deleted_by_whose_they_are(storage: ConvexStorage) -> None:
    def save() -> None:
        storage.batch_create_spans(
            [
                *(span("c", t, parentSpanId="root", resourceId="other") for t in "abc"),
                span("root", "a", resourceId="r", organizationId="o"),
                span("root", "b", resourceId="s", organizationId="o"),
                span("x", "b", parentSpanId="root", resourceId="r"),
            ]
        )

    def left() -> str:
        return "".join(t for t in "abc" if storage.get_trace_structure(t))

    for scope, expected in (
        ({}, ""),
        ({"organization_id": "o"}, "c"),
        ({"organization_id": "o", "resource_id": "r"}, "bc"),
        ({"resource_id": "other"}, "ab"),
        ({"organization_id": "p"}, "abc"),
    ):
        save()
        storage.batch_delete_traces(["none", "a", "b", "c", "a"], **scope)
        assert left() == expected
    storage.batch_delete_traces([])
    storage.batch_delete_traces([*(f"none {n}" for n in range(60)), "a", "b", "c"])
    assert left() == ""
    assert [each.bytes for each in storage.get_statistics() if each.table == "spans"] == [0]
    for bad in ("a", [5]):
        with pytest.raises(InvalidArgumentError, match="batch_delete_traces: "):
            storage.batch_delete_traces(bad)  # type: ignore[arg-type]


def test_a_structure_that_is_watched_grows(storage: ConvexStorage) -> None:
    with storage.watch_trace_structure("t") as structures:
        assert structures.next(10) is None
        storage.create_span(span("root", startedAt=at(5)))
        assert names(structures.next(10) or []) == "root"
        storage.create_span(span("early", parentSpanId="root", startedAt=at(1)))
        assert names(structures.next(10) or []) == "early root"
        storage.update_span("t", "root", {"endedAt": at(9)})
        assert [each.status for each in structures.next(10) or []] == ["running", "success"]
        # What a structure does not have does not wake its watchers.
        storage.batch_create_spans([span("elsewhere", "u")])
        storage.batch_delete_traces(["t"])
        assert structures.next(10) is None


def test_spans_against_a_model(storage: ConvexStorage) -> None:
    dice = random.Random(6)
    model: dict[tuple[str, str], Doc] = {}
    fields: dict[str, list[Any]] = {
        "parentSpanId": [None, "0", "1", "2"],
        "endedAt": [None, at(1), at(2)],
        "error": [None, {"m": 1}],
        "input": [None, 1, "x"],
        "resourceId": [None, "r"],
        "custom": [None, 1],
    }

    def some(names: list[str]) -> Doc:
        return {name: dice.choice(fields[name]) for name in names}

    def known(document: Doc) -> Doc:
        return {name: value for name, value in document.items() if value is not None}

    for _ in range(150):
        key = (dice.choice("ab"), dice.choice("0123"))
        action = dice.random()
        if action < 0.45 or (key not in model and action < 0.95):
            model[key] = known(span(key[1], key[0], **some(list(fields))))
            storage.create_span(model[key])
        elif action < 0.95:
            updates = some(dice.sample([f for f in fields if f != "custom"], 2))
            model[key] = known({**model[key], **updates})
            storage.update_span(key[0], key[1], updates)
        else:
            storage.batch_delete_traces([key[0]])
            model = {each: value for each, value in model.items() if each[0] != key[0]}
        for trace_id in "ab":
            expected = {s: value for (t, s), value in model.items() if t == trace_id}
            found = {each.span_id: each for each in storage.get_spans(trace_id, list("0123"))}
            shown = {name: each.to_dict() for name, each in found.items()}
            for each in shown.values():
                del each["createdAt"], each["updatedAt"]
            assert shown == expected
            light = {each.span_id for each in storage.get_trace_structure(trace_id) or []}
            assert light == expected.keys()


@on_one_storage
@given(value=json_values, mapping=json_objects)
def test_payloads_are_kept_exactly(storage: ConvexStorage, value: Any, mapping: Doc) -> None:
    # A null is a field that is not there.
    given: Doc = {name: [value] for name in ("input", "output", "error", "links")}
    given |= dict.fromkeys(("attributes", "metadata", "scope", "requestContext"), mapping)
    storage.create_span(span(**given))
    found, whole = storage.get_span("t", "s"), storage.get_trace("t")
    assert found is not None
    assert whole is not None
    assert whole.spans is not None
    for shown in (found.to_dict(), whole.spans[0]):
        assert exactly({name: shown[name] for name in given}, given)
