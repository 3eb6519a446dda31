"""The store as a whole: what it holds, and clearing it."""

import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from mastra_convex import ConvexStorage, InvalidArgumentError, UnauthenticatedError
from mastra_convex.tokens import KEY_VARIABLE, verify
from tests.contract.records import (
    T0,
    at,
    evaluation,
    fired,
    installation,
    log,
    message,
    metric,
    opinion,
    rating,
    records_of,
    recounted,
    run,
    schedule,
    score,
    span,
    task,
    thread,
    trace,
)
from tests.served import KEY

TABLES = [
    *("threads", "messages", "resources", "traces", "spans"),
    *("logs", "metrics", "scoreEvents", "feedback", "evals", "workflowRuns"),
    *("observationalMemory", "observationChunks"),
    *("scores", "schedules", "scheduleTriggers", "backgroundTasks"),
    *("channelInstallations", "channelConfigs"),
]


def size_of(storage: ConvexStorage, table: str) -> int:
    """The bytes of a table, as the storage says."""
    return next(each.bytes for each in storage.get_statistics() if each.table == table)


def test_an_empty_store(storage: ConvexStorage) -> None:
    found = storage.get_statistics()
    assert [(each.table, each.records, each.bytes) for each in found] == [
        (table, 0, 0) for table in TABLES
    ]


def test_the_format_has_a_number(storage: ConvexStorage) -> None:
    version = storage.get_format_version()
    assert type(version) is int
    assert version >= 1


def test_every_change_is_counted(storage: ConvexStorage) -> None:
    def expect(**records: int) -> None:
        expected = dict.fromkeys(TABLES, 0) | records
        assert records_of(storage) == expected == recounted(storage, ["r", "s"])

    storage.save_thread(thread())
    storage.save_thread(thread("u"))
    expect(threads=2)
    storage.save_messages([message("a"), message("b"), message("c", "u")])
    storage.save_message(message("a", content="changed"))
    expect(threads=2, messages=3)
    storage.update_messages([{"id": "a", "threadId": "u"}])
    storage.save_message(message("b", "u"))
    expect(threads=2, messages=3)
    storage.delete_messages(["a", "no"])
    storage.update_thread("t", title="T")
    expect(threads=2, messages=2)
    storage.delete_thread("u")
    expect(threads=1)
    for _ in range(2):
        storage.update_resource("r")
        storage.save_resource({"id": "s"})
        storage.save_trace(trace())
        storage.create_span(span("a", input=1))
        storage.batch_create_spans([span("a", "u"), span("b", "u")])
        storage.save_eval(evaluation())
        storage.save_workflow_run(run())
    expect(threads=1, resources=2, traces=1, spans=3, evals=1, workflowRuns=1)


def test_bytes_follow_the_values(storage: ConvexStorage) -> None:
    storage.save_thread(thread(title=""))
    storage.save_message(message(content=""))
    threads, messages = size_of(storage, "threads"), size_of(storage, "messages")
    assert threads > 0
    assert messages > 0
    storage.save_message(message(content="x" * 1000))
    storage.update_thread("t", title="ä🧵")
    assert size_of(storage, "messages") == messages + 1000
    assert size_of(storage, "threads") == threads + 6
    storage.save_message(message(content=""))
    storage.update_thread("t", title="")
    assert (size_of(storage, "threads"), size_of(storage, "messages")) == (threads, messages)
    storage.save_thread(thread("u", title=""))
    storage.delete_thread("u")
    assert size_of(storage, "threads") == threads
    storage.delete_thread("t")
    assert (size_of(storage, "threads"), size_of(storage, "messages")) == (0, 0)


