"""Conversations become Mastra records, and their messages can be read back exactly."""

from __future__ import annotations

import copy
import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mastra_convex.importers.openai_chat import (
    Conversation,
    ConversationMapping,
    convert,
    to_openai,
)
from mastra_convex.importers.reading import ImportSourceError

START = 1_700_000_000_000
PLAIN = ConversationMapping()


def convert_messages(messages: list[Any], **fields: Any) -> Conversation:
    return convert({"messages": messages, **fields}, index=4, mapping=PLAIN, created_at=START)


def exact(value: Any) -> str:
    """Text that also tells 1 from 1.0 and from true."""
    return json.dumps(value, sort_keys=True)


def check_messages(conversation: Conversation, source: list[Any]) -> None:
    """What holds for the messages of every conversation, however odd its source."""
    messages = conversation.messages
    assert exact(to_openai(messages)) == exact(source)
    stored = json.loads(json.dumps(messages))
    assert exact(to_openai(stored)) == exact(source)

    thread = conversation.thread
    positions = [int(message["id"].removeprefix(f"{thread['id']}-")) for message in messages]
    assert positions == sorted(set(positions))
    roles = {"developer": "system", "tool": "assistant", "function": "assistant"}
    for order, (position, message) in enumerate(zip(positions, messages, strict=True)):
        assert set(message) == {
            "id", "threadId", "resourceId", "role", "type", "content", "createdAt"
        }  # fmt: skip
        assert (message["threadId"], message["resourceId"]) == (thread["id"], thread["resourceId"])
        assert message["role"] == roles.get(role := source[position]["role"], role)
        assert (message["type"], message["createdAt"]) == ("v2", thread["createdAt"] + order)
        check_content(message["content"])
    assert conversation.source_messages == Counter(message["role"] for message in source)


def check_content(content: dict[str, Any]) -> None:
    """The content is Mastra's format 2."""
    assert content["format"] == 2
    assert set(content) <= {"format", "parts", "content", "metadata"}
    assert content.get("content", "some") != ""
    for part in content["parts"]:
        if part["type"] == "text":
            assert isinstance(part["text"], str)
        elif part["type"] == "file":
            assert isinstance(part["mimeType"], str)
            assert isinstance(part["data"], str)
        elif part["type"] == "tool-invocation":
            invocation = part["toolInvocation"]
            assert isinstance(invocation["toolCallId"], str)
            assert isinstance(invocation["toolName"], str)
            assert "args" in invocation
            assert invocation["state"] == ("result" if "result" in invocation else "call")
        else:
            assert part["type"] == "data-openai"
            assert "data" in part


# --- Ordinary conversations ---


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


def call(
    call_id: Any = "c", name: str = "f", arguments: Any = "{}", **extra: Any
) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function, **extra}


def calling(*calls: Any, **extra: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls), **extra}


def tool(content: Any = "ok", call_id: str = "c", **extra: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content, **extra}


def invocation(source: list[Any]) -> dict[str, Any]:
    """The first tool invocation of the conversation, which must read back as it came."""
    found = convert_messages(source)
    check_messages(found, source)
    parts = [part for message in found.messages for part in message["content"]["parts"]]
    return next(part["toolInvocation"] for part in parts if "toolInvocation" in part)


def notes(source: list[Any]) -> list[Any]:
    """What stands in the metadata of each message; the conversation must read back as it came."""
    found = convert_messages(source)
    check_messages(found, source)
    for message in found.messages:
        assert list(message["content"].get("metadata", {"openai": 0})) == ["openai"]
    return [message["content"].get("metadata", {}).get("openai") for message in found.messages]


