"""OTLP: how many spans a second the server takes, and what the exporter adds to a span."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _common import Floor
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.types import Message

from mastra_convex import ConvexStorage
from mastra_convex.backends.served import EmbeddedServedBackend
from mastra_convex.integrations.opentelemetry import ConvexSpanProcessor
from mastra_convex.server.app import create_app
from mastra_convex.server.auth import Keyring
from mastra_convex.tokens import Key

AGENTS, BATCHES, ROUNDS = 100, 20, 5
GOAL_INTAKE, GOAL_MICROSECONDS = 5_000, 50
SPANS = 1_000
_TEXT = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Where to? " * 30}]}])
_CHAT: Any = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4",
    "gen_ai.response.model": "gpt-4-0613",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 97,
    "gen_ai.usage.output_tokens": 52,
    "gen_ai.input.messages": _TEXT,
    "gen_ai.output.messages": _TEXT,
}
_CALL: Any = {
    "http.request.method": "POST",
    "http.response.status_code": 200,
    "network.protocol.version": "1.1",
    "server.address": "api.example",
    "server.port": 443,
    "url.full": "https://api.example/v1/chat/completions",
}


def _requests() -> Iterator[bytes]:
    """Requests of 500 spans: agents, each with two calls of a model, each with one over HTTP."""
    while True:
        memory = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(memory))
        tracer = provider.get_tracer("bench")
        for _ in range(AGENTS):
            with tracer.start_as_current_span("invoke_agent travel"):
                for _ in range(2):
                    with tracer.start_as_current_span("chat gpt-4", attributes=_CHAT):
                        tracer.start_span("POST", attributes=_CALL).end()
        yield encode_spans(memory.get_finished_spans()).SerializeToString()


async def _post(app: Any, body: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    """The status of one request to the application, in this process."""
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/v1/traces",
        "headers": headers,
    }
    scope |= {"query_string": b"", "http_version": "1.1", "scheme": "http", "root_path": ""}
    answers: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        answers.append(message)

    await app(scope, receive, send)
    return int(answers[0]["status"])


async def _take_in(path: Path) -> list[tuple[float, float]]:
    """Seconds of the clock and of the processor, for each request, on a durable file."""
    key = Key.generate()
    backend = EmbeddedServedBackend(str(path))
    app = create_app(backend, Keyring(lambda: [key]), version="0")
    headers = [
        (b"host", b"localhost"),
        (b"content-type", b"application/x-protobuf"),
        (b"authorization", f"Bearer {key.service_token()}".encode()),
    ]
    spent = []
    await backend.open()
    for body, _ in zip(_requests(), range(BATCHES)):
        clock, processor = time.perf_counter(), time.process_time()
        assert await _post(app, body, headers) == 200
        spent.append((time.perf_counter() - clock, time.process_time() - processor))
    await backend.close()
    return spent


@contextmanager
def _one_core() -> Iterator[None]:
    """Stay on one core, where the system can do that: threads that wander are slower."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _measure_intake(path: Path) -> None:
    with _one_core():
        _print_rates("one core", asyncio.run(_take_in(path)), goal=True)
    _remove(path)
    _print_rates("all cores", asyncio.run(_take_in(path)), goal=False)


def _print_rates(where: str, spent: list[tuple[float, float]], *, goal: bool) -> None:
    for what, times in (
        ("a second of the processor", [each[1] for each in spent]),
        ("a second of the clock", [each[0] for each in spent]),
    ):
        rate = AGENTS * 5 / statistics.median(times)
        met = "ok" if rate >= GOAL_INTAKE else "MISSED"
        judged = f"    (goal >= {GOAL_INTAKE:,})  {met}" if goal else ""
        print(f"  {f'spans taken in on {where}, in {what}':<62} {rate:7,.0f}{judged}")


def _spans(tracer: Any, pause: float) -> None:
    for _ in range(SPANS // 10):
        with tracer.start_as_current_span("invoke_agent travel"):
            for _ in range(9):
                with tracer.start_as_current_span("chat gpt-4", attributes=_CHAT):
                    if pause:
                        time.sleep(pause)


@contextmanager
def _tracer(processor: Callable[[], Any]) -> Iterator[Any]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor())
    yield provider.get_tracer("bench")
    provider.shutdown()


class _Nothing(SimpleSpanProcessor):
    """The SDK's own work on a span, and nothing else."""

    def __init__(self) -> None:
        super().__init__(InMemorySpanExporter())

    def on_end(self, span: ReadableSpan) -> None:
        """Leave it."""


def _measure_exporter(storage: ConvexStorage) -> None:
    for what, pause, clock in (
        ("the traced thread's own time", 0.0, time.thread_time),
        ("a program that waits 1 ms in each", 0.001, time.perf_counter),
    ):
        times: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(ROUNDS):
            for on in (False, True):
                make = (
                    (lambda: ConvexSpanProcessor(storage, handle_sigterm=False)) if on else _Nothing
                )
                with _tracer(make) as tracer:
                    start = clock()
                    _spans(tracer, pause)
                    times[on].append((clock() - start) / SPANS * 1e6)
        off, on_ = statistics.median(times[False]), statistics.median(times[True])
        added = on_ - off
        met = "ok" if added <= GOAL_MICROSECONDS else "MISSED"
        label = f"added to a span, {what} ({on_:,.0f} : {off:,.0f} us)"
        print(f"  {label:<62} {added:7.1f} us (goal <= {GOAL_MICROSECONDS})  {met}")


def main() -> None:
    """Measure and print."""
    floor = Floor()
    path = floor.path.with_name("otlp.db")
    floor.close()
    for measure in (_measure_intake, _with_storage):
        _remove(path)
        measure(path)
    _remove(path)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _with_storage(path: Path) -> None:
    with ConvexStorage(path) as storage:
        _measure_exporter(storage)


if __name__ == "__main__":
    main()
