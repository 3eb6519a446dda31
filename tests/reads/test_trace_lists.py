"""What a large trace and its lists cost: documents that are read are counted, on a real file."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mastra_convex import ConvexStorage
from mastra_convex.engine.schema import Table
from mastra_convex.engine.transaction import Reader
from mastra_convex.functions.lib.paging import MAX_PAGE_BYTES
from mastra_convex.reads.listing import MAX_PAGE
from tests.contract.records import Doc, at, span

COUNT = 10_000
BODY = "b" * 3000
LARGE = "x" * (3 * 1024 * 1024)
ROOT = {"resourceId": "r", "threadId": "t"}


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many documents of each table were read."""
    counted: Counter[str] = Counter()
    find, select = Reader.find, Reader.select

    def counting_find(self: Reader, table: str, index: str, *values: Any) -> Doc | None:
        found = find(self, table, index, *values)
        counted[table] += found is not None
        return found

    def counting_select(self: Reader, table: Table, *args: Any) -> Any:
        found = select(self, table, *args)
        counted[table.name] += len(found[0])
        return found

    monkeypatch.setattr(Reader, "find", counting_find)
    monkeypatch.setattr(Reader, "select", counting_select)
    return counted


def large_trace() -> list[Doc]:
    """A tree of a root, a hundred below it, and a hundred below each of these; one is large."""
    return [
        span(
            f"s{n}",
            startedAt=at(n),
            input=LARGE if n == 5007 else BODY,
            **(ROOT if n == 0 else {"parentSpanId": "s0" if n <= 100 else f"s{n // 100}"}),
        )
        for n in range(COUNT)
    ]


def test_a_trace_of_10_000_spans(tmp_path: Path, reads: Counter[str]) -> None:
    with ConvexStorage(tmp_path / "a.db", durability="relaxed") as storage:
        storage.batch_create_spans(large_trace())

        with storage.watch_traces(filters={"resourceId": "r"}) as pages:
            reads.clear()
            (row,) = pages.next(10).spans
            assert (row.trace_id, row.input_preview) == ("t", "b" * 100 + "…")
            # The row, its span, and the total of the resource.
            assert reads == {"traceRoots": 1, "spans": 1, "counters": 1}
            with storage.watch_trace_structure("t") as structures:
                reads.clear()
                assert len(structures.next(10) or []) == COUNT
                assert reads["spanBodies"] == 0
                assert reads["spans"] <= COUNT + COUNT / MAX_PAGE
                reads.clear()
                storage.update_span("t", "s9999", {"endedAt": at(1)})
                assert (structures.next(10) or [])[-1].status == "success"
                # Of twenty pages the one that changed, and what the update looked at.
                assert reads["spans"] <= MAX_PAGE + 2
            with pytest.raises(TimeoutError):
                pages.next(0.05)

        reads.clear()
        branch = storage.get_branch("t", "s50")
        assert branch is not None
        assert [each.span_id for each in branch] == ["s50", *(f"s{n}" for n in range(5000, 5100))]
        assert branch[8].input == LARGE
        assert reads["spanBodies"] == len(branch)

        storage.batch_delete_traces(["t"])
        assert storage.list_traces().total == 0
        assert storage.get_trace_structure("t") is None
        assert [each.bytes for each in storage.get_statistics() if each.table == "spans"] == [0]


def test_rows_of_several_mib_come_in_several_pages(reads: Counter[str]) -> None:
    with ConvexStorage(":memory:") as storage:
        large = {"k": "x" * (MAX_PAGE_BYTES // 2)}
        storage.batch_create_spans(
            span("root", f"t{n}", startedAt=at(n), metadata=large) for n in range(5)
        )
        cursor = storage.list_traces(mode="delta").delta_cursor
        reads.clear()
        page = storage.list_traces_light(per_page=False, include_total=False)
        assert [each.trace_id for each in page.spans] == ["t4", "t3", "t2", "t1", "t0"]
        assert all(each.metadata == large for each in page.spans)
        storage.batch_create_spans(span("root", f"n{n}", metadata=large) for n in range(5))
        news = storage.list_traces_light(mode="delta", after=cursor)
        assert [each.trace_id for each in news.spans] == [f"n{n}" for n in range(5)]


def test_traces_of_many_spans_that_name_a_message(reads: Counter[str]) -> None:
    with ConvexStorage(":memory:") as storage:
        storage.save_thread({"id": "t", "resourceId": "r"})
        storage.save_message({"id": "m", "threadId": "t", "role": "user", "content": "x"})
        storage.batch_create_spans(
            span(f"s{n}", f"t{n % 3}", messageId="m", **({"parentSpanId": "s"} if n > 2 else {}))
            for n in range(900)
        )
        reads.clear()
        assert len(storage.list_traces_by_message_id("m")) == 3
        assert reads == {"spans": 6, "spanTraces": 3, "traceRoots": 3}
        reads.clear()
        assert [each.id for each in storage.list_messages_by_trace_id("t1")] == ["m"]
        assert reads["spans"] == 1