@pytest.mark.parametrize(
    ("text", "args", "raw"),
    [
        ('{"a":1,"b":[true,null,1.5]}', {"a": 1, "b": [True, None, 1.5]}, False),
        ('{"a":"K\u00f6ln"}', {"a": "K\u00f6ln"}, False),
        ("[1]", [1], False),
        ('"x"', "x", False),
        ("null", None, False),
        ('{"a": 1}', {"a": 1}, True),
        ('{"a":"K\\u00f6ln"}', {"a": "K\u00f6ln"}, True),
        ('{"a":1e2}', {"a": 100.0}, True),
        ('{"a":1,"a":2}', {"a": 2}, True),
        ("", {}, True),
        ('{"a":', {}, True),
        ("NaN", {}, True),
        ('{"a":-Infinity}', {}, True),
        ("1e999", {}, True),
        ("[" * 100_000, {}, True),
        ("9" * 5000, {}, True),
    ],
)
def test_arguments(text: str, args: Any, raw: bool) -> None:
    found = invocation([calling(call(arguments=text))])
    assert exact(found["args"]) == exact(args)
    assert found.get("rawInput") == (text if raw else None)
    assert found["state"] == "call"
    assert notes([calling(call(arguments=text))]) == [None]


@pytest.mark.parametrize(
    ("content", "result", "note"),
    [
        ("done", "done", None),
        ("", "", None),
        ('{"a": [1, "\\u00fc"]}', {"a": [1, "\u00fc"]}, None),
        ("250.0", 250.0, None),
        ("-7", -7, None),
        ("null", None, None),
        ("true", True, None),
        ('{"a":[1,"\u00fc"]}', {"a": [1, "\u00fc"]}, {"style": "compact"}),
        ('{"a": "\u00fc"}', {"a": "\u00fc"}, {"style": "utf8"}),
        ('"quoted"', '"quoted"', None),
        ('{"a":  1}', '{"a":  1}', None),
        ('{"a": 1, "a": 1}', '{"a": 1, "a": 1}', None),
        ("1e5", "1e5", None),
        ("NaN", "NaN", None),
        ("[1e999]", "[1e999]", None),
        ("Infinity", "Infinity", None),
        ("tomorrow", "tomorrow", None),
        ("[" * 100_000, "[" * 100_000, None),
        (None, None, {"style": "value"}),
        ([{"type": "text", "text": "a"}], [{"type": "text", "text": "a"}], {"style": "value"}),
    ],
)
def test_results(content: Any, result: Any, note: Any) -> None:
    source = [calling(call()), tool(content)]
    found = invocation(source)
    assert exact(found["result"]) == exact(result)
    assert found["state"] == "result"
    assert notes(source) == [{"results": {"0": note}} if note else None]


IMAGE = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    ("item", "part", "difference"),
    [
        ({"type": "text", "text": "a"}, {"type": "text", "text": "a"}, None),
        (
            {"type": "image_url", "image_url": {"url": IMAGE}},
            {"type": "file", "mimeType": "image/png", "data": IMAGE},
            None,
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://x/a.png", "detail": "low"}},
            {"type": "file", "mimeType": "image/*", "data": "https://x/a.png"},
            {"inside": {"image_url": {"fields": {"detail": "low"}}}},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}},
            {"type": "file", "mimeType": "audio/wav", "data": "UklG"},
            None,
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "SUQz", "format": "mp3"}},
            {"type": "file", "mimeType": "audio/mpeg", "data": "SUQz"},
            None,
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE"}},
            {
                "type": "file",
                "mimeType": "application/pdf",
                "data": "data:application/pdf;base64,JVBE",
            },
            None,
        ),
        (
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "a"},
            {"fields": {"cache_control": {"type": "ephemeral"}}},
        ),
        *(
            (item, {"type": "data-openai", "data": item}, None)
            for item in [
                {"type": "file", "file": {"file_id": "file-1"}},
                {"type": "refusal", "refusal": "No."},
                {"type": "text", "text": None},
                {"type": "image_url", "image_url": "https://x"},
                {"type": ["odd"]},
                "bare",
                None,
                7,
            ]
        ),
    ],
)
def test_items_of_a_content_list(item: Any, part: Any, difference: Any) -> None:
    source = [{"role": "user", "content": [{"type": "text", "text": "See:"}, item]}]
    found = convert_messages(source)
    assert found.messages[0]["content"]["parts"] == [{"type": "text", "text": "See:"}, part]
    expected = {"inside": {"content": {"inside": {"1": difference}}}} if difference else None
    assert notes(source) == [expected]


