"""Snapshots as Convex writes them, of deployments of `@mastra/convex`.

A document is a line of JSON in which floats are always written as floats and members are sorted; a
table comes in the order of its documents' ids, which are random.
"""

import json
import random
import zipfile
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

T0 = 1_700_000_000_000
Row = dict[str, Any]
_ID = "0123456789abcdefghjkmnpqrstvwxyz"


def iso(milliseconds: int) -> str:
    """The time as the adapter stores it."""
    seconds, rest = divmod(milliseconds, 1000)
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:03}Z"


def write_snapshot(path: Path, tables: Mapping[str, list[Row]], seed: int = 1) -> Path:
    """A snapshot with these tables; rows have been created in the order given."""
    dice = random.Random(seed)
    names = [name for name in tables if not name.startswith("_")]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.md", "# Welcome to your Convex snapshot export!\n")
        index = [{"id": 10_001 + n, "name": name} for n, name in enumerate(names)]
        archive.writestr("_tables/documents.jsonl", _lines(index))
        for name, rows in tables.items():
            stored = [
                {
                    **{key: _number(value) for key, value in row.items()},
                    "_creationTime": T0 + n / 4,
                    "_id": "".join(dice.choices(_ID, k=32)),
                }
                for n, row in enumerate(rows)
            ]
            stored.sort(key=lambda row: row["_id"])
            archive.writestr(f"{name}/documents.jsonl", _lines(stored))
            archive.writestr(f"{name}/generated_schema.jsonl", '"uniform"\n')
    return path


def _number(value: Any) -> Any:
    return float(value) if type(value) is int else value


def _lines(rows: list[Row]) -> str:
    texts = [
        json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False) for row in rows
    ]
    return "".join(f"{text}\n" for text in texts)


def thread(n: int, **more: Any) -> Row:
    """A thread, which has changed a minute after it was made."""
    time = T0 + 1000 * n
    return {
        "id": f"t{n}",
        "resourceId": f"r{n % 3}",
        "title": f"Talk {n}",
        "metadata": json.dumps({"$n": n}),
        "createdAt": iso(time),
        "updatedAt": iso(time + 60_000),
        **more,
    }


def message(n: int, of: int, **more: Any) -> Row:
    """A message; two have the same time, so that their order tells."""
    content = {"format": 2, "parts": [{"type": "text", "text": f"Ä {n}"}], "metadata": {"n": n}}
    return {
        "id": f"m{n}",
        "thread_id": f"t{of}",
        "content": json.dumps(content),
        "role": "assistant" if n % 2 else "user",
        "type": "v2",
        "createdAt": iso(T0 + 1000 * (n // 16)),
        "resourceId": f"r{of % 3}",
        **more,
    }


def everything(threads: int = 4, messages: int = 5) -> dict[str, list[Row]]:
    """Rows of each of the adapter's tables, and some of others."""
    many = threads * messages
    scored = {"scorer": {"name": "tone"}, "entity": {"id": "a"}, "input": [1.0], "output": "x"}
    observed = {
        "lookupKey": "thread:t1",
        "scope": "thread",
        "threadId": "t1",
        "resourceId": "r1",
        "activeObservations": "* seen",
        "originType": "initial",
        "config": "{}",
        "generationCount": 0,
        "pendingMessageTokens": 0,
        "totalTokensObserved": 5,
        "observationTokenCount": 5,
        "isObserving": False,
        "isReflecting": False,
        "isBufferingObservation": False,
        "isBufferingReflection": False,
        "lastBufferedAtTokens": 0,
        "bufferedObservationChunks": "[]",
        "metadata": None,
    }
    return {
        "mastra_threads": [thread(n) for n in range(threads)],
        "mastra_messages": [message(n, n % threads) for n in range(many)],
        "mastra_resources": [
            {
                "id": "r0",
                "workingMemory": "# Notes",
                "metadata": json.dumps({"a": 1}),
                "createdAt": iso(T0),
                "updatedAt": iso(T0 + 5),
            }
        ],
        "mastra_workflow_snapshot": [
            {
                "id": "flow-run-1",
                "workflow_name": "flow",
                "run_id": "run-1",
                "snapshot": json.dumps({"status": "suspended", "context": {"$a": 1}}),
                "resourceId": "r0",
                "createdAt": iso(T0),
                "updatedAt": iso(T0 + 7),
            }
        ],
        "mastra_scorers": [
            {
                "id": "s",
                "scorerId": "tone",
                "entityId": "a",
                "entityType": "AGENT",
                "runId": "run-1",
                "source": "LIVE",
                "score": 1,
                **scored,
                "createdAt": iso(T0),
                "updatedAt": iso(T0 + 9),
            }
        ],
        "mastra_schedules": [
            {
                "id": "d",
                "target": json.dumps({"type": "workflow", "workflowId": "flow"}),
                "cron": "* * * * *",
                "timezone": None,
                "status": "active",
                "next_fire_at": T0 + 60_000,
                "created_at": T0,
                "updated_at": T0 + 11,
                "workflow_id": "flow",
                "owner_type": None,
            }
        ],
        "mastra_schedule_triggers": [
            {
                "id": "h",
                "schedule_id": "d",
                "run_id": "run-1",
                "outcome": "published",
                "scheduled_fire_at": T0,
                "actual_fire_at": T0 + 1,
                "trigger_kind": "schedule-fire",
            }
        ],
        "mastra_background_tasks": [
            {
                "id": "k",
                "tool_call_id": "c",
                "tool_name": "search",
                "agent_id": "a",
                "run_id": "run-1",
                "thread_id": "t0",
                "resource_id": None,
                "status": "completed",
                "args": '{"q":1}',
                "result": '{"n":2}',
                "error": None,
                "suspend_payload": None,
                "retry_count": 0,
                "max_retries": 2,
                "timeout_ms": 1000,
                "createdAt": iso(T0),
                "startedAt": iso(T0 + 1),
                "suspendedAt": None,
                "completedAt": iso(T0 + 2),
            }
        ],
        "mastra_channel_installations": [
            {
                "id": "i",
                "platform": "slack",
                "agentId": "a",
                "status": "active",
                "webhookId": "w",
                "data": '{"$team":"T"}',
                "configHash": None,
                "error": None,
                "createdAt": iso(T0),
                "updatedAt": iso(T0 + 13),
            }
        ],
        "mastra_channel_config": [
            {"id": "slack", "platform": "slack", "data": "{}", "updatedAt": iso(T0 + 15)}
        ],
        "mastra_observational_memory": [
            {"id": "o", **observed, "createdAt": iso(T0), "updatedAt": iso(T0 + 17)}
        ],
        "mastra_vectors": [{"id": "v", "indexName": "x", "embedding": [0.5]}],
        "users": [{"name": "Ada"}],
        "_components/shop/orders": [{"total": 5}],
        "_storage": [],
    }