def test_totals_after_many_changes(storage: ConvexStorage) -> None:
    dice = random.Random(20)

    def some(names: str) -> str:
        return dice.choice(names)

    def optional(name: str, value: str) -> dict[str, str]:
        return {name: value} if dice.random() < 0.6 else {}

    changes: list[Callable[[], Any]] = [
        lambda: storage.save_thread(thread(some("abc"), some("rs"), createdAt=at(1))),
        lambda: storage.delete_thread(some("abc")),
        lambda: storage.save_message(message(some("klmnop"), some(threads()))),
        lambda: storage.update_messages([{"id": some("klmnop"), "threadId": some(threads())}]),
        lambda: storage.delete_messages([some("klmnop"), some("klmnop")]),
        lambda: storage.save_trace(
            trace(some("xy"), **optional("threadId", some("ab")), **optional("name", some("no")))
        ),
        lambda: storage.save_eval(
            evaluation(some("ef"), some("ab"), dice.choice(["test", "live"]))
        ),
        lambda: storage.save_workflow_run(
            run(some("vw"), some("fg"), **optional("stateType", some("st")))
        ),
    ]

    def threads() -> str:
        return "".join(each.id for each in storage.list_threads().threads)

    for _ in range(80):
        storage.save_thread(thread("a"))
        dice.choice(changes)()
    assert records_of(storage) == recounted(storage)
    assert min(records_of(storage)[table] for table in ("threads", "traces", "evals")) > 0
    # Kept totals of lists, against the lists themselves.
    for owner in (None, "r", "s"):
        page = storage.list_threads(owner, per_page=False)
        assert page.total == len(page.threads)
    for name in threads():
        assert storage.list_messages(name, per_page=1).total == len(storage.get_messages(name))
    for thread_id in (None, "a", "b"):
        traces = storage.get_traces(thread_id=thread_id, per_page=False)
        assert traces.total == len(traces.traces)
    for agent in (None, "a", "b"):
        for type in (None, "test", "live"):
            evals = storage.list_evals(agent_name=agent, type=type, per_page=False)
            assert evals.total == len(evals.evals)
    for workflow in (None, "f", "g"):
        for status in (None, "s", "t"):
            runs = storage.list_workflow_runs(workflow_name=workflow, status=status, per_page=False)
            assert runs.total == len(runs.runs)


def fill(storage: ConvexStorage) -> None:
    """Two or three records in each table."""
    for name in ("t", "u"):
        storage.save_thread(thread(name))
        storage.save_resource({"id": name})
        storage.save_trace(trace(name, threadId="t", name="n", scope="s", runId="w"))
        storage.create_span(span("s", name, input=1, error=1))
        storage.batch_create_logs([log(name, traceId="t", serviceName="api")])
        storage.batch_create_metrics([metric(name, labels={"a": "b"}, tags=["x"])])
        storage.create_score(rating(name))
        storage.create_feedback(opinion(name))
        storage.save_eval(evaluation(name, threadId="t"))
        storage.save_workflow_run(run(name, resourceId="r", stateType="x"))
        memory = storage.initialize_observational_memory(None, name, scope="resource", config={})
        storage.update_buffered_observations(memory.id, CHUNK)
        storage.save_score(score(name, traceId="t", spanId="n"))
        storage.create_schedule(schedule(name))
        storage.record_trigger(fired(name, "t"))
        storage.create_task(task(name, threadId="t", resourceId="r"))
        storage.save_installation(installation(name))
    storage.save_config({"platform": "slack", "data": {}})
    storage.save_messages([message("a"), message("b"), message("c", "u")])


CHUNK = {
    "cycleId": "c",
    "observations": "o",
    "tokenCount": 1,
    "messageIds": ["a"],
    "messageTokens": 1,
    "lastObservedAt": T0,
}
FULL = {
    "threads": 2,
    "messages": 3,
    "resources": 2,
    "traces": 2,
    "spans": 2,
    "logs": 2,
    "metrics": 2,
    "scoreEvents": 2,
    "feedback": 2,
    "evals": 2,
    "workflowRuns": 2,
    "observationalMemory": 2,
    "observationChunks": 2,
    "scores": 2,
    "schedules": 2,
    "scheduleTriggers": 2,
    "backgroundTasks": 2,
    "channelInstallations": 2,
    "channelConfigs": 1,
}
TAKEN_ALONG = {
    "threads": ["messages"],
    "observationalMemory": ["observationChunks"],
    "schedules": ["scheduleTriggers"],
}


