"""Schedules: claimed by one, listed by what they are of, and what they have fired."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from mastra_convex import (
    ConflictError,
    ConvexStorage,
    InvalidArgumentError,
    NotFoundError,
    Schedule,
    ScheduleTrigger,
)
from tests.contract.faces import Place
from tests.contract.records import T0, Doc, at, fired, ids, now, schedule

AGENT: Doc = {"type": "agent", "agentId": "a", "prompt": "hi", "metadata": {"$m": 1}}


def test_a_missing_schedule_is_none(storage: ConvexStorage) -> None:
    assert storage.get_schedule("d") is None
    assert storage.update_schedule_next_fire("d", T0, at(1), T0, "run") is False
    storage.delete_schedule("d")


def test_what_is_created_comes_back(storage: ConvexStorage) -> None:
    given = schedule(
        timezone="Europe/Oslo",
        lastFireAt=at(-1),
        lastRunId="run",
        ownerType="agent",
        ownerId="o",
        metadata={"m": 1},
        updatedAt=at(1),
        custom=1,
    )
    created = storage.create_schedule(given)
    assert created.to_dict() == {**given, "workflowId": "flow"}
    assert storage.get_schedule("d") == created
    assert created.next_fire_at.timestamp() * 1000 == T0
    # What was read can be created again: it is the same.
    assert storage.create_schedule(created) == created
    agent = Schedule(id="e", target=AGENT, cron="0 9 * * *", status="paused", next_fire_at=at(1))  # type: ignore[arg-type]
    assert storage.create_schedule(agent).workflow_id is None
    assert (
        storage.create_schedule(schedule("h", target={**AGENT, "type": "heartbeat"})).target
        == AGENT
    )


def test_another_schedule_of_an_id_is_a_conflict(storage: ConvexStorage) -> None:
    first = storage.create_schedule(schedule())
    assert storage.create_schedule(schedule()) == first
    with pytest.raises(ConflictError, match="schedule 'd' exists already"):
        storage.create_schedule(schedule(cron="0 9 * * *"))
    assert storage.get_schedule("d") == first


def test_lists_match_all_of_the_filter(storage: ConvexStorage) -> None:
    storage.create_schedule(schedule("a"))
    owner = {"ownerType": "agent", "ownerId": "o1"}
    storage.create_schedule(schedule("b", target=AGENT, createdAt=at(2), **owner))
    storage.create_schedule(schedule("c", "other", createdAt=at(1), status="paused"))
    storage.create_schedule(schedule("d", createdAt=at(3), ownerType="team", ownerId="o1"))
    assert ids(storage.list_schedules()) == ["a", "c", "b", "d"]
    expected: list[tuple[Doc, list[str]]] = [
        ({"workflowId": "flow"}, ["a", "d"]),
        ({"workflow_id": "flow", "owner_id": None}, ["a"]),
        ({"status": "paused"}, ["c"]),
        ({"ownerType": None}, ["a", "c"]),
        ({"ownerType": "agent"}, ["b"]),
        ({"ownerId": "o1"}, ["b", "d"]),
        ({"ownerType": "team", "ownerId": "o1", "status": "active"}, ["d"]),
        ({"ownerType": "team", "ownerId": None}, []),
        ({"status": None, "workflowId": ""}, ["a", "c", "b", "d"]),
    ]
    for filter, found in expected:
        assert ids(storage.list_schedules(filter)) == found, filter
    for wrong in ({"cron": "*"}, {"workflowId": 5}, "active"):
        with pytest.raises(InvalidArgumentError):
            storage.list_schedules(wrong)  # type: ignore[arg-type]


def test_what_is_due(storage: ConvexStorage) -> None:
    for n, name in enumerate("abc"):
        storage.create_schedule(schedule(name, nextFireAt=at(3 - n)))
    storage.create_schedule(schedule("paused", status="paused"))
    assert ids(storage.list_due_schedules(at(0))) == []
    assert ids(storage.list_due_schedules(at(2))) == ["c", "b"]
    assert ids(storage.list_due_schedules(at(9), limit=1)) == ["c"]
    assert storage.list_due_schedules(at(9), limit=0) == []
    with pytest.raises(InvalidArgumentError, match="limit must be >= 0"):
        storage.list_due_schedules(at(9), limit=-1)


def test_one_of_many_fires(shared: Place) -> None:
    storages = [shared.open(), shared.open()]
    storages[0].create_schedule(schedule())

    def claim(n: int) -> bool:
        return storages[n % 2].update_schedule_next_fire("d", T0, at(60), at(1), f"run-{n}")

    with ThreadPoolExecutor(20) as pool:
        won = list(pool.map(claim, range(20)))
    assert won.count(True) == 1
    found = storages[1].get_schedule("d")
    assert found is not None
    assert found.last_run_id == f"run-{won.index(True)}"
    assert found.next_fire_at.timestamp() * 1000 == at(60)
    storages[0].update_schedule("d", {"status": "paused"})
    assert storages[1].update_schedule_next_fire("d", at(60), at(90), at(60), "run") is False


def test_an_update_changes_what_is_given(storage: ConvexStorage) -> None:
    storage.create_schedule(schedule(metadata={"a": 1}))
    before = int(now())
    changed = storage.update_schedule(
        "d", {"timezone": "UTC", "next_fire_at": at(7), "target": AGENT, "metadata": None}
    )
    assert (changed.timezone, changed.metadata, changed.cron) == ("UTC", None, "* * * * *")
    assert (changed.target, changed.workflow_id) == (AGENT, None)
    assert changed.updated_at.timestamp() * 1000 >= before
    assert storage.get_schedule("d") == changed
    assert storage.update_schedule("d", {}).updated_at > changed.updated_at
    with pytest.raises(NotFoundError, match="no schedule 'no'"):
        storage.update_schedule("no", {"cron": "x"})
    for wrong in ({"lastRunId": "x"}, {"id": "e"}, {"cron": 5}, {"status": "on"}, {"cron": None}):
        with pytest.raises(InvalidArgumentError):
            storage.update_schedule("d", wrong)


def test_the_history_of_a_schedule(storage: ConvexStorage) -> None:
    storage.create_schedule(schedule())
    storage.create_schedule(schedule("e"))
    for n in range(4):
        storage.record_trigger(fired(f"f{n}", n=n))
    full = fired("full", "e", runId="run", error="no", parentTriggerId="f0", metadata={"m": 1})
    recorded = storage.record_trigger({**full, "triggerKind": "queue-drain"})
    assert recorded.to_dict().items() >= {**full, "triggerKind": "queue-drain"}.items()
    assert ids(storage.list_triggers("d")) == ["f3", "f2", "f1", "f0"]
    assert ids(storage.list_triggers("d", limit=2)) == ["f3", "f2"]
    between = storage.list_triggers("d", from_actual_fire_at=at(1), to_actual_fire_at=at(3))
    assert ids(between) == ["f2", "f1"]
    assert storage.list_triggers("no") == []
    given = {name: value for name, value in fired(n=9).items() if name != "id"}
    own = storage.record_trigger({**given, "runId": None})
    assert isinstance(own, ScheduleTrigger)
    assert (own.run_id, own.trigger_kind) == (None, "schedule-fire")
    assert storage.list_triggers("d", limit=1) == [own]
    with pytest.raises(NotFoundError, match="schedule 'no', which does not exist"):
        storage.record_trigger(fired("x", "no"))


def test_a_deleted_schedule_takes_its_history_along(storage: ConvexStorage) -> None:
    storage.create_schedule(schedule())
    storage.record_trigger(fired())
    storage.delete_schedule("d")
    assert storage.list_schedules() == []
    storage.create_schedule(schedule())
    assert storage.list_triggers("d") == []


def test_schedules_are_watched(storage: ConvexStorage) -> None:
    with storage.watch_schedules({"status": "active"}) as values:
        assert values.next(10) == []
        storage.create_schedule(schedule())
        assert ids(values.next(10)) == ["d"]
        storage.update_schedule("d", {"status": "paused"})
        assert values.next(10) == []
    storage.subscribe_to_schedules(lambda _: None)()
