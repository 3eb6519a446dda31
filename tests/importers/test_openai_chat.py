"""Conversations become threads, messages, evals and runs."""

from __future__ import annotations

import copy
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.importers.openai_chat import (
    ConversationMapping,
    convert,
    to_openai,
)
from mastra_convex.importers.reading import ImportSourceError
from tests.importers.chats import (
    PLAIN,
    START,
    call,
    calling,
    check_messages,
    convert_messages,
    tool,
)


def generated_runs(count: int = 60) -> list[dict[str, Any]]:
    """Runs of an agent with tools, as evaluation programs record them."""
    chance = random.Random(11)
    runs = []
    for number in range(count):
        messages: list[dict[str, Any]] = [{"role": "system", "content": "# Policy\n\nBe kind."}]
        for turn in range(chance.randint(1, 8)):
            messages.append({"role": "user", "content": f"Question {turn}: is it gr\u00fcn?"})
            calls = []
            for order in range(chance.choice([0, 0, 1, 1, 1, 2, 3])):
                arguments = {
                    "user_id": f"anna_{number}",
                    "city": "K\u00f6ln",
                    "amount": order * 1.5,
                }
                text = (
                    json.dumps(arguments)
                    if chance.random() < 0.1
                    else json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
                )
                calls.append(
                    {
                        "id": f"call_{number}_{turn}_{order}",
                        "type": "function",
                        "function": {"name": "find_order", "arguments": text},
                    }
                )
            if calls:
                said = chance.choice([None, None, None, "Let me look."])
                messages.append({"content": said, "role": "assistant", "tool_calls": calls})
                for call in calls:
                    answer = chance.choice(
                        [
                            json.dumps({"orders": [1, 2.5], "name": "J\u00f6rg", "none": None}),
                            json.dumps([]),
                            "Error: no such order",
                            "250.0",
                            "",
                        ]
                    )
                    result: dict[str, Any] = {
                        "role": "tool",
                        "tool_call_id": call["id"],
                        "content": answer,
                    }
                    if number % 2:
                        result["name"] = "find_order"
                    messages.append(result)
            messages.append({"content": f"Answer {turn}.", "role": "assistant"})
        runs.append(
            {
                "task_id": number // 4,
                "trial": number % 4,
                "reward": float(number % 3 == 0),
                "info": {"task": {"user_id": f"anna_{number}", "actions": []}, "cost": None},
                "traj": messages,
            }
        )
    return runs