def test_the_texts_of_a_content_list_are_its_plain_text() -> None:
    items = [{"type": "text", "text": "one"}, {"type": "refusal"}, {"type": "text", "text": "two"}]
    found = convert_messages([{"role": "user", "content": items}])
    assert found.messages[0]["content"]["content"] == "one\ntwo"
    assert found.thread["title"] == "one two"


@pytest.mark.parametrize(
    ("message", "note"),
    [
        ({"role": "user", "content": "a"}, None),
        ({"role": "user", "content": ""}, None),
        ({"role": "user", "content": None}, {"fields": {"content": None}}),
        ({"role": "user"}, {"absent": ["content"]}),
        ({"role": "user", "content": []}, {"list": True}),
        ({"role": "user", "content": [{"type": "text", "text": "a"}]}, {"list": True}),
        ({"role": "user", "content": [{"type": "text", "text": ""}]}, {"list": True}),
        ({"role": "developer", "content": "a"}, {"fields": {"role": "developer"}}),
        ({"role": "user", "content": "a", "name": "Ann"}, {"fields": {"name": "Ann"}}),
        ({"role": "user", "contents": "a"}, {"fields": {"contents": "a"}, "absent": ["content"]}),
        (
            {
                "role": "assistant",
                "content": "a",
                "refusal": None,
                "annotations": [],
                "audio": None,
            },
            {"fields": {"refusal": None, "annotations": [], "audio": None}},
        ),
        ({"role": "assistant", "content": "a", "tool_calls": []}, {"fields": {"tool_calls": []}}),
        (
            {"role": "assistant", "content": "a", "tool_calls": None},
            {"fields": {"tool_calls": None}},
        ),
        (calling(call()), None),
        (calling(call(), content=""), {"fields": {"content": ""}}),
        (
            calling(call(index=0)),
            {"inside": {"tool_calls": {"inside": {"0": {"fields": {"index": 0}}}}}},
        ),
        (calling(call(arguments={"a": 1}), call("d", arguments=[])), {"objects": True}),
        (
            {"role": "user", "content": "a", "tool_calls": "odd"},
            {"fields": {"tool_calls": "odd"}},
        ),
    ],
)
def test_what_the_parts_cannot_say_is_noted(message: dict[str, Any], note: Any) -> None:
    assert notes([message]) == [note]


def test_a_field_may_be_named_like_a_note() -> None:
    odd = {"role": "user", "content": "a", "list": 1, "absent": ["content"], "results": {"0": 5}}
    assert notes([odd]) == [{"fields": {"list": 1, "absent": ["content"], "results": {"0": 5}}}]


# --- Tool messages in unusual places ---


def test_results_that_follow_in_order_need_no_note() -> None:
    source = [calling(call("a"), call("b"), call("c")), tool("1", "a"), tool("3", "c")]
    assert notes(source) == [None]


def test_results_in_another_order() -> None:
    source = [calling(call("a"), call("b")), tool("2", "b"), tool("1", "a")]
    assert notes(source) == [{"results": {"0": {"at": 2}}}]


def test_a_result_that_comes_late() -> None:
    source = [
        calling(call("a"), call("b")),
        tool("2", "b"),
        {"role": "user", "content": "And?"},
        tool('{"n": 1}', "a", name="f"),
        {"role": "assistant", "content": "Done."},
    ]
    assert notes(source) == [{"results": {"0": {"at": 3}}}, None, None]
    assert invocation(source)["result"] == {"n": 1}


