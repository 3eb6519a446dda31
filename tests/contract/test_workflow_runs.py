"""Workflow runs: the state of a run, by the workflow's name and the run's id together."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given

from mastra_convex import ConvexStorage, InvalidArgumentError, WorkflowRun
from tests.contract.records import (
    T0,
    Doc,
    at,
    exactly,
    ids,
    json_values,
    now,
    on_one_storage,
    run,
)

SNAPSHOT: Doc = {
    "runId": "w",
    "status": "suspended",
    "value": {},
    "context": {"input": {"$x": 1}, "step-1": {"status": "success", "output": [None, 2]}},
    "suspendedPaths": {"step-2": [1]},
    "timestamp": T0,
}


def test_a_missing_run_is_none(storage: ConvexStorage) -> None:
    assert storage.get_workflow_run_by_id("w") is None
    assert storage.get_workflow_run_by_id("w", "flow") is None


def test_what_is_saved_comes_back(storage: ConvexStorage) -> None:
    given = run(
        resourceId="r",
        stateType="failed",
        state={"a": [1]},
        error={"message": "no"},
        updatedAt=at(1),
        custom=1,
    )
    saved = storage.save_workflow_run(given)
    assert storage.get_workflow_run_by_id("w", "flow") == saved
    assert saved.to_dict() == given
    assert (saved.run_id, saved.snapshot, saved.status) == ("w", {"a": [1]}, "failed")


@pytest.mark.parametrize(
    "given",
    [
        {"id": "w", "workflowName": "flow", "stateType": "running", "createdAt": T0},
        {"id": "w", "workflow_name": "flow", "state_type": "running", "created_at": T0},
        {"runId": "w", "workflowName": "flow", "status": "running", "createdAt": T0},
        {"run_id": "w", "id": "w", "workflow_name": "flow", "status": "running", "createdAt": T0},
        {"id": "w", "runId": None, "workflowName": "flow", "stateType": "running", "createdAt": T0},
        WorkflowRun(id="w", workflow_name="flow", state_type="running", created_at=T0),  # type: ignore[arg-type]
    ],
    ids=["camelCase", "snake_case", "Mastra's", "both", "None", "model"],
)
def test_every_form_of_a_run_is_the_same(storage: ConvexStorage, given: Any) -> None:
    saved = storage.save_workflow_run(workflow_run=given)
    assert saved.to_dict() == run(stateType="running", updatedAt=T0)
    assert storage.get_workflow_run_by_id(run_id="w", workflow_name="flow") == saved


def test_a_snapshot_brings_its_status(storage: ConvexStorage) -> None:
    given = {"runId": "w", "workflowName": "flow", "snapshot": SNAPSHOT, "resourceId": "r"}
    saved = storage.save_workflow_run(given)
    assert (saved.id, saved.state, saved.status) == ("w", SNAPSHOT, "suspended")
    assert storage.save_workflow_run(given) == saved
    assert ids(storage.list_workflow_runs(status="suspended").runs) == ["w"]
    saved = storage.save_workflow_run(given | {"snapshot": SNAPSHOT | {"status": "success"}})
    assert saved.status == "success"
    assert storage.list_workflow_runs(status="suspended").total == 0
    # What is said outside comes first; a snapshot that is text is not looked into.
    assert storage.save_workflow_run(given | {"stateType": "x"}).status == "x"
    assert storage.save_workflow_run(given | {"snapshot": '{"status": "y"}'}).status is None


def test_two_names_of_one_field_must_agree(storage: ConvexStorage) -> None:
    for more in (
        {"runId": "other"},
        {"state": 1, "snapshot": 2},
        {"stateType": "a", "status": "b"},
    ):
        with pytest.raises(InvalidArgumentError, match=r"workflow run 'w': .* differ; give one"):
            storage.save_workflow_run(run(**more))
    storage.save_workflow_run(run(runId="w", state=1, snapshot=1, stateType="a", status="a"))
    assert storage.list_workflow_runs().total == 1


def test_the_key_is_name_and_id(storage: ConvexStorage) -> None:
    # Joined with a hyphen, these would be one.
    storage.save_workflow_run(run("c", "a-b", state=1))
    storage.save_workflow_run(run("b-c", "a", state=2))
    storage.save_workflow_run(run("c", "other", state=3, createdAt=at(-1)))
    assert storage.list_workflow_runs().total == 3
    for key, state in ((("c", "a-b"), 1), (("b-c", "a"), 2), (("c", "other"), 3)):
        found = storage.get_workflow_run_by_id(*key)
        assert found is not None
        assert found.state == state
    assert storage.get_workflow_run_by_id("c", "a") is None


def test_without_a_name_the_newest_run_is_found(storage: ConvexStorage) -> None:
    for n, workflow in ((2, "x"), (3, "y"), (1, "z"), (3, "later")):
        storage.save_workflow_run(run("w", workflow, createdAt=at(n)))
    found = storage.get_workflow_run_by_id("w")
    assert found is not None
    assert found.workflow_name == "later"


def test_saving_the_same_again_changes_nothing(storage: ConvexStorage) -> None:
    for form in (run(state={"a": 1}), {"id": "v", "workflowName": "flow", "stateType": "x"}):
        first = storage.save_workflow_run(form)
        assert storage.save_workflow_run(form) == first
        assert storage.save_workflow_run(first) == first
        assert storage.get_workflow_run_by_id(first.id) == first


def test_saving_replaces_all_but_creation_and_owner(storage: ConvexStorage) -> None:
    first = storage.save_workflow_run(run(resourceId="r", stateType="running", state=1, custom=1))
    second = storage.save_workflow_run(run(stateType="success", createdAt=at(5)))
    assert (second.resource_id, second.status) == ("r", "success")
    assert (second.state, second.extra) == (None, {})
    assert second.created_at == first.created_at
    assert second.updated_at > first.updated_at
    third = storage.save_workflow_run(run(resourceId="s", updatedAt=at(3)))
    assert third.resource_id == "s"
    assert third.updated_at.timestamp() * 1000 == at(3)
    totals = [storage.list_workflow_runs(resource_id=name).total for name in "rs"]
    totals += [storage.list_workflow_runs(status=name).total for name in ("running", "success")]
    assert totals == [0, 1, 0, 0]


def test_times_that_are_left_out_are_now(storage: ConvexStorage) -> None:
    before = now()
    saved = storage.save_workflow_run({"id": "w", "workflowName": "flow"})
    assert before - 1 <= saved.created_at.timestamp() * 1000 <= now() + 1
    assert saved.updated_at == saved.created_at


def test_every_combination_of_filters(storage: ConvexStorage) -> None:
    saved: list[Doc] = []
    for n in range(20):
        given = run(f"w{n}", "ab"[n % 2], createdAt=at(n // 3))
        if n % 3:
            given["resourceId"] = "ab"[n // 4 % 2]
        if n % 5:
            given["stateType"] = "ab"[n // 2 % 2]
        storage.save_workflow_run(given)
        saved.insert(0, given)
    some = (None, "", "a", "none")
    for workflow, owner, status, first in product(some, some, some, (None, 2)):
        expected = [
            each["id"]
            for each in saved
            # Empty text is no filter, as in Mastra.
            if (not workflow or each["workflowName"] == workflow)
            and (not owner or each.get("resourceId") == owner)
            and (not status or each.get("stateType") == status)
            and (first is None or at(first) <= each["createdAt"] <= at(5))
        ]
        page = storage.list_workflow_runs(
            workflow_name=workflow,
            resource_id=owner,
            status=status,
            from_date=None if first is None else at(first),
            to_date=None if first is None else at(5),
            page=1,
            per_page=3,
        )
        found = (ids(page.runs), page.total, page.has_more)
        assert found == (expected[3:6], len(expected), len(expected) > 6)


def test_bad_runs_and_filters_are_refused(storage: ConvexStorage) -> None:
    for missing in ("id", "workflowName"):
        given = {name: value for name, value in run().items() if name != missing}
        with pytest.raises(InvalidArgumentError, match=f"workflow_run: .*{missing} is missing"):
            storage.save_workflow_run(given)
    with pytest.raises(InvalidArgumentError, match="workflow run 'w': stateType must be text"):
        storage.save_workflow_run(run(stateType=5))
    for name in ("workflow_name", "resource_id", "status"):
        with pytest.raises(InvalidArgumentError, match=r"list_workflow_runs: .* must be text"):
            storage.list_workflow_runs(**{name: 5})  # type: ignore[arg-type]
    for arguments in ((5,), ("w", 5)):
        with pytest.raises(InvalidArgumentError, match=r"get_workflow_run_by_id: .* must be text"):
            storage.get_workflow_run_by_id(*arguments)
    assert storage.list_workflow_runs().total == 0


@on_one_storage
@given(state=json_values.filter(lambda value: value is not None))
def test_payloads_are_kept_exactly(storage: ConvexStorage, state: Any) -> None:
    storage.save_workflow_run(run(state=state, error=[state], stateType="x"))
    found = storage.get_workflow_run_by_id("w", "flow")
    assert found is not None
    assert exactly(found.state, state)
    assert exactly(found.error, [state])