def recorded_runs() -> list[dict[str, Any]]:
    """The recorded runs beside the repository; none where there is no such file."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("MASTRA_CONVEX_DATA", beside))
    path = folder / "tau-bench-airline-gpt-4o.json"
    return json.loads(path.read_bytes()) if path.exists() else []


RUNS = ConversationMapping(
    messages="traj",
    metadata="info",
    score="reward",
    id="{task_id}-{trial}",
    resource="{info[task][user_id]}",
    agent="airline",
    workflow="tau",
)


@pytest.mark.parametrize("runs", [generated_runs(), recorded_runs()], ids=["generated", "recorded"])
def test_runs_of_an_agent(runs: list[dict[str, Any]]) -> None:
    before = copy.deepcopy(runs)
    for index, run in enumerate(runs):
        found = convert(run, index=index, mapping=RUNS, created_at=START)
        check_messages(found, run["traj"])
        name = f"{run['task_id']}-{run['trial']}"
        assert found.thread["id"] == name
        assert found.thread["resourceId"] == run["info"]["task"]["user_id"]
        assert found.thread["metadata"] == {"task_id": run["task_id"], "trial": run["trial"]}
        assert 0 < len(found.thread["title"]) <= 80
        assert found.evaluation == {
            "id": f"{name}-score",
            "threadId": name,
            "agentName": "airline",
            "type": "test",
            "metadata": {"task_id": run["task_id"], "trial": run["trial"]},
            "data": {"score": run["reward"]},
            "createdAt": START,
        }
        assert found.workflow_run is not None
        assert found.workflow_run["state"]["metadata"] == run["info"]
        assert found.workflow_run["state"]["score"] == run["reward"]
        # The parts say everything, and each result is in the message of its call.
        assert not any("metadata" in message["content"] for message in found.messages)
        assert len(found.messages) == sum(message["role"] != "tool" for message in run["traj"])
    assert runs == before


def test_a_call_and_its_result_are_one_part() -> None:
    source = [
        {"role": "user", "content": "Where is my order?"},
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "find", "arguments": '{"order":12345678901234567890}'},
                }
            ],
        },
        {
            "role": "tool",
            "tool_call_id": "call_1",
            "name": "find",
            "content": '{"at": "K\\u00f6ln"}',
        },
        {"role": "assistant", "content": "In K\u00f6ln."},
    ]
    found = convert_messages(source)
    check_messages(found, source)
    assert [message["id"] for message in found.messages] == [
        "conversation-4-0",
        "conversation-4-1",
        "conversation-4-3",
    ]
    assert found.messages[1]["content"] == {
        "format": 2,
        "content": "Let me see.",
        "parts": [
            {"type": "text", "text": "Let me see."},
            {
                "type": "tool-invocation",
                "title": "find",
                "toolInvocation": {
                    "state": "result",
                    "toolCallId": "call_1",
                    "toolName": "find",
                    "args": {"order": 12345678901234567890},
                    "result": {"at": "K\u00f6ln"},
                },
            },
        ],
    }


def test_defaults() -> None:
    found = convert({"messages": []}, index=7, mapping=PLAIN, created_at=START)
    assert found.thread == {
        "id": "conversation-7",
        "resourceId": "imported",
        "title": "conversation-7",
        "metadata": {},
        "createdAt": START,
    }
    assert (found.messages, found.evaluation, found.workflow_run) == ([], None, None)
    assert found.source_messages == {}


@pytest.mark.parametrize(
    ("given_id", "expected"),
    [("x", "x"), (12, "12"), (0, "0"), *((odd, None) for odd in (True, 1.5, "", " ", None))],
)
def test_the_id_of_the_record(given_id: Any, expected: str | None) -> None:
    found = convert_messages([], id=given_id)
    assert found.thread["id"] == (expected or "conversation-4")
    assert found.thread["metadata"] == {"id": given_id}


@pytest.mark.parametrize(("user", "expected"), [("u", "u"), ("", "imported"), (5, "imported")])
def test_the_user_of_the_record(user: Any, expected: str) -> None:
    assert convert_messages([], user=user).thread["resourceId"] == expected


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("short", "short"),
        (" two\n lines ", "two lines"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 77 + "..."),
        ("word " * 40, "word " * 14 + "word..."),
        ("abc " * 20 + "end", ("abc " * 19).strip() + "..."),
        ("a " + "x" * 75 + " more", "a " + "x" * 75 + "..."),
        ("a " + "x" * 76 + " more", "a..."),
        (" \n" * 5000 + "late", "late"),
        ("x" * 10_000_000, "x" * 77 + "..."),
    ],
)
def test_the_title_is_the_beginning_of_what_the_user_says(text: str, title: str) -> None:
    source = [{"role": "system", "content": "s"}, {"role": "user", "content": " \n"}]
    source += [{"role": "user", "content": text}, {"role": "user", "content": "later"}]
    found = convert_messages(source).thread["title"]
    assert found == title
    assert len(found) <= 80


def test_nothing_of_a_record_is_lost() -> None:
    record = {
        "data": {"turns": [{"role": "user", "content": "a"}], "kept": 1, "score": {"value": 0.5}},
        "extra": {"deep": [1]},
        "about": {"x": 1},
    }
    before = copy.deepcopy(record)
    names = {"messages": "data.turns", "score": "data.score.value", "metadata": "about"}

    found = convert(record, index=0, mapping=ConversationMapping(**names), created_at=START)
    rest = {"data": {"kept": 1, "score": {}}, "extra": {"deep": [1]}}
    assert found.thread["metadata"] == {**rest, "about": {"x": 1}}
    assert found.evaluation is not None
    assert found.evaluation["data"] == {"score": 0.5}
    assert found.evaluation["agentName"] == "agent"

    mapping = ConversationMapping(**names, workflow="w")
    found = convert(record, index=0, mapping=mapping, created_at=START)
    assert found.thread["metadata"] == rest
    assert found.workflow_run == {
        "id": "conversation-0",
        "workflowName": "w",
        "resourceId": "imported",
        "stateType": "completed",
        "state": {"metadata": {"x": 1}, "score": 0.5},
        "createdAt": START,
    }
    assert record == before


@pytest.mark.parametrize("fields", [{}, {"score": None}])
def test_a_record_without_a_score_has_no_eval(fields: dict[str, Any]) -> None:
    mapping = ConversationMapping(score="score", workflow="w", metadata="missing")
    record = {"messages": [], **fields}
    found = convert(record, index=0, mapping=mapping, created_at=START)
    assert found.evaluation is None
    assert found.workflow_run is not None
    assert found.workflow_run["state"] == fields
    assert found.thread["metadata"] == {}
    found = convert(record, index=0, mapping=ConversationMapping(score="score"), created_at=START)
    assert found.evaluation is None
    assert found.thread["metadata"] == fields


def test_the_result_of_a_run_is_what_the_assistant_said_last() -> None:
    messages = [
        {"role": "assistant", "content": "first"},
        {"role": "assistant", "content": "last"},
        calling(call()),
        tool("result"),
        tool("orphan", "z"),
        {"role": "user", "content": "bye"},
    ]
    mapping = ConversationMapping(workflow="w")
    found = convert({"messages": messages}, index=0, mapping=mapping, created_at=START)
    assert found.workflow_run is not None
    assert found.workflow_run["state"] == {"result": "last"}


@pytest.mark.parametrize(
    ("record", "problem", "remedy"),
    [
        ([], "not an object", "JSON object"),
        ({}, "no field 'messages'", "record has none"),
        ({"a": 1, "b": 2}, "no field 'messages'", "record has a, b"),
        ({"traj": [{"role": "user"}]}, "no field 'messages'", "in 'traj': name that field"),
        ({"a": [], "b": [1], "c": [{"x": 1}], "d": "role"}, "no field", "record has a, b, c, d"),
        ({"messages": None}, "'messages' is null", "list of messages"),
        ({"messages": {}}, "'messages' is an object", "list of messages"),
        ({"messages": "x"}, "'messages' is text", "list of messages"),
        ({"role": "user", "content": "x"}, "a single message", '{"messages": [...]}'),
    ],
)
def test_malformed_records(record: Any, problem: str, remedy: str) -> None:
    with pytest.raises(ImportSourceError) as caught:
        convert(record, index=4, mapping=PLAIN, created_at=START)
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy
    assert str(caught.value).startswith("record 5: ")


def test_half_a_character_is_replaced_in_the_title() -> None:
    record = {"messages": [{"role": "user", "content": "Hello \ud83d"}]}
    conversation = convert(record, index=0, mapping=ConversationMapping(), created_at=0)
    assert conversation.thread["title"] == "Hello ?"
    assert to_openai(conversation.messages) == record["messages"]
