from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision, Sampler, SamplingResult

from mastra_convex import AsyncConvexStorage, ConvexStorage, Span
from mastra_convex.errors import FileBusyError, InvalidArgumentError, LimitExceededError
from mastra_convex.integrations.opentelemetry import ConvexSpanExporter, ConvexSpanProcessor
from mastra_convex.integrations.processes import process_name
from tests.otlp.programs import ask_model, check_stored, scripted_model, travel

PATIENCE = 20.0


@contextmanager
def traced(storage: ConvexStorage, **options: Any) -> Iterator[tuple[Any, InMemorySpanExporter]]:
    """A tracer whose spans are stored, and what they were."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    options = {"delay": 0.01, "handle_sigterm": False, **options}
    provider.add_span_processor(ConvexSpanProcessor(storage, **options))
    try:
        yield provider.get_tracer("tests", "1", attributes={"provider": True}), memory
    finally:
        provider.shutdown()


def soon(find: Callable[[], Any]) -> Any:
    """What is found within some time."""
    deadline = time.monotonic() + PATIENCE
    while not (found := find()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def stored(storage: ConvexStorage, span: Any) -> Span | None:
    context = span.get_span_context()
    return storage.get_span(f"{context.trace_id:032x}", f"{context.span_id:016x}")


def test_what_a_program_does_is_stored() -> None:
    with ConvexStorage(":memory:") as storage:
        with traced(storage) as (tracer, memory):
            travel(tracer)
        spans = memory.get_finished_spans()
        found = check_stored(storage, spans)
        assert found["invoke_agent travel"].span_type == "agent_run"
        root = found["invoke_agent travel"]
        structure = storage.get_trace_structure(root.trace_id)
        assert structure is not None
        assert len(structure) == 3


def test_a_span_is_there_when_it_starts_and_ends_when_it_ends() -> None:
    with ConvexStorage(":memory:") as storage, traced(storage, instance="here") as (tracer, _):
        with tracer.start_as_current_span("outer", attributes={"a": 1}) as outer:
            running = soon(lambda: stored(storage, outer))
            assert (running.status, running.opened_by) == ("running", "here")
            assert running.opened_in == process_name()
            assert running.attributes == {"a": 1}
            assert [span.name for span in storage.list_open_spans("here")] == ["outer"]
            outer.set_attribute("b", 2)
        ended = soon(lambda: (found := stored(storage, outer)) and found.ended_at and found)
        assert (ended.status, ended.opened_by, ended.opened_in) == ("success", None, None)
        assert ended.attributes == {"a": 1, "b": 2}
        assert ended.created_at == running.created_at
        assert storage.list_open_spans("here") == []


def test_what_is_open_at_the_end_is_interrupted() -> None:
    with ConvexStorage(":memory:") as storage:
        with traced(storage) as (tracer, _):
            span = tracer.start_span("never ends")
        found = stored(storage, span)
        assert found is not None
        assert found.error["name"] == "Interrupted"
        assert found.ended_at is not None
        assert found.opened_by is None
        span.end()
        assert stored(storage, span) == found


SCRIPT = """
import asyncio, os, signal, sys, time
from opentelemetry.sdk.trace import TracerProvider
from mastra_convex import ConvexStorage
from mastra_convex.integrations.opentelemetry import ConvexSpanProcessor

storage = ConvexStorage(sys.argv[1])
provider = TracerProvider()
processor = ConvexSpanProcessor(storage, instance="test", delay=60)
provider.add_span_processor(processor)
tracer = provider.get_tracer("script")

def at_the_end():
    for number in range(3):
        with tracer.start_as_current_span(f"span {number}"):
            pass

def killed():
    tracer.start_span("left open")
    at_the_end()
    processor.force_flush()
    os.kill(os.getpid(), signal.SIGKILL)

def terminated():
    with tracer.start_as_current_span("outer"):
        at_the_end()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

def raised():
    with tracer.start_as_current_span("outer"):
        at_the_end()
        raise ValueError("no seats")

async def work():
    with tracer.start_as_current_span("cancelled"):
        at_the_end()
        await asyncio.sleep(60)

async def group():
    tasks = [asyncio.create_task(work()) for _ in range(2)]
    await asyncio.sleep(0.1)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.gather(*tasks)

