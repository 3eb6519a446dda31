"""What reading and watching long traces costs: calls are counted, on a real store."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from mastra_convex import ConvexStorage
from mastra_convex.functions import registry
from mastra_convex.reads.listing import MAX_PAGE
from tests.contract.records import at, span

PAGES = 4
COUNT = MAX_PAGE * PAGES - 5


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each function of spans has run."""
    counted: Counter[str] = Counter()
    for path, function in list(registry.functions.items()):
        if path.startswith("spans:"):

            def run(ctx: Any, args: Any, path: str = path, handler: Any = function.handler) -> Any:
                counted[path] += 1
                return handler(ctx, args)

            monkeypatch.setitem(registry.functions, path, replace(function, handler=run))
    return counted


@pytest.fixture
def storage(calls: Counter[str]) -> Any:
    """A storage with a trace of several pages, its root first."""
    with ConvexStorage(":memory:") as opened:
        opened.batch_create_spans(
            span(f"s{n}", parentSpanId="s0" if n else None, startedAt=at(n), input=n)
            for n in range(COUNT)
        )
        calls.clear()
        yield opened


def test_a_subscriber_pays_for_what_changed(storage: ConvexStorage, calls: Counter[str]) -> None:
    with storage.watch_trace_structure("t") as structures:

        def after(change: Any) -> Any:
            calls.clear()
            change()
            return structures.next(10)

        assert len(structures.next(10) or []) == COUNT
        assert calls == {"spans:list": PAGES}
        # It began first, but it came last: no page before it is moved.
        found = after(
            lambda: storage.create_span(span("late", parentSpanId="s0", startedAt=at(-1)))
        )
        assert found[0].span_id == "late"
        assert calls["spans:list"] == 1
        found = after(lambda: storage.update_span("t", "s700", {"endedAt": at(9)}))
        assert found[701].status == "success"
        assert calls["spans:list"] == 1
        found = after(lambda: storage.update_span("t", "s0", {"endedAt": at(9), "output": 1}))
        assert found[1].status == "success"
        assert calls["spans:list"] == 1
        after(lambda: storage.update_span("t", "s700", {"error": "first"}))
        assert calls["spans:list"] == PAGES
        after(lambda: storage.update_span("t", "s701", {"error": "second"}))
        assert calls["spans:list"] == 1


def test_a_new_page_begins_when_one_is_full(storage: ConvexStorage, calls: Counter[str]) -> None:
    with storage.watch_trace_structure("t") as structures:
        structures.next(10)
        calls.clear()
        storage.batch_create_spans(span(f"more{n}", parentSpanId="s0") for n in range(10))
        assert len(structures.next(10) or []) == COUNT + 10
        assert calls["spans:list"] == 2


def test_bodies_are_read_only_of_a_branch(storage: ConvexStorage, calls: Counter[str]) -> None:
    assert storage.get_trace_structure("t") is not None
    assert calls == {"spans:list": PAGES}
    calls.clear()
    assert len(storage.get_branch("t", "s7") or []) == 1
    assert calls == {"spans:list": PAGES, "spans:listById": 1}
    calls.clear()
    trace = storage.get_trace("t")
    assert trace is not None
    assert [each["input"] for each in trace.spans or []] == list(range(COUNT))
    assert calls == {"spans:list": PAGES, "spans:listById": COUNT // 250 + 1}
