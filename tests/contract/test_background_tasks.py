"""Background tasks: guarded by their status, counted, listed and cleaned up."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mastra_convex import BackgroundTask, ConflictError, ConvexStorage, InvalidArgumentError
from tests.contract.faces import Place
from tests.contract.records import Doc, at, ids, task


def test_a_missing_task_is_none(storage: ConvexStorage) -> None:
    assert storage.get_task("k") is None
    assert storage.update_task("k", {"status": "running"}) is False
    assert (storage.get_running_count(), storage.get_running_count_by_agent("a")) == (0, 0)
    storage.delete_task("k")


def test_what_is_created_comes_back(storage: ConvexStorage) -> None:
    given = task(
        status="suspended",
        threadId="t",
        resourceId="r",
        result={"$r": [1]},
        error={"message": "no"},
        suspendPayload=["x"],
        startedAt=at(1),
        suspendedAt=at(2),
        completedAt=at(3),
        custom=1,
    )
    created = storage.create_task(given)
    assert created.to_dict() == given
    assert storage.get_task("k") == created
    assert (created.retry_count, created.timeout_ms) == (0, 1000)
    assert storage.create_task(created) == created
    with pytest.raises(ConflictError, match="task 'k' exists already"):
        storage.create_task(task())
    model = BackgroundTask(
        id="m",
        status="pending",
        tool_name="x",
        tool_call_id="c",
        args={},
        agent_id="a",
        run_id="w",
        retry_count=0,
        max_retries=0,
        timeout_ms=1,
    )
    assert storage.create_task(model).created_at is not None


def test_an_update_changes_what_is_given(storage: ConvexStorage) -> None:
    storage.create_task(task(suspendPayload=1, suspendedAt=at(1)))
    resumed = {"status": "running", "suspend_payload": None, "suspendedAt": None, "retryCount": 1}
    assert storage.update_task("k", resumed) is True
    expected = task(status="running", retryCount=1)
    found = storage.get_task("k")
    assert found is not None
    assert found.to_dict() == expected
    for wrong in ({"agentId": "b"}, {"status": "on"}, {"retryCount": "1"}, {"error": "no"}, 5):
        with pytest.raises(InvalidArgumentError):
            storage.update_task("k", wrong)  # type: ignore[arg-type]
    assert storage.get_task("k") == found


def test_one_of_many_takes_a_task(shared: Place) -> None:
    storages = [shared.open(), shared.open()]
    storages[0].create_task(task())

    def claim(n: int) -> bool:
        update = {"status": "running", "startedAt": at(n)}
        return storages[n % 2].update_task("k", update, expected_status="pending")

    with ThreadPoolExecutor(20) as pool:
        won = list(pool.map(claim, range(20)))
    assert won.count(True) == 1
    found = storages[1].get_task("k")
    assert found is not None
    assert found.started_at is not None
    assert found.started_at.timestamp() * 1000 == at(won.index(True))
    assert storages[0].get_running_count() == 1


@pytest.fixture
def five(storage: ConvexStorage) -> ConvexStorage:
    """Five tasks, a moment after one another."""
    rows: list[Doc] = [
        {"status": "running", "threadId": "t", "resourceId": "r", "startedAt": at(30)},
        {"agent": "b", "status": "running", "runId": "w2", "startedAt": at(10)},
        {"status": "completed", "toolName": "mail", "runId": "w2", "completedAt": at(20)},
        {"threadId": "t", "resourceId": "s", "toolCallId": "c"},
        {"agent": "b", "status": "failed", "toolName": "mail", "completedAt": at(40)},
    ]
    for n, row in enumerate(rows):
        storage.create_task(task(f"k{n}", createdAt=at(n), **row))
    return storage


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"order_direction": "DESC"}, [4, 3, 2, 1, 0]),
        ({"status": "running"}, [0, 1]),
        ({"status": ["completed", "failed"]}, [2, 4]),
        ({"status": ["completed"]}, [2]),
        ({"status": []}, []),
        ({"agent_id": "b"}, [1, 4]),
        ({"agent_id": "b", "status": "failed"}, [4]),
        ({"thread_id": "t"}, [0, 3]),
        ({"resource_id": "r"}, [0]),
        ({"run_id": "w2", "tool_name": "mail"}, [2]),
        ({"tool_call_id": "c"}, [3]),
        ({"from_date": at(1), "to_date": at(3)}, [1, 2]),
        ({"date_filter_by": "completed_at", "to_date": at(40)}, [2]),
        ({"date_filter_by": "completedAt", "from_date": at(20)}, [2, 4]),
        ({"order_by": "startedAt"}, [2, 3, 4, 1, 0]),
        ({"order_by": "started_at", "order_direction": "desc"}, [0, 1, 4, 3, 2]),
        ({"agent_id": "", "status": None}, [0, 1, 2, 3, 4]),
    ],
)
def test_lists(five: ConvexStorage, criteria: Doc, expected: list[int]) -> None:
    found = five.list_tasks(**criteria)
    assert ids(found.tasks) == [f"k{n}" for n in expected]
    assert (found.total, found.has_more) == (len(expected), False)
    first = five.list_tasks(**criteria, per_page=1, page=1)
    assert ids(first.tasks) == [f"k{n}" for n in expected[1:2]]
    assert first.has_more == (len(expected) > 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": 5},
        {"status": [5]},
        {"status": "on"},
        {"order_by": "updatedAt"},
        {"date_filter_by": 5},
        {"order_direction": "up"},
        {"agent_id": 5},
        {"from_date": "today"},
        {"per_page": -1},
    ],
)
def test_bad_arguments_are_refused(storage: ConvexStorage, wrong: Doc) -> None:
    with pytest.raises(InvalidArgumentError):
        storage.list_tasks(**wrong)


def test_running_tasks_are_counted(five: ConvexStorage) -> None:
    assert five.get_running_count() == 2
    assert [five.get_running_count_by_agent(agent) for agent in ("a", "b", "c")] == [1, 1, 0]
    five.update_task("k3", {"status": "running"})
    five.update_task("k0", {"status": "completed"})
    five.delete_task("k1")
    assert five.get_running_count() == 1
    assert [five.get_running_count_by_agent(agent) for agent in ("a", "b", "c")] == [1, 0, 0]


def test_deleting_many(five: ConvexStorage) -> None:
    five.delete_tasks(status=["completed", "failed"], date_filter_by="completedAt", to_date=at(40))
    assert ids(five.list_tasks().tasks) == ["k0", "k1", "k3", "k4"]
    for n in range(210):
        five.create_task(task(f"many-{n}", "c", createdAt=at(n)))
    five.delete_tasks(agent_id="c")
    assert five.list_tasks().total == 4
    five.delete_tasks()
    assert five.list_tasks().total == 0


def test_a_task_is_watched(storage: ConvexStorage) -> None:
    with storage.watch_task("k") as values:
        assert values.next(10) is None
        storage.create_task(task())
        for status in ("pending", "running"):
            if not storage.update_task("k", {"status": status}):
                storage.create_task(task(status=status))
            seen = values.next(10)
            assert seen is not None
            assert seen.status == status
    storage.subscribe_to_task("k", lambda _: None)()