def test_many_late_results() -> None:
    source = [calling(*(call(str(n)) for n in range(50)))]
    late = [tool(str(n), str(n)) for n in range(50)]
    random.Random(3).shuffle(late)
    for one in late:
        source += [{"role": "user", "content": "still waiting"}, one]
    assert len(convert_messages(source).messages) == 51
    check_messages(convert_messages(source), source)


def test_an_id_that_is_used_again_belongs_to_the_newer_call() -> None:
    source = [calling(call("a", "old")), calling(call("a", "new")), tool("x", "a"), tool("y", "a")]
    found = convert_messages(source)
    check_messages(found, source)
    states = [message["content"]["parts"][0]["toolInvocation"] for message in found.messages]
    assert [(one["toolName"], one["state"]) for one in states] == [
        ("old", "call"),
        ("new", "result"),
        ("unknown", "result"),
    ]


def test_one_id_twice_in_a_message() -> None:
    source = [calling(call("a", "f"), call("a", "g")), tool("1", "a"), tool("2", "a")]
    assert notes(source) == [None]
    results = [
        part["toolInvocation"]["result"]
        for part in convert_messages(source).messages[0]["content"]["parts"]
    ]
    assert results == [1, 2]


@pytest.mark.parametrize(
    "orphan",
    [
        tool("nobody asked"),
        tool('{"a": 1}', name="f"),
        {"role": "tool", "content": "no id"},
        {"role": "tool", "tool_call_id": None},
        {"role": "tool", "tool_call_id": 5, "content": {"a": 1}, "name": None},
        {"role": "function", "name": "f", "content": "[]"},
    ],
)
def test_a_result_that_no_call_waited_for(orphan: dict[str, Any]) -> None:
    source = [{"role": "user", "content": "a"}, orphan, {"role": "user", "content": "b"}]
    (_, found, _) = notes(source)
    assert found["orphan"] is True
    message = convert_messages(source).messages[1]
    assert message["role"] == "assistant"
    assert message["content"]["parts"][0]["toolInvocation"]["state"] == "result"


def test_calls_and_results_without_ids_find_each_other() -> None:
    source = [
        calling({"function": {"name": "f", "arguments": {"a": 1}}}),
        {"role": "tool", "content": "1", "tool_name": "f"},
    ]
    assert invocation(source)["result"] == 1
    assert invocation(source)["toolCallId"] == "conversation-4-0-call-0"


def test_the_older_function_call() -> None:
    source = [
        {
            "role": "assistant",
            "content": None,
            "function_call": {"name": "f", "arguments": '{"a":1}'},
        },
        {"role": "function", "name": "f", "content": '{"b": 2}'},
    ]
    found = invocation(source)
    assert (found["toolName"], found["args"], found["result"]) == ("f", {"a": 1}, {"b": 2})


def test_a_custom_tool() -> None:
    source = [
        calling({"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select 1"}})
    ]
    found = invocation(source)
    assert (found["toolName"], found["rawInput"]) == ("sql", "select 1")


# --- Any conversation ---

texts = st.text(max_size=12) | st.sampled_from(
    ["", "{}", '{"a": 1}', '{"a":1}', "[1, 2]", "1.0", "null", "\ud800"]
)
finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | texts,
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
json_texts = texts | st.builds(
    lambda value, indent, compact, ascii_only: json.dumps(
        value,
        indent=indent,
        separators=(",", ":") if compact else None,
        ensure_ascii=ascii_only,
    ),
    json_values, st.sampled_from([None, None, 1]), st.booleans(), st.booleans(),
)  # fmt: skip
ids = st.sampled_from(["a", "b", "c"]) | st.none() | st.integers(0, 1)
extras = st.dictionaries(
    st.sampled_from(["refusal", "name", "audio", "annotations", "index", "list", "fields", "x"]),
    json_values,
    max_size=2,
)


def objects(
    required: dict[str, Any], optional: dict[str, Any]
) -> st.SearchStrategy[dict[str, Any]]:
    known = st.fixed_dictionaries(required, optional=optional)
    return st.builds(lambda extra, base: {**extra, **base}, extras, known)


