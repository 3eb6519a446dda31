"""Messages read back as they came, wherever their results stand."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mastra_convex.importers.openai_chat import (
    to_openai,
)
from mastra_convex.importers.reading import ImportSourceError
from tests.importers.chats import (
    IMAGE,
    call,
    calling,
    check_messages,
    convert_messages,
    exact,
    invocation,
    notes,
    tool,
)


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


@pytest.mark.parametrize("extra", [{}, {"tool_calls": None}])
def test_the_older_function_call(extra: dict[str, Any]) -> None:
    source = [
        {
            "role": "assistant",
            "content": None,
            "function_call": {"name": "f", "arguments": '{"a":1}'},
            **extra,
        },
        {"role": "function", "name": "f", "content": '{"b": 2}'},
    ]
    found = invocation(source)
    assert (found["toolName"], found["args"], found["result"]) == ("f", {"a": 1}, {"b": 2})


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


@settings(max_examples=150, deadline=None)
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