def test_clearing_a_table(storage: ConvexStorage) -> None:
    fill(storage)
    assert records_of(storage) == FULL
    for table in TABLES:
        for _ in range(2):
            storage.clear_table(table=table)
            gone = {table, *TAKEN_ALONG.get(table, ())}
            expected = {name: 0 if name in gone else count for name, count in FULL.items()}
            assert records_of(storage) == expected == recounted(storage, ["t", "u"]), table
            assert all(size_of(storage, name) == 0 for name in gone)
        fill(storage)
        assert records_of(storage) == FULL == recounted(storage, ["t", "u"]), table


def test_lists_of_a_cleared_store_are_empty(storage: ConvexStorage) -> None:
    fill(storage)
    for table in TABLES:
        storage.clear_table(table)
    totals = [
        storage.list_threads().total,
        storage.list_threads("r").total,
        storage.list_messages("t").total,
        *(
            storage.get_traces(**by).total  # type: ignore[arg-type]
            for by in ({"thread_id": "t"}, {"run_id": "w"}, {"scope": "s"}, {"name": "n"})
        ),
        *(
            storage.list_evals(**by).total  # type: ignore[arg-type]
            for by in ({"agent_name": "a"}, {"type": "live"}, {"thread_id": "t"})
        ),
        *(
            storage.list_workflow_runs(**by).total  # type: ignore[arg-type]
            for by in ({"workflow_name": "flow"}, {"resource_id": "r"}, {"status": "x"})
        ),
        storage.list_scores_by_scorer_id("tone", source="LIVE").total,
        storage.list_scores_by_span("t", "n").total,
        *(
            storage.list_tasks(**by).total  # type: ignore[arg-type]
            for by in ({}, {"agent_id": "a"}, {"thread_id": "t"}, {"status": "pending"})
        ),
    ]
    assert totals == [0] * 19
    assert all((each.records, each.bytes) == (0, 0) for each in storage.get_statistics())


def test_clearing_messages_leaves_their_threads(storage: ConvexStorage) -> None:
    fill(storage)
    before = storage.get_thread_by_id("t")
    storage.clear_table("messages")
    assert storage.get_thread_by_id("t") == before
    assert storage.list_messages("t").total == 0
    assert storage.save_message(message("d")).seq == 3
    assert storage.list_messages("t").total == 1


def test_an_unknown_table_is_refused(storage: ConvexStorage) -> None:
    fill(storage)
    for bad in ("counters", "workflow_runs", "", None, 5):
        with pytest.raises(InvalidArgumentError, match=r"clear_table: .*'threads', 'messages'"):
            storage.clear_table(bad)  # type: ignore[arg-type]
    assert records_of(storage) == FULL


def test_a_token_for_one_resource(storage: ConvexStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY.to_text())
    claims = verify(storage.token_for("user-1", ttl=60), [KEY.public_jwk])
    assert (claims.role, claims.subject) == ("resource", "user-1")
    assert 50 < claims.expires_at - time.time() <= 60
    default = verify(storage.token_for("user-1"), [KEY.public_jwk])
    assert 590 < default.expires_at - time.time() <= 600


def test_a_token_that_cannot_be_made(
    storage: ConvexStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY.to_text())
    for bad in ({"resource_id": ""}, {"resource_id": 5}, {"resource_id": "r", "ttl": 0}):
        with pytest.raises(InvalidArgumentError, match="token_for: a token"):
            storage.token_for(**bad)
    monkeypatch.delenv(KEY_VARIABLE)
    for place in (":memory:", "http://127.0.0.1:1"):
        given: dict[str, Any] = {"token": "t"} if place != ":memory:" else {}
        with ConvexStorage(place, **given) as other:
            with pytest.raises(UnauthenticatedError, match="token_for: no key") as caught:
                other.token_for("r")
            assert caught.value.operation == "token_for"