def tagged(kind: str, inner: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return objects({"type": st.just(kind)}, {kind: objects({}, inner) | json_values})


urls = texts | st.sampled_from([IMAGE, "data:text/html,x", "data:audio/mp3;base64,"])
sounds = st.sampled_from(["mp3", "wav", "mpeg", "", None])
items = (
    objects({"type": st.just("text"), "text": texts}, {})
    | tagged("text", {})
    | tagged("image_url", {"url": urls, "detail": texts})
    | tagged("input_audio", {"data": texts, "format": sounds})
    | tagged("file", {"file_data": urls, "filename": texts, "file_id": texts})
    | json_values
)  # fmt: skip
contents = texts | st.none() | st.lists(items, max_size=3)
functions = objects({"name": texts}, {"arguments": json_texts | json_values})
customs = objects({"name": texts}, {"input": texts})
calls = st.one_of(
    objects({"function": functions}, {"id": ids, "type": st.just("function") | json_values}),
    objects({"type": st.just("custom"), "custom": customs}, {"id": ids}),
)
messages_of_any_kind = st.lists(
    st.one_of(
        objects({"role": st.sampled_from(["system", "developer", "user"])}, {"content": contents}),
        objects(
            {"role": st.just("assistant")},
            {"content": contents, "tool_calls": st.lists(calls, max_size=3) | st.none()},
        ),
        objects({"role": st.just("assistant"), "content": st.none()}, {"function_call": functions}),
        objects(
            {"role": st.sampled_from(["tool", "tool", "function"])},
            {
                "content": json_texts | json_values,
                "tool_call_id": ids | json_values,
                "name": texts | json_values,
            },
        ),
        st.builds(tool, json_texts, st.sampled_from(["a", "b", "c"])),
        st.builds(calling, st.builds(call, ids, texts, json_texts), calls),
    ),
    max_size=9,
)


@settings(max_examples=400, deadline=None)
@given(messages_of_any_kind)
def test_any_conversation_reads_back_as_it_came(source: list[dict[str, Any]]) -> None:
    before = copy.deepcopy(source)
    check_messages(convert_messages(source), source)
    assert exact(source) == exact(before)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=3), st.permutations("aabbcdu"))
def test_results_in_any_order(asked: list[str], order: list[str]) -> None:
    source = [
        calling(*map(call, asked)) if asked else {"role": "assistant", "content": "x"},
        *({"role": "user", "content": "u"} if one == "u" else tool(one, one) for one in order),
    ]
    check_messages(convert_messages(source), source)


def test_messages_from_elsewhere_are_read_too() -> None:
    call_part = {
        "type": "tool-invocation",
        "title": "Find an order",
        "toolInvocation": {
            "state": "result",
            "toolCallId": "c",
            "toolName": "find",
            "args": {"a": 1},
            "result": {"b": 2},
        },
    }
    found = to_openai(
        [
            {"role": "user", "content": "plain"},
            {
                "role": "assistant",
                "content": {
                    "format": 2,
                    "parts": [{"type": "step-start"}, call_part],
                    "metadata": None,
                },
            },
            {
                "role": "assistant",
                "content": {
                    "format": 2,
                    "parts": [{"type": "text", "text": "x"}],
                    "metadata": {"openai": "gpt"},
                },
            },
        ]
    )
    assert found == [
        {"role": "user", "content": "plain"},
        calling(call(name="find", arguments='{"a":1}')),
        tool('{"b": 2}'),
        {"role": "assistant", "content": "x"},
    ]


# --- Threads, evals, runs ---


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
        ("x" * 10_000_000, "x" * 77 + "..."),
    ],
)
def test_the_title_is_the_beginning_of_what_the_user_says(text: str, title: str) -> None:
    source = [{"role": "system", "content": "s"}, {"role": "user", "content": ""}]
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


