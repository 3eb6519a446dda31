"""Evals: how well an agent did, in a test or live; and the older row of a metric."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given

from mastra_convex import ConvexStorage, Eval, InvalidArgumentError
from tests.contract.records import (
    T0,
    Doc,
    at,
    evaluation,
    exactly,
    ids,
    json_objects,
    json_values,
    now,
    on_one_storage,
)

ROW: Doc = {
    "input": "What?",
    "output": "That.",
    "result": {"score": 0.5, "info": {"reason": "so"}},
    "agentName": "a",
    "metricName": "relevancy",
    "instructions": "Be brief",
    "testInfo": {"testName": "t", "testPath": "a.test.ts"},
    "globalRunId": "g",
    "runId": "w",
    "createdAt": "2023-11-14T22:13:20.000Z",
}
STORED_ROW: Doc = {
    "agent_name": "a",
    "metric_name": "relevancy",
    "test_info": None,
    "global_run_id": "g",
    "run_id": "w",
    "input": "What?",
    "output": "That.",
    "instructions": "Be brief",
    "result": {"score": 1},
    "created_at": T0,
}


def test_a_missing_eval_is_none(storage: ConvexStorage) -> None:
    assert storage.get_eval("e") is None
    assert storage.get_evals_by_agent_name("a") == []


def test_what_is_saved_comes_back(storage: ConvexStorage) -> None:
    given = evaluation(threadId="t", metadata={"a": 1}, data={"score": 0.95}, custom=[1])
    saved = storage.save_eval(given)
    assert storage.get_eval("e") == saved
    assert saved.to_dict() == given
    assert (saved.agent_name, saved.type, saved.data) == ("a", "live", {"score": 0.95})


@pytest.mark.parametrize(
    "given",
    [
        {"id": "e", "agentName": "a", "type": "test", "data": 1, "createdAt": T0},
        {"id": "e", "agent_name": "a", "type": "test", "data": 1, "created_at": T0},
        Eval(id="e", agent_name="a", type="test", data=1, created_at=T0),  # type: ignore[arg-type]
    ],
    ids=["camelCase", "snake_case", "model"],
)
def test_every_form_of_an_eval_is_the_same(storage: ConvexStorage, given: Any) -> None:
    saved = storage.save_eval(eval=given)
    assert saved.to_dict() == evaluation(type="test", data=1)
    assert storage.get_eval(eval_id="e") == saved


def test_the_older_row_of_a_metric(storage: ConvexStorage) -> None:
    tested = storage.save_eval(ROW)
    live = storage.save_eval(STORED_ROW)
    # Neither has an id or a type: the type is told by the test, the id is made of the content.
    assert (tested.type, live.type) == ("test", "live")
    assert tested.id != live.id
    assert tested.to_dict() == ROW | {"id": tested.id, "type": "test", "createdAt": T0}
    assert (live.metric_name, live.global_run_id, live.run_id) == ("relevancy", "g", "w")
    # So saving one again, in whatever order of its fields, is saving the same.
    assert storage.save_eval(dict(reversed(ROW.items()))) == tested
    assert storage.save_eval(STORED_ROW) == live
    assert storage.list_evals().total == 2
    assert storage.save_eval(ROW | {"output": "Other"}).id not in (tested.id, live.id)
    # Their own id and type come first.
    own = storage.save_eval(ROW | {"id": "own", "type": "live"})
    assert (own.id, own.type) == ("own", "live")


def test_a_time_that_is_left_out_is_now(storage: ConvexStorage) -> None:
    before = now()
    given = {"id": "e", "agentName": "a", "type": "live"}
    saved = storage.save_eval(given)
    assert before - 1 <= saved.created_at.timestamp() * 1000 <= now() + 1
    assert storage.save_eval(given) == saved


def test_saving_replaces_all_but_the_time_of_creation(storage: ConvexStorage) -> None:
    storage.save_eval(evaluation(threadId="t", data={"score": 1}, custom=1))
    saved = storage.save_eval(evaluation(agent="b", type="test", createdAt=at(5)))
    assert saved.to_dict() == evaluation(agent="b", type="test")
    assert storage.list_evals().total == 1
    for gone in ({"agent_name": "a"}, {"type": "live"}, {"thread_id": "t"}):
        assert storage.list_evals(**gone).total == 0  # type: ignore[arg-type]
    assert storage.list_evals(agent_name="b", type="test").total == 1


def test_every_combination_of_filters(storage: ConvexStorage) -> None:
    saved = [
        evaluation(
            f"e{n}",
            "ab"[n % 2],
            ("test", "live")[n // 2 % 2],
            createdAt=at(n // 3),
            **({} if n % 5 == 0 else {"threadId": "ab"[n // 4 % 2]}),
        )
        for n in range(20)
    ]
    for each in saved:
        storage.save_eval(each)
    saved.reverse()
    for agent, type, thread, first in product(
        (None, "a", "none"), (None, "test", "live"), (None, "a", "none"), (None, 2)
    ):
        expected = [
            each["id"]
            for each in saved
            if agent in (None, each["agentName"])
            and type in (None, each["type"])
            and thread in (None, each.get("threadId"))
            and (first is None or at(first) <= each["createdAt"] <= at(5))
        ]
        page = storage.list_evals(
            agent_name=agent,
            type=type,
            thread_id=thread,
            from_date=None if first is None else at(first),
            to_date=None if first is None else at(5),
            page=1,
            per_page=3,
        )
        found = (ids(page.evals), page.total, page.has_more)
        assert found == (expected[3:6], len(expected), len(expected) > 6)


def test_all_evals_of_an_agent(storage: ConvexStorage) -> None:
    for n in range(6):
        storage.save_eval(evaluation(f"e{n}", "ab"[n // 4], ["test", "live"][n % 2]))
    assert ids(storage.get_evals_by_agent_name("a")) == ["e3", "e2", "e1", "e0"]
    assert ids(storage.get_evals_by_agent_name("a", "live")) == ["e3", "e1"]
    assert ids(storage.get_evals_by_agent_name(agent_name="b", type="test")) == ["e4"]
    assert storage.get_evals_by_agent_name("none") == []


def test_bad_evals_and_filters_are_refused(storage: ConvexStorage) -> None:
    for missing in ("id", "agentName", "type"):
        given = {name: value for name, value in evaluation().items() if name != missing}
        with pytest.raises(InvalidArgumentError, match=f"save_eval: .*{missing} is missing"):
            storage.save_eval(given)
    with pytest.raises(InvalidArgumentError, match="must be one of 'test', 'live', not str 'LIVE'"):
        storage.save_eval(evaluation(type="LIVE"))
    with pytest.raises(InvalidArgumentError, match="list_evals: type is 'test' or 'live'"):
        storage.list_evals(type="LIVE")
    with pytest.raises(InvalidArgumentError, match="by_agent_name: agent_name must be text"):
        storage.get_evals_by_agent_name(5)  # type: ignore[arg-type]
    for name in ("agent_name", "thread_id"):
        with pytest.raises(InvalidArgumentError, match=r"list_evals: .* must be text, not 5"):
            storage.list_evals(**{name: 5})  # type: ignore[arg-type]
    assert storage.list_evals().total == 0


@on_one_storage
@given(data=json_values, metadata=json_objects)
def test_payloads_are_kept_exactly(storage: ConvexStorage, data: Any, metadata: Doc) -> None:
    given: Doc = {"data": [data], "metadata": metadata, "result": [data], "testInfo": [data]}
    storage.save_eval(evaluation(**given))
    found = storage.get_eval("e")
    assert found is not None
    assert exactly({name: found.to_dict()[name] for name in given}, given)
