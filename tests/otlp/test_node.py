"""Programs of OpenTelemetry for Node.js, and of Mastra, that send to a served file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mastra_convex import ConvexStorage, Span
from tests.served import KEY, server

PROGRAM = Path(__file__).with_name("programs.mjs")
# The program counts from 0, and a span that says nothing of its kind is internal.
KINDS = ["internal", "server", "client", "producer", "consumer"]
STATUSES = [None, "ok", "error"]


def run(program: str, path: Path) -> tuple[list[dict[str, Any]], list[Span]]:
    """What a program did, and what is stored of it, span by span."""
    with server().serving(path) as url:
        done = subprocess.run(
            ["node", PROGRAM, program, f"{url}/v1/traces", KEY.service_token()],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    did: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    stored = []
    with ConvexStorage(path) as storage:
        for span in did:
            found = storage.get_span(span["traceId"], span.get("spanId") or span["id"])
            assert found is not None, span
            stored.append(found)
        structure = storage.get_trace_structure(did[0]["traceId"])
        assert structure is not None
        assert len(structure) == len(did)
    return did, stored


@pytest.mark.parametrize("program", ["json", "protobuf"])
def test_what_node_sends_is_stored(tmp_path: Path, program: str) -> None:
    for did, stored in zip(*run(program, tmp_path / "a.db")):
        otel = stored.extra["otel"]
        assert stored.name == did["name"]
        assert stored.parent_span_id == did.get("parentSpanId")
        assert (otel["startTimeUnixNano"], otel["endTimeUnixNano"]) == (did["start"], did["end"])
        assert otel["kind"] == KINDS[did["kind"]]
        assert otel["status"]["code"] == STATUSES[did["status"]["code"]]
        assert otel["status"].get("message") == did["status"].get("message")
        assert did["attributes"].items() <= (stored.attributes or {}).items()
        assert otel.get("events", []) == [
            {"name": e["name"], "timeUnixNano": e["time"], "attributes": e["attributes"]}
            for e in did["events"]
        ]
        assert [
            {"spanId": link["spanId"], "attributes": link["attributes"]}
            for link in stored.links or []
        ] == did["links"]
        assert did["resource"].items() <= otel["resource"]["attributes"].items()
        if did["name"] == "weather":
            assert stored.error["name"] == "TypeError"
            assert stored.error["stack"].startswith("TypeError: no city")
        else:
            assert (stored.span_type, stored.entity_name) == ("agent_run", "travel")


def test_what_mastra_sends_comes_back_as_it_was(tmp_path: Path) -> None:
    did, (agent, model, tool) = run("mastra", tmp_path / "a.db")
    assert [span.span_type for span in (agent, model, tool)] == [each["type"] for each in did]
    assert (agent.entity_id, agent.entity_name) == ("travel", "Travel")
    assert (agent.thread_id, agent.resource_id, agent.run_id) == ("t1", "r1", "run-1")
    assert agent.metadata is not None
    assert agent.metadata["plan"] == {"kind": "pro"}
    assert agent.input == {"messages": [{"role": "user", "content": "Where to?"}]}
    assert agent.output == {"text": "done"}
    assert model.parent_span_id == tool.parent_span_id == agent.span_id
    assert model.output == {"text": "To Oslo."}
    assert (tool.entity_type, tool.entity_id, tool.input) == ("tool", "weather", {"city": "Oslo"})
    assert (tool.status, tool.error["message"]) == ("error", "no city")
