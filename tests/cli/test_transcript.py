import json
from typing import Any

import pytest
from hypothesis import given, settings

from mastra_convex import Message
from mastra_convex.cli.transcript import Piece, brief_lines, message_lines, pieces
from tests.cli.test_text import is_safe, json_values

CALL = {"toolCallId": "c", "toolName": "find", "args": {"to": "Rome"}}


def message(content: Any, role: str = "assistant") -> Message:
    wire = {"id": "m", "threadId": "t", "role": role, "createdAt": 1714557600000.0}
    return Message.of({**wire, "content": json.dumps(content)})


def parts(*given: Any) -> dict[str, Any]:
    return {"format": 2, "parts": list(given)}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Hello", [("", "Hello")]),
        (parts({"type": "text", "text": "Hello"}), [("", "Hello")]),
        (parts({"type": "reasoning", "text": "Hm"}), [("reasoning", "Hm")]),
        (parts({"type": "reasoning", "reasoning": "Hm"}), [("reasoning", "Hm")]),
        (parts({"type": "step-start"}), []),
        (
            parts({"type": "tool-invocation", "toolInvocation": {"state": "call", **CALL}}),
            [("call", 'find({"to": "Rome"})')],
        ),
        (
            parts({"type": "tool-invocation", "toolInvocation": {**CALL, "result": [9514]}}),
            [("call", 'find({"to": "Rome"})'), ("result", "[9514]")],
        ),
        (parts({"type": "tool-call", "toolName": "find"}), [("call", "find()")]),
        (
            parts({"toolInvocation": {**CALL, "args": {}, "rawInput": '{"to": '}}),
            [("call", 'find({"to": )')],
        ),
        (
            parts({"type": "tool-find", "input": {"to": "Rome"}, "output": "none"}),
            [("call", 'find({"to": "Rome"})'), ("result", "none")],
        ),
        ([{"type": "tool-result", "toolName": "find", "result": "none"}], [("result", "none")]),
        (
            parts({"type": "file", "mimeType": "image/png", "data": "x" * 2000}),
            [("file", "image/png, 2.0 kB")],
        ),
        (
            parts({"type": "file", "mediaType": "text/css", "url": "u"}),
            [("file", "text/css, 1 bytes")],
        ),
        (parts({"type": "data-plan", "data": 1}), [("data-plan", '{"data": 1}')]),
        (parts(5, "loose"), [("", "5"), ("", "loose")]),
        (parts(), []),
        ({"format": 2, "parts": [], "content": "Hello"}, [("", "Hello")]),
        ({"content": "Hello"}, [("", "Hello")]),
        ({"content": [{"type": "text", "text": "Hello"}]}, [("", "Hello")]),
        ({"anything": 1}, [("", '{"anything": 1}')]),
        (7, [("", "7")]),
    ],
)
def test_pieces(content: Any, expected: list[tuple[str, str]]) -> None:
    assert pieces(content) == [Piece(*piece) for piece in expected]


def test_a_message_is_wrapped_and_its_calls_are_cut() -> None:
    content = parts(
        {"type": "text", "text": "One two three four five six seven.\n\n- a list"},
        {"type": "tool-invocation", "toolInvocation": {**CALL, "result": "word " * 50}},
    )
    head, *lines = message_lines(message(content), 30, full=False)
    assert head.startswith("assistant  2024-0")
    assert lines == [
        "  One two three four five six",
        "  seven.",
        "",
        "  - a list",
        '  call    find({"to": "Rome"})',
        "  result  word word word word",
        "          word word word word",
        "          word word word wo...",
    ]
    in_full = list(message_lines(message(content), 30, full=True))
    assert sum(line.split().count("word") for line in in_full) == 50


def test_a_message_at_a_glance_has_a_line_for_each_piece() -> None:
    content = parts(
        {"type": "text", "text": "One\ntwo " + "x" * 100},
        {"type": "tool-invocation", "toolInvocation": {"state": "call", **CALL}},
    )
    first, second = brief_lines(message(content), 40)
    assert first[2] == first[5] == ":"
    assert first[8:] == "  assistant One two xxxxxxxxx..."
    assert second == " " * 20 + 'call    find({"to...'
    (nothing,) = brief_lines(message(parts(), role="a very long role"), 40)
    assert nothing[8:] == "  a very... (nothing)"


@settings(deadline=None)
@given(json_values)
def test_any_content_can_be_shown(content: Any) -> None:
    for around in ([content], parts(content), parts({"type": "tool-x", "input": content})):
        shown = message(around, role="us\x1ber\n")
        lines = [*message_lines(shown, 40, full=True), *brief_lines(shown, 40)]
        assert all(is_safe(c) and c not in "\n\t" for line in lines for c in line)
