"""Snapshots of workflow runs: what is merged into them at the same time, and who may resume."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given

from mastra_convex import ConflictError, ConvexStorage, InvalidArgumentError
from tests.contract.faces import Place
from tests.contract.records import T0, Doc, at, exactly, ids, json_objects, now, on_one_storage, run

MANY = 20
EMPTY: Doc = {"status": "running", "context": {}}


def persist(storage: ConvexStorage, snapshot: Any, **more: Any) -> None:
    """Persist the snapshot of run "w" of workflow "flow"."""
    storage.persist_workflow_snapshot("flow", "w", snapshot, **more)


def at_once(call: Any, count: int = MANY) -> list[Any]:
    """What `call` gives, or raises, for each number, all of them at the same time."""

    def outcome(n: int) -> Any:
        try:
            return call(n)
        except ConflictError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(outcome, range(count)))


def test_a_run_is_missing_until_it_is_persisted(storage: ConvexStorage) -> None:
    assert storage.supports_concurrent_updates() is True
    assert storage.load_workflow_snapshot("flow", "w") is None
    assert storage.update_workflow_state("flow", "w", {"status": "running"}) is None
    assert storage.get_workflow_run_by_id("w", "flow") is None
    persist(storage, EMPTY, resource_id="r", created_at=T0, updated_at=at(1))
    found = storage.get_workflow_run_by_id("w", "")
    assert found is not None
    assert found.to_dict() == run(resourceId="r", stateType="running", state=EMPTY, updatedAt=at(1))
    assert storage.load_workflow_snapshot("flow", "w") == EMPTY
    assert storage.load_workflow_snapshot("other", "w") is None


@on_one_storage
@given(snapshot=json_objects)
def test_a_snapshot_comes_back_exactly(storage: ConvexStorage, snapshot: Doc) -> None:
    persist(storage, snapshot)
    assert exactly(storage.load_workflow_snapshot("flow", "w"), snapshot)


def test_a_snapshot_may_be_json_text(storage: ConvexStorage) -> None:
    persist(storage, ' {"status": "waiting", "context": {}}')
    assert storage.load_workflow_snapshot("flow", "w") == {"status": "waiting", "context": {}}
    assert ids(storage.list_workflow_runs(status="waiting").runs) == ["w"]
    for wrong in ("x", "1", None, 5):
        with pytest.raises(InvalidArgumentError, match="the JSON text of one"):
            persist(storage, wrong)


def test_persisting_again_replaces_the_snapshot_alone(storage: ConvexStorage) -> None:
    storage.save_workflow_run(run(resourceId="r", state=EMPTY, error={"message": "no"}, custom=1))
    before = int(now())
    persist(storage, {"status": "success", "result": 1}, created_at=at(5))
    found = storage.get_workflow_run_by_id("w")
    assert found is not None
    assert (found.resource_id, found.status) == ("r", "success")
    assert (found.state, found.error) == ({"status": "success", "result": 1}, {"message": "no"})
    assert found.extra == {"custom": 1}
    assert found.created_at.timestamp() * 1000 == T0
    assert found.updated_at.timestamp() * 1000 >= before


def test_all_results_of_a_foreach_are_there(shared: Place) -> None:
    storages = [shared.open(), shared.open()]
    persist(storages[0], {"status": "running", "context": {"each": {"output": []}}})

    def iteration(n: int) -> Doc:
        output: list[Any] = [None] * MANY
        output[n] = {"status": "success", "output": n}
        result = {"status": "running", "output": output}
        return storages[n % 2].update_workflow_results("flow", "w", "each", result, {f"k{n}": n})

    told = at_once(iteration)
    snapshot = storages[0].load_workflow_snapshot("flow", "w")
    slots = snapshot["context"]["each"]["output"]
    assert [slot["output"] for slot in slots] == list(range(MANY))
    assert snapshot["requestContext"] == {f"k{n}": n for n in range(MANY)}
    assert all(context["each"]["output"][n]["output"] == n for n, context in enumerate(told))


def test_a_late_merge_takes_back_no_step(storage: ConvexStorage) -> None:
    persist(storage, EMPTY)

    def step(n: int) -> Any:
        storage.update_workflow_results("flow", "w", f"step-{n}", {"status": "success"})
        return storage.update_workflow_state("flow", "w", {"status": "running", "value": {"n": n}})

    at_once(step)
    context = storage.load_workflow_snapshot("flow", "w")["context"]
    assert context == {f"step-{n}": {"status": "success"} for n in range(MANY)}
    # What a marker opens again is not what has finished meanwhile.
    done = [{"status": "success"}, {"status": "suspended", "suspendPayload": {}}]
    storage.update_workflow_results("flow", "w", "each", {"output": done})
    late = {"output": [{"__mastra_pending__": True}] * 2}
    after = storage.update_workflow_results("flow", "w", "each", late)
    assert after["each"]["output"] == [{"status": "success"}, None]


def test_one_of_many_resumes_a_suspended_run(shared: Place) -> None:
    storages = [shared.open(), shared.open()]
    persist(storages[0], {"status": "suspended", "context": {"input": 1}})
    outcomes = at_once(lambda n: storages[n % 2].claim_workflow_run("flow", "w"))
    winners = [outcome for outcome in outcomes if not isinstance(outcome, ConflictError)]
    assert winners == [{"status": "running", "context": {"input": 1}}]
    lost = next(outcome for outcome in outcomes if isinstance(outcome, ConflictError))
    assert lost.code == "CONFLICT"
    assert lost.operation == "claim_workflow_run"
    # As Mastra says it: nothing comes back.
    guard = {"status": "running", "expectedStatus": "suspended"}
    assert storages[0].update_workflow_state("flow", "w", guard) is None
    given_back = storages[0].update_workflow_state(
        "flow", "w", {"status": "suspended"}, expected_status=["running"]
    )
    assert given_back == {"status": "suspended", "context": {"input": 1}}
    outcomes = at_once(lambda _: storages[1].update_workflow_state("flow", "w", guard))
    assert sum(outcome is not None for outcome in outcomes) == 1


def test_a_state_has_the_names_of_both_languages(storage: ConvexStorage) -> None:
    persist(storage, EMPTY)
    state = storage.update_workflow_state(
        "flow", "w", {"status": "suspended", "suspended_paths": {"a": [1]}, "error": None}
    )
    assert state == {**EMPTY, "status": "suspended", "suspendedPaths": {"a": [1]}, "error": None}
    assert storage.list_workflow_runs(status="suspended").total == 1
    for wrong in (5, [5], {"running": 1}):
        with pytest.raises(InvalidArgumentError, match="expected_status is a status or a list"):
            storage.update_workflow_state("flow", "w", {"status": "x"}, expected_status=wrong)  # type: ignore[arg-type]


def test_a_result_of_a_missing_run_is_kept(storage: ConvexStorage) -> None:
    told = storage.update_workflow_results("flow", "w", "a", {"status": "success"}, {"k": 1})
    assert told == {"a": {"status": "success"}}
    snapshot = storage.load_workflow_snapshot("flow", "w")
    assert (snapshot["status"], snapshot["runId"]) == ("pending", "w")
    assert (snapshot["context"], snapshot["requestContext"]) == (told, {"k": 1})
    assert storage.list_workflow_runs(status="pending").total == 1


def test_deleting_a_run(storage: ConvexStorage) -> None:
    persist(storage, EMPTY)
    storage.persist_workflow_snapshot("other", "w", EMPTY)
    storage.delete_workflow_run_by_id("w", "flow")
    storage.delete_workflow_run_by_id(run_id="w", workflow_name="flow")
    assert storage.load_workflow_snapshot("flow", "w") is None
    assert ids(storage.list_workflow_runs().runs) == ["w"]
    assert storage.list_workflow_runs(workflow_name="flow").total == 0


def test_runs_of_a_thread(storage: ConvexStorage) -> None:
    def memory(thread_id: str) -> Doc:
        return {"memoryInfo": {"threadId": thread_id, "resourceId": "r"}}

    def suspended(stream: Any) -> Doc:
        return {"status": "suspended", "suspendPayload": {"__streamState": stream}}

    contexts: dict[str, Any] = {
        "agentic": {"a": {"status": "success"}, "b": suspended({"messageList": memory("t")})},
        "durable": {"input": {"messageListState": memory("t")}},
        # The first suspended step decides, whatever the input says.
        "other": {
            "b": suspended({"messageList": memory("u")}),
            "input": {"messageListState": memory("t")},
        },
        "without": {"b": suspended({}), "input": {"messageListState": memory("t")}},
        "resumed": {"b": {**suspended({"messageList": memory("t")}), "status": "running"}},
        "odd": [1],
    }
    for n, (name, context) in enumerate(contexts.items()):
        storage.persist_workflow_snapshot(
            "flow", name, {"status": "x", "context": context}, created_at=at(n), resource_id="r"
        )
    storage.save_workflow_run(run("none", createdAt=at(9)))
    found = storage.list_workflow_runs(thread_id="t", resource_id="r", status="x")
    assert (ids(found.runs), found.total) == (["durable", "agentic"], 2)
    assert ids(storage.list_workflow_runs(thread_id="u").runs) == ["other"]
    assert storage.list_workflow_runs(thread_id="").total == len(contexts) + 1
    page = storage.list_workflow_runs(thread_id="t", page=1, per_page=1)
    assert (ids(page.runs), page.has_more) == (["agentic"], False)


def test_a_run_is_watched_while_it_is_merged(storage: ConvexStorage) -> None:
    persist(storage, EMPTY)
    with storage.watch_workflow_run("w", "flow") as values:
        assert values.next(10) is not None
        storage.update_workflow_results("flow", "w", "a", 1)
        seen = values.next(10)
        assert seen is not None
        assert seen.state["context"] == {"a": 1}
        storage.delete_workflow_run_by_id("w", "flow")
        assert values.next(10) is None
