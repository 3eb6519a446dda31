from __future__ import annotations

import gzip
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mastra_convex import ConvexStorage
from mastra_convex.errors import FileBusyError
from mastra_convex.protocol.requests import MAX_BODY_BYTES
from tests.otlp.cases import SPAN, in_json, in_protobuf, request_of
from tests.otlp.programs import check_stored, travel
from tests.served import KEY as SERVED_KEY
from tests.served import server
from tests.server.support import KEY, Served, served

PROTOBUF, JSON = "application/x-protobuf", "application/json"


def post(to: Served, body: bytes, kind: str = JSON, /, **headers: str) -> Any:
    """One request; the service's, unless `authorization` says otherwise."""
    sent = {"content-type": kind, "authorization": f"Bearer {KEY.service_token()}", **headers}
    return to.client.post("/v1/traces", content=body, headers=sent)


def spans_in(to: Served) -> int:
    return next(
        int(each["records"])
        for each in to.value("query", "system:statistics", {})
        if each["table"] == "spans"
    )


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_what_the_sdk_sends_is_stored(tmp_path: Path, compression: Compression) -> None:
    memory, path = InMemorySpanExporter(), tmp_path / "a.db"
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    travel(provider.get_tracer("tests", "1"))
    spans = memory.get_finished_spans()
    with server().serving(path) as url:
        exporter = OTLPSpanExporter(
            f"{url}/v1/traces",
            headers={"authorization": f"Bearer {SERVED_KEY.service_token()}"},
            compression=compression,
        )
        assert exporter.export(spans) is SpanExportResult.SUCCESS
        with ConvexStorage(path) as storage:
            before = check_stored(storage, spans)
        # A batch whose answer was lost is sent again.
        assert exporter.export(spans) is SpanExportResult.SUCCESS
        exporter.shutdown()  # type: ignore[no-untyped-call]
        with ConvexStorage(path) as storage:
            assert check_stored(storage, spans) == before
    agent = before["invoke_agent travel"]
    assert (agent.span_type, agent.entity_name) == ("agent_run", "travel")
    assert (agent.thread_id, agent.resource_id) == ("thread-1", "resource-1")
    assert before["execute_tool weather"].span_type == "tool_call"
    assert before["broken"].error["message"] == "ValueError: no seats"
    assert before["broken"].error["name"] == "ValueError"
    assert before["broken"].error["stack"].startswith("Traceback")


@pytest.mark.parametrize(("encode", "kind"), [(in_json, JSON), (in_protobuf, PROTOBUF)])
def test_odd_spans_are_stored_as_they_say(
    tmp_path: Path, encode: Callable[[Any], bytes], kind: str
) -> None:
    own, root, late = "a" * 16, "b" * 16, "c" * 16
    orphan = {**SPAN, "spanId": late, "parentSpanId": "d" * 16}
    odd = [
        # Before its parent, in the request and in time; and its clock went back.
        {**SPAN, "spanId": own, "parentSpanId": root, **_times(5, 3)},
        {**SPAN, "spanId": root, "parentSpanId": "", **_times(10, 20)},
        {**orphan, "name": "first"},
        {**orphan, "name": "second"},
        {**SPAN, "spanId": "e" * 16, "parentSpanId": "e" * 16},
    ]
    headers = {"content-type": kind, "authorization": f"Bearer {SERVED_KEY.service_token()}"}
    path = tmp_path / "a.db"
    with server().serving(path) as url:
        found: list[list[Any]] = []
        for _ in range(2):
            answer = httpx.post(
                f"{url}/v1/traces", content=encode(request_of(odd)), headers=headers
            )
            assert answer.status_code == 200
            assert answer.content in (b"", b"{}")
            with ConvexStorage(path) as storage:
                trace = storage.get_trace(SPAN["traceId"])
            assert trace is not None
            found.append(list(trace.spans or []))
    # The one that is there twice was changed twice more.
    for span in (*found[0], *found[1]):
        del span["updatedAt"]
    assert found[0] == found[1]
    spans = {span["spanId"]: span for span in found[0]}
    assert len(spans) == len(found[0]) == 4
    assert (spans[own]["startedAt"], spans[own]["endedAt"]) == (5, 3)
    assert spans[own]["otel"]["warnings"] == ["it ends before it starts"]
    assert spans[late]["name"] == "second"
    assert spans["e" * 16]["otel"]["warnings"] == ["it is its own parent"]
    with ConvexStorage(path) as storage:
        known = storage.get_root_span(SPAN["traceId"])
    assert known is not None
    assert known.span_id == root


def _times(start: int, end: int) -> dict[str, str]:
    """Milliseconds since 1970 as OTLP has them."""
    return {
        "startTimeUnixNano": f"{start}{'0' * 6}",
        "endTimeUnixNano": f"{end}{'0' * 6}",
    }


