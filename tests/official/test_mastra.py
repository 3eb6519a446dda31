"""A Mastra app, with the packages as they are on npm, on a server in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import httpx
import pytest

from mastra_convex import ConvexStorage, WorkflowRun
from tests.cli.processes import PATIENCE
from tests.official.driver import HERE, Program, RefusedError
from tests.server.process import Dev, dev
from tests.server.support import bearer

T = TypeVar("T")
CLEAR = {"op": "clearTable", "tableName": "mastra_threads"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """A server over an empty file."""
    with dev(tmp_path_factory.mktemp("mastra") / "a.db") as started:
        yield started


@pytest.fixture(scope="module")
def app(server: Dev) -> Iterator[Program]:
    """The app, with the server's admin key."""
    program = Program("node", HERE / "mastra.mjs", server.url, server.key.admin_key())
    try:
        yield program
    finally:
        program.end()


@pytest.fixture(scope="module")
def storage(server: Dev) -> Iterator[ConvexStorage]:
    """Python, on the same server."""
    with ConvexStorage(server.url, key=server.key.to_text()) as opened:
        yield opened


def until(watch: Iterable[T], wanted: Callable[[T], bool]) -> T:
    """The first value that is such."""
    for value in watch:
        if wanted(value):
            return value
    raise AssertionError("the watch has ended")


def in_state(state: str) -> Callable[[WorkflowRun | None], bool]:
    return lambda run: run is not None and run.state_type == state


def said(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def called(tool: str, given: str) -> dict[str, str]:
    return {"type": "tool-call", "toolCallId": f"call-{tool}", "toolName": tool, "input": given}


def test_an_agent_talks_and_python_listens_and_joins_in(
    app: Program, storage: ConvexStorage
) -> None:
    talk = {"thread": "trip", "resource": "alice"}
    with (
        storage.watch_thread_messages("trip") as messages,
        storage.watch_resource_threads("alice") as threads,
        storage.watch_scorer_scores("brevity") as scores,
    ):
        assert next(messages) == next(threads) == next(scores) == []
        replies = [[called("weather", '{"city":"Oslo"}')], [said("21 degrees.")]]
        asked = app.do("say", text="How warm is Oslo?", replies=replies, **talk)
        assert asked["text"] == "21 degrees."
        (thread,) = until(threads, lambda found: len(found) == 1)
        assert (thread.id, thread.resource_id) == ("trip", "alice")
        question, answer = until(messages, lambda found: "21 degrees." in str(found[-1:]))
        assert (question.role, question.content["parts"][0]["text"]) == (
            "user",
            "How warm is Oslo?",
        )
        (invocation,) = (
            part["toolInvocation"]
            for part in answer.content["parts"]
            if part["type"] == "tool-invocation"
        )
        assert (invocation["state"], invocation["args"]) == ("result", {"city": "Oslo"})
        assert invocation["result"] == {"city": "Oslo", "degrees": 21}
        (score,) = until(scores, lambda found: len(found) == 1)
        assert (score.score, score.entity_id, score.source) == (0.75, "guide", "LIVE")

        parts = [{"type": "text", "text": "The password is tulip."}]
        ours = {"id": "ours", "threadId": "trip", "resourceId": "alice", "role": "user"}
        storage.save_message({**ours, "content": {"format": 2, "parts": parts}})
        remember = [called("updateWorkingMemory", '{"memory":"# Alice: tulip"}')]
        replies = [remember, [said("Noted.")]]
        heard = app.do("say", text="Which password?", replies=replies, **talk)
        assert "The password is tulip." in str(heard["told"])
        assert len(until(messages, lambda found: len(found) == 5)) == 5
    alice = storage.get_resource_by_id("alice")
    assert alice is not None
    assert alice.working_memory == "# Alice: tulip"
    storage.update_resource("alice", working_memory="# Alice: rose")
    heard = app.do("say", text="And now?", replies=[[said("Rose.")]], **talk)
    assert "# Alice: rose" in str(heard["told"])
    counted = storage.list_messages("trip")
    assert (counted.total, len({each.id for each in counted.messages})) == (7, 7)


def test_a_workflow_suspends_and_resumes(app: Program, storage: ConvexStorage) -> None:
    with storage.watch_workflow_run("run-1", "booking") as run:
        assert next(run) is None
        given = {"runId": "run-1", "resourceId": "alice", "inputData": {"price": 99}}
        assert app.do("start", **given) == "suspended"
        stored = until(run, in_state("suspended"))
        assert stored is not None
        assert stored.resource_id == "alice"
        assert stored.state["context"]["approve"]["suspendPayload"] == {"price": 99}
        assert app.do("resume", runId="run-1", resumeData={"yes": True}) == {"paid": 99}
        stored = until(run, in_state("success"))
        assert stored is not None
        assert stored.state["result"] == {"paid": 99}


def test_other_domains(app: Program, storage: ConvexStorage) -> None:
    def of(domain: str, method: str, *args: Any) -> Any:
        return app.do("store", domain=domain, method=method, args=args)

    schedule = {
        "id": "daily",
        "target": {"type": "workflow", "workflowId": "booking"},
        "cron": "0 9 * * *",
        "status": "active",
        "nextFireAt": 5,
        "createdAt": 1,
        "updatedAt": 1,
    }
    of("schedules", "createSchedule", schedule)
    stored = storage.get_schedule("daily")
    assert stored is not None
    assert stored.workflow_id == "booking"
    assert [each["id"] for each in of("schedules", "listDueSchedules", 10)] == ["daily"]
    installation = {"id": "i", "platform": "slack", "agentId": "guide", "data": {"token": "s"}}
    of("channels", "saveInstallation", {**installation, "status": "active"})
    found = storage.get_installation_by_agent("slack", "guide")
    assert found is not None
    assert found.data == {"token": "s"}


def test_the_cache(app: Program) -> None:
    def of(method: str, *args: Any) -> Any:
        return app.do("cache", method=method, args=args)

    of("set", "k", {"a": [1, None]})
    assert of("get", "k") == {"a": [1, None]}
    assert [of("increment", "n") for _ in range(2)] == [1, 2]
    for n in range(4):
        of("listPush", "l", {"n": n})
    assert of("listLength", "l") == 4
    assert of("listFromTo", "l", 1, 2) == [{"n": 1}, {"n": 2}]
    assert of("listFromTo", "l", -1) == [{"n": 3}]
    with pytest.raises(RefusedError, match="is no list"):
        of("listPush", "n", 1)
    of("set", "short", 1, 1)
    time.sleep(0.05)
    assert of("get", "short") is None
    of("delete", "k")
    assert of("get", "k") is None
    of("clear")
    assert (of("get", "n"), of("listLength", "l")) == (None, 0)


@pytest.mark.parametrize("who", ["nobody", "wrong", "service", "resource"])
@pytest.mark.parametrize("path", ["mastra/storage:handle", "mastra/cache:handle"])
def test_only_the_admin_key_opens_it(server: Dev, path: str, who: str) -> None:
    header = {
        "nobody": {},
        "wrong": {"Authorization": "Convex mastra-convex|wrong"},
        "service": bearer(server.key.service_token()),
        "resource": bearer(server.key.resource_token("alice")),
    }[who]
    request = {"op": "clear", "keyPrefix": ""} if "cache" in path else CLEAR
    body = {"path": path, "args": request, "format": "json"}
    answer = httpx.post(f"{server.url}/api/mutation", json=body, headers=header, timeout=PATIENCE)
    if who == "wrong":
        assert answer.status_code == 401
    else:
        assert "Could not find public function" in answer.json()["errorMessage"]