def test_fields_that_lie_in_one_another() -> None:
    record = {"info": {"traj": [], "reward": 1, "x": 2}}
    names = {"messages": "info.traj", "score": "info.reward", "metadata": "info"}
    mapping = ConversationMapping(**names, workflow="w")
    found = convert(record, index=0, mapping=mapping, created_at=START)
    assert found.thread["metadata"] == {}
    assert found.workflow_run is not None
    assert found.workflow_run["state"]["metadata"] == record["info"]
    mapping = ConversationMapping(**names)
    found = convert(record, index=0, mapping=mapping, created_at=START)
    assert found.thread["metadata"] == {"info": {"x": 2}}


def test_a_name_with_a_dot_is_taken_literally_where_the_record_has_it() -> None:
    record = {"a.b": [{"role": "user", "content": "x"}], "a": {"b": 5}}
    mapping = ConversationMapping(messages="a.b")
    found = convert(record, index=0, mapping=mapping, created_at=START)
    assert len(found.messages) == 1
    assert found.thread["metadata"] == {"a": {"b": 5}}


@pytest.mark.parametrize("fields", [{}, {"score": None}])
def test_a_record_without_a_score_has_no_eval(fields: dict[str, Any]) -> None:
    mapping = ConversationMapping(score="score", workflow="w", metadata="missing")
    record = {"messages": [], **fields}
    found = convert(record, index=0, mapping=mapping, created_at=START)
    assert found.evaluation is None
    assert found.workflow_run is not None
    assert found.workflow_run["state"] == fields
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


NO_TIMES: list[Any] = [
    *(None, True, 0, -5, [], {}, 1e300, float("inf"), float("nan"), 10**30),
    *("", "yesterday", "2024-13-01", "2024-05-15T25:00", "9" * 5000, "0001-01-01T00:00+14:00"),
]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_715_785_200, 1_715_785_200_000),
        (1_715_785_200.1234, 1_715_785_200_123),
        (1_715_785_200_123, 1_715_785_200_123),
        ("1715785200", 1_715_785_200_000),
        ("2024-05-15T15:00:00Z", 1_715_785_200_000),
        ("2024-05-15t15:00:00.1234567z", 1_715_785_200_123),
        ("2024-05-15 15:00", 1_715_785_200_000),
        ("2024-05-15T10:00:00.5-05:00", 1_715_785_200_500),
        ("2024-05-15T10:00:00 -0500", 1_715_785_200_000),
        ("2024-05-15T17:00:00+02", 1_715_785_200_000),
        (" 2024-05-15 ", 1_715_731_200_000),
        *((odd, START) for odd in NO_TIMES),
    ],
)
def test_the_time_of_a_record(value: Any, expected: int) -> None:
    for name in ("created", "created_at", "timestamp"):
        found = convert_messages([{"role": "user", "content": "a"}] * 3, **{name: value})
        assert found.thread["createdAt"] == expected
        assert [one["createdAt"] for one in found.messages] == [
            expected,
            expected + 1,
            expected + 2,
        ]
        assert name in found.thread["metadata"]


def test_a_time_that_is_none_leaves_the_word_to_the_next_field() -> None:
    found = convert_messages([], created="once", timestamp="2024-05-15")
    assert found.thread["createdAt"] == 1_715_731_200_000


# --- Templates ---


def rendered(template: str, record: dict[str, Any]) -> str:
    mapping = ConversationMapping(id=template)
    record = {"messages": [], **record}
    return str(convert(record, index=2, mapping=mapping, created_at=START).thread["id"])


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{n}", "5"),
        ("run-{n}-{f}-{yes}", "run-5-0.0-true"),
        ("{{{n}}}", "{5}"),
        ("{info[task][user]}", "ann"),
        ("{info[tags][1]}", "b"),
        ("{info[0]}", "zero"),
        ("{info[a.b]}", "dotted"),
        ("{odd name}", "x"),
        ("fixed", "fixed"),
        (" {n} ", "5"),
    ],
)
def test_templates(template: str, expected: str) -> None:
    info = {"task": {"user": "ann"}, "tags": ["a", "b"], "0": "zero", "a.b": "dotted"}
    record = {"n": 5, "f": 0.0, "yes": True, "odd name": "x", "info": info}
    assert rendered(template, record) == expected


