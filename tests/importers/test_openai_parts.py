"""What the parts of a message say, and what is noted because they cannot."""

from __future__ import annotations

from typing import Any

import pytest

from tests.importers.chats import (
    IMAGE,
    call,
    calling,
    convert_messages,
    exact,
    invocation,
    notes,
    tool,
)


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
                {"type": "other", "other": {"url": "u", "data": "d", "file_data": "f"}},
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


def function_note(fields: dict[str, Any]) -> dict[str, Any]:
    return {"inside": {"function": {"fields": fields}}}


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
            calling(call(arguments={"a": 1}), call("d")),
            {"inside": {"tool_calls": {"inside": {"0": function_note({"arguments": {"a": 1}})}}}},
        ),
        (
            calling(call(arguments=None)),
            {"inside": {"tool_calls": {"inside": {"0": function_note({"arguments": None})}}}},
        ),
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


def test_a_custom_tool() -> None:
    source = [
        calling({"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select 1"}})
    ]
    found = invocation(source)
    assert (found["toolName"], found["rawInput"]) == ("sql", "select 1")