def test_both_encodings_are_answered_in_their_own() -> None:
    good, bad = {**SPAN, "spanId": "1" * 16}, {**SPAN, "spanId": "0" * 16}
    request = request_of([good, bad])
    with served() as to:
        answer = post(to, in_json(request))
        assert (answer.status_code, answer.headers["content-type"]) == (200, JSON)
        told = answer.json()["partialSuccess"]
        assert told["rejectedSpans"] == "1"
        assert told["errorMessage"].startswith("span 2: its span id has to have 8 bytes")
        answer = post(to, in_protobuf(request), PROTOBUF)
        assert (answer.status_code, answer.headers["content-type"]) == (200, PROTOBUF)
        partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
        assert partial.rejected_spans == 1
        assert post(to, in_json(request_of([good]))).json() == {}
        assert post(to, b"", PROTOBUF).content == b""
        assert spans_in(to) == 1


TOO_LARGE = b" " * (MAX_BODY_BYTES + 1)


@pytest.mark.parametrize(
    ("make", "headers", "status", "reason"),
    [
        (lambda: b"{", {}, 400, "no JSON"),
        (lambda: b"[1]", {}, 400, "no JSON object"),
        (lambda: b"\x0a\x05", {"content-type": PROTOBUF}, 400, "breaks off"),
        (lambda: b"no gzip", {"content-encoding": "gzip"}, 400, "no gzip"),
        (lambda: b"{}", {"content-type": "text/plain"}, 415, "Content-Type"),
        (lambda: b"{}", {"content-encoding": "br"}, 415, "Content-Encoding"),
        (lambda: b"{}", {"authorization": "Basic x"}, 400, "Bearer"),
        (lambda: b"{}", {"authorization": "Bearer nonsense"}, 401, "token"),
        (
            lambda: b"{}",
            {"authorization": f"Bearer {KEY.resource_token('r', 24 * 3600)}"},
            403,
            "for the service",
        ),
        (lambda: TOO_LARGE, {}, 413, "bytes at the most"),
        (lambda: gzip.compress(TOO_LARGE, 1), {"content-encoding": "gzip"}, 413, "bytes"),
        (lambda: in_json(request_of([{}] * 65_537)), {}, 413, "too many spans"),
    ],
)
def test_what_is_refused_says_why(
    make: Callable[[], bytes], headers: dict[str, str], status: int, reason: str
) -> None:
    with served() as to:
        answer = post(to, make(), **headers)
        assert answer.status_code == status
        if headers.get("content-type") == PROTOBUF:
            assert reason in Status.FromString(answer.content).message
        else:
            assert reason in answer.json()["message"]
        assert spans_in(to) == 0


def test_nobody_is_let_in_without_a_token_and_the_operator_is() -> None:
    body = in_json(request_of([SPAN]))
    with served() as to:
        answer = to.client.post("/v1/traces", content=body, headers={"content-type": JSON})
        assert answer.status_code == 401
        answer = post(to, body, authorization=f"Convex {KEY.admin_key()}")
        assert answer.status_code == 200
        assert to.client.get("/v1/traces").status_code == 405
        assert spans_in(to) == 1


@contextmanager
def failing(to: Served, error: Exception, span_id: str) -> Iterator[None]:
    """While it lasts, what saves the span of that id fails."""
    mutation = to.backend.mutation

    def fail(path: str, args: dict[str, Any], *more: Any) -> Any:
        if any(span["spanId"] == span_id for span in args["spans"]):
            raise error
        return mutation(path, args, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(to.backend, "mutation", fail)
        yield


def test_a_span_that_cannot_be_stored_does_not_take_its_batch_along() -> None:
    spans = [{**SPAN, "spanId": f"{number:016x}"} for number in range(1, 6)]
    with served() as to, failing(to, RuntimeError("secret"), f"{3:016x}"):
        told = post(to, in_json(request_of(spans))).json()["partialSuccess"]
        assert told == {
            "rejectedSpans": "1",
            "errorMessage": f"span {3:016x}: Server Error",
        }
        assert spans_in(to) == 4


def test_a_file_in_trouble_asks_to_be_sent_again() -> None:
    with served() as to:
        with failing(to, FileBusyError("locked"), SPAN["spanId"]):
            answer = post(to, in_json(request_of([SPAN])))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "locked" not in answer.text
        assert post(to, in_json(request_of([SPAN]))).status_code == 200


def test_too_much_at_a_time_is_to_be_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mastra_convex.server.otlp._MAX_WAITING_BYTES", 1000)
    with served() as to:
        answer = post(to, b" " * 1001)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        # What is not waiting any more counts no longer.
        for _ in range(5):
            assert post(to, in_json(request_of([SPAN]))).status_code == 200


def test_functions_in_a_sub_folder_take_spans_too() -> None:
    with served(prefix="mastra/") as to:
        assert post(to, in_json(request_of([SPAN]))).json() == {}


def test_the_loop_answers_others_while_a_large_batch_is_taken(tmp_path: Path) -> None:
    spans = [{**SPAN, "spanId": f"{number:016x}"} for number in range(1, 1001)]
    with served(tmp_path / "a.db") as to:
        done = threading.Event()

        def send() -> None:
            assert post(to, in_json(request_of(spans))).json() == {}
            done.set()

        thread = threading.Thread(target=send)
        thread.start()
        answered = 0
        while not done.is_set():
            assert to.client.get("/version").status_code == 200
            answered += 1
        thread.join()
        assert answered > 3
        with sqlite3.connect(tmp_path / "a.db") as connection:
            (count,) = connection.execute("SELECT count(*) FROM spans").fetchone()
        connection.close()
        assert count == len(spans)