@pytest.mark.parametrize(
    "template",
    [
        "{}", "{0}", "{n.real}", "{info.__class__}", "{n!r}", "{n:>10}", "{n:{n}}", "{n", "n}",
        "{n[}", "{n[]}", "{n[a]b}", "{[a]}", "{.a}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("option", ["id", "resource", "title"])
def test_templates_that_are_refused_before_any_record(template: str, option: str) -> None:
    with pytest.raises(ImportSourceError, match="template") as caught:
        ConversationMapping(**{option: template})
    assert repr(template) in str(caught.value)
    assert caught.value.record is None


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{missing}", "'missing', which is not there"),
        ("{info[missing]}", "'missing', which is not there"),
        ("{n[0]}", "'0', which is not there"),
        ("{info[tags][9]}", "'9', which is not there"),
        ("{info[tags][x]}", "'x', which is not there"),
        ("{info}", "'info' is an object"),
        ("{info[tags]}", "'tags' is a list"),
        ("{none}", "'none' is null"),
        ("{blank}", "empty text"),
    ],
)
def test_templates_that_a_record_cannot_fill(template: str, problem: str) -> None:
    record = {"n": 5, "none": None, "blank": " ", "info": {"tags": ["a"]}}
    with pytest.raises(ImportSourceError, match="record 3: ") as caught:
        rendered(template, record)
    assert problem in str(caught.value)
    assert repr(template) in str(caught.value)


def test_the_templates_of_resource_and_title() -> None:
    mapping = ConversationMapping(resource="{who}", title="Run {id}")
    record = {"messages": [], "who": "ann", "id": 9}
    found = convert(record, index=0, mapping=mapping, created_at=START)
    assert (found.thread["resourceId"], found.thread["title"]) == ("ann", "Run 9")


# --- Malformed sources ---


@pytest.mark.parametrize(
    ("record", "problem", "remedy"),
    [
        ([], "not an object", "JSON object"),
        ({}, "no field 'messages'", "record has none"),
        ({"a": 1, "b": 2}, "no field 'messages'", "record has a, b"),
        ({"traj": [{"role": "user"}]}, "no field 'messages'", "in 'traj': name that field"),
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


@pytest.mark.parametrize(
    ("message", "problem", "remedy"),
    [
        (None, "not an object", "role and content"),
        ("hello", "not an object", "role and content"),
        ({"from": "human", "value": "x"}, "has no role", "system, developer, user, assistant"),
        ({"role": "bot", "content": "x"}, "unknown role 'bot'", "tool, function"),
        ({"role": None, "content": "x"}, "unknown role None", "Use one of"),
        ({"role": ["user"]}, "unknown role ['user']", "Use one of"),
        ({"role": "user", "content": 5}, "content is 5", "list of content parts"),
        ({"role": "user", "content": {"a": 1}}, "content is an object", "text"),
        ({"role": "assistant", "tool_calls": {}}, "tool_calls is an object", "must be a list"),
        ({"role": "assistant", "tool_calls": "x"}, "tool_calls is text", "must be a list"),
        (calling(None), "no function with a name", "must look like"),
        (calling({"id": "a"}), "no function with a name", "must look like"),
        (calling({"function": {}}), "no function with a name", "must look like"),
        (calling({"function": {"name": 5}}), "no function with a name", "must look like"),
        (calling({"function": "f"}), "no function with a name", "must look like"),
    ],
)
def test_malformed_messages(message: Any, problem: str, remedy: str) -> None:
    with pytest.raises(ImportSourceError) as caught:
        convert_messages([{"role": "user", "content": "fine"}, message])
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy
    assert str(caught.value).startswith("record 5, message 2: ")