def cancelled():
    asyncio.run(group())

globals()[sys.argv[2]]()
"""


def run_script(path: Path, way: str) -> int:
    script = path.with_name("script.py")
    script.write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script, path, way], capture_output=True, timeout=60, check=False
    )
    assert b"spans are lost" not in done.stderr, done.stderr
    return done.returncode


def spans_in(path: Path) -> dict[str, list[dict[str, Any]]]:
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    rows = connection.execute("SELECT * FROM spans ORDER BY name, startedAt").fetchall()
    connection.close()
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["name"], []).append(dict(row))
    return found


THREE = ["span 0", "span 1", "span 2"]


@pytest.mark.parametrize(
    ("way", "status", "names"),
    [
        ("at_the_end", 0, THREE),
        ("terminated", 143, ["outer", *THREE]),
        ("raised", 1, ["outer", *THREE]),
        ("cancelled", 143, ["cancelled", *THREE]),
    ],
)
def test_no_span_is_lost_when_a_script_ends(
    tmp_path: Path, way: str, status: int, names: list[str]
) -> None:
    path = tmp_path / "a.db"
    assert run_script(path, way) == status
    found = spans_in(path)
    assert list(found) == names
    times = 2 if way == "cancelled" else 1
    assert all(len(spans) == times for spans in found.values())
    assert all(span["endedAt"] is not None for spans in found.values() for span in spans)


def test_what_a_process_that_died_left_open_is_closed_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    assert run_script(path, "killed") == -signal.SIGKILL
    with ConvexStorage(path) as storage:
        left = {span.name: span for span in storage.list_open_spans("test")}
        assert list(left) == ["left open"]
        # One of a process that runs, and one of another machine, are not this one's to close.
        mine = {"spanType": "generic", "startedAt": 1, "traceId": "t", "openedIn": process_name()}
        storage.create_span({**mine, "spanId": "a", "name": "runs", "openedBy": "test"})
        storage.create_span({**mine, "spanId": "b", "name": "elsewhere", "openedBy": "other"})
        with traced(storage, instance="test") as (tracer, _):
            tracer.start_span("new").end()
        closed = storage.get_span(left["left open"].trace_id, left["left open"].span_id)
        assert closed is not None
        assert closed.error["name"] == "Interrupted"
        assert closed.ended_at == max(closed.started_at, left["left open"].updated_at)
        assert closed.opened_by is closed.opened_in is None
        assert [span.name for span in storage.list_open_spans("test")] == ["runs"]
        assert [span.name for span in storage.list_open_spans("other")] == ["elsewhere"]


class Failing(ConvexStorage):
    """A storage that fails as it is told."""

    failures: list[Exception]
    refused = ""

    def __enter__(self) -> Failing:
        """Itself, by its own type."""
        super().__enter__()
        return self

    def batch_create_spans(self, records: Any) -> None:
        """Fail, or do it."""
        spans = list(records)
        if self.failures:
            raise self.failures.pop()
        if any(span.name == self.refused for span in spans):
            raise LimitExceededError("too large")
        super().batch_create_spans(spans)

    def create_span(self, span: Any) -> None:
        """Fail, or do it."""
        if span.name == self.refused:
            raise LimitExceededError("too large")
        super().create_span(span)


def test_what_may_pass_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    with Failing(":memory:") as storage:
        storage.failures = [FileBusyError("locked")] * 3
        with traced(storage) as (tracer, memory):
            for number in range(5):
                tracer.start_span(f"s{number}").end()
            soon(lambda: not storage.failures)
        assert len(check_stored(storage, memory.get_finished_spans())) == 5
    assert "tried again in 0.1 s" in caplog.text


def test_a_span_that_is_refused_takes_no_other_along(caplog: pytest.LogCaptureFixture) -> None:
    with Failing(":memory:") as storage:
        storage.failures, storage.refused = [], "s2"
        with traced(storage, delay=0.1) as (tracer, memory):
            for number in range(5):
                tracer.start_span(f"s{number}").end()
        spans = [span for span in memory.get_finished_spans() if span.name != "s2"]
        assert len(check_stored(storage, spans)) == 4
    assert "the span 's2' cannot be written" in caplog.text


def test_an_unforeseen_error_loses_no_more_than_it_must(caplog: pytest.LogCaptureFixture) -> None:
    with Failing(":memory:") as storage:
        storage.failures = [RuntimeError("a bug")]
        with traced(storage) as (tracer, _):
            tracer.start_span("lost").end()
            soon(lambda: not storage.failures)
            after = tracer.start_span("after")
            after.end()
        assert stored(storage, after) is not None
    assert "spans are lost" in caplog.text


def test_the_queue_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    with Failing(":memory:") as storage:
        storage.failures = [FileBusyError("locked")] * 1000
        with traced(storage, max_queue=10, delay=60) as (tracer, memory):
            for number in range(30):
                tracer.start_span(f"s{number}").end()
            storage.failures.clear()
        there = [span for span in memory.get_finished_spans() if stored(storage, span)]
        assert 5 <= len(there) <= 10
    assert "spans were dropped" in caplog.text
    with ConvexStorage(":memory:") as empty, pytest.raises(InvalidArgumentError):
        ConvexSpanProcessor(empty, max_queue=0)


def test_what_is_open_ends_though_there_was_no_room_for_its_end() -> None:
    with Failing(":memory:") as storage:
        storage.failures = []
        with traced(storage, instance="here", max_queue=4) as (tracer, _):
            spans = [tracer.start_span("open") for _ in range(2)]
            soon(lambda: len(storage.list_open_spans("here")) == 2)
            storage.failures = [FileBusyError("locked")] * 1000
            tracer.start_span("tried in vain").end()
            soon(lambda: len(storage.failures) < 1000)
            for number in range(8):
                tracer.start_span(f"s{number}").end()
            ended = [span.end() or span.end_time for span in spans]
            storage.failures.clear()
            soon(lambda: not storage.list_open_spans("here"))
        for span, end in zip(spans, ended):
            found = stored(storage, span)
            assert found is not None
            assert (found.error, found.to_dict()["endedAt"]) == (None, end / 1_000_000)


def test_a_storage_that_is_closed_too_early_says_so(caplog: pytest.LogCaptureFixture) -> None:
    storage = ConvexStorage(":memory:")
    with traced(storage, delay=60) as (tracer, _):
        tracer.start_span("s").end()
        storage.close()
    assert "1 spans are lost" in caplog.text


def test_a_storage_with_an_event_loop_is_refused() -> None:
    storage: Any = AsyncConvexStorage(":memory:")
    for make in (ConvexSpanProcessor, ConvexSpanExporter):
        with pytest.raises(InvalidArgumentError, match="open one of the same path") as caught:
            make(storage)
        assert caught.value.data["path"] == "storage"


class RecordOnly(Sampler):
    """Spans that processors see, and that nobody is to store."""

    def should_sample(self, *_args: Any, **_options: Any) -> SamplingResult:
        return SamplingResult(Decision.RECORD_ONLY)

    def get_description(self) -> str:
        return "record only"


@pytest.mark.parametrize("sampler", [ALWAYS_OFF, RecordOnly()], ids=["off", "record only"])
def test_spans_that_are_not_sampled_are_not_stored(sampler: Sampler) -> None:
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    with ConvexStorage(":memory:") as storage:
        processor = ConvexSpanProcessor(storage, handle_sigterm=False)
        provider.add_span_processor(processor)
        span = provider.get_tracer("t").start_span("s")
        assert provider.force_flush()
        span.end()
        provider.shutdown()
        assert processor.force_flush()
        spans = next(each for each in storage.get_statistics() if each.table == "spans")
        assert spans.records == 0


def fork_and_trace(tracer: Any) -> None:
    tracer.start_span("of the child").end()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_leaves_what_waits_to_its_parent(tmp_path: Path) -> None:
    with ConvexStorage(tmp_path / "a.db") as storage, traced(storage, delay=60) as (tracer, _):
        tracer.start_span("of the parent").end()
        child = multiprocessing.get_context("fork").Process(target=fork_and_trace, args=[tracer])
        child.start()
        child.join()
        assert child.exitcode == 0
    assert list(spans_in(tmp_path / "a.db")) == ["of the parent"]


def test_the_exporter_stores_what_has_ended(caplog: pytest.LogCaptureFixture) -> None:
    with ConvexStorage(":memory:") as storage:
        memory = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(memory))
        provider.add_span_processor(BatchSpanProcessor(ConvexSpanExporter(storage)))
        travel(provider.get_tracer("tests", "1"))
        provider.shutdown()
        spans = memory.get_finished_spans()
        assert len(check_stored(storage, spans)) == len(spans)
    with caplog.at_level(logging.ERROR):
        assert ConvexSpanExporter(storage).export(spans).name == "FAILURE"
    assert "spans could not be written" in caplog.text


def test_an_instrumented_sqlite_is_traced_and_the_storage_is_not(tmp_path: Path) -> None:
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    SQLite3Instrumentor().instrument(tracer_provider=provider)
    try:
        with ConvexStorage(tmp_path / "a.db") as storage:
            provider.add_span_processor(
                ConvexSpanProcessor(storage, delay=0.01, handle_sigterm=False)
            )
            connection = sqlite3.connect(":memory:")
            cursor = connection.cursor()
            cursor.execute("CREATE TABLE seats (number INTEGER)")
            cursor.execute("INSERT INTO seats VALUES (?)", (7,))
            with pytest.raises(sqlite3.OperationalError):
                cursor.execute("SELECT nonsense")
            storage.save_thread({"id": "t", "resourceId": "r"})
            provider.shutdown()
            spans = memory.get_finished_spans()
            assert [span.name for span in spans] == ["CREATE", "INSERT", "SELECT"]
            found = check_stored(storage, spans)
            assert found["SELECT"].status == "error"
            assert "INSERT INTO seats" in str(found["INSERT"].attributes)
            connection.close()
    finally:
        SQLite3Instrumentor().uninstrument()


OPEN_INFERENCE = "openinference.instrumentation.openai"
# They bring OpenAI's package, which takes more than a second to load: on use, not on collection.
INSTRUMENTATIONS = [
    "opentelemetry.instrumentation.genai.openai",
    OPEN_INFERENCE,
    "opentelemetry.instrumentation.openai",
]


# OpenLLMetry's models are declared in a way that pydantic has deprecated.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")
@pytest.mark.parametrize("name", INSTRUMENTATIONS)
def test_a_call_of_a_model_is_what_mastra_calls_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "span_only")
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    with ConvexStorage(":memory:") as storage, scripted_model() as url:
        provider.add_span_processor(ConvexSpanProcessor(storage, handle_sigterm=False))
        instrumentor = import_module(name).OpenAIInstrumentor()
        instrumentor.instrument(tracer_provider=provider)
        try:
            ask_model(url)
        finally:
            instrumentor.uninstrument()
        provider.shutdown()
        (span,) = memory.get_finished_spans()
        found = check_stored(storage, [span])[span.name]
    assert found.span_type == "model_generation"
    assert found.attributes is not None
    if name == OPEN_INFERENCE:
        # It gives the model that has answered, and no other.
        assert found.attributes["model"] == "gpt-4-0613"
    else:
        assert found.attributes["model"] == "gpt-4"
        assert found.attributes["responseModel"] == "gpt-4-0613"
    assert found.attributes["provider"] == "openai"
    assert found.attributes["usage"]["inputTokens"] == 11
    assert found.attributes["usage"]["outputTokens"] == 7
    assert found.attributes["parameters"]["temperature"] == 0.5
    assert found.input[0]["role"] == "user"
    assert "Where to?" in str(found.input)
    assert "To Oslo." in str(found.output)


def test_tasks_that_are_cancelled_end_their_spans() -> None:
    with ConvexStorage(":memory:") as storage, traced(storage) as (tracer, memory):

        async def work() -> None:
            with tracer.start_as_current_span("task"):
                await asyncio.sleep(60)

        async def main() -> None:
            tasks = [asyncio.ensure_future(work()) for _ in range(20)]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run(main())
        spans: tuple[ReadableSpan, ...] = memory.get_finished_spans()
        assert len(spans) == 20
        soon(lambda: all(stored(storage, span) for span in spans))


def test_sigterm_is_left_to_a_program_that_handles_it() -> None:
    before = signal.getsignal(signal.SIGTERM)
    calls: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: calls.append(number))
    try:
        with ConvexStorage(":memory:") as storage, traced(storage, handle_sigterm=True):
            os.kill(os.getpid(), signal.SIGTERM)
            soon(lambda: calls)
    finally:
        signal.signal(signal.SIGTERM, before)
