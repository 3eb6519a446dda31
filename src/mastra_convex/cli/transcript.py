"""What a message says, as lines: its texts, tool calls, results and files.

Content may be anything that somebody saved; what is not understood is shown as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mastra_convex import Message
from mastra_convex.cli.text import moment, one_line, readable_json, shorten, size, visible, wrap

_INDENT = "  "
_LABEL_WIDTH = 8
# Of a call or a result, when it is not shown in full.
_LINES = 3
_ROLE_WIDTH = 10
_TIME = "%H:%M:%S"


class Piece(NamedTuple):
    """One thing that a message says; `label` is empty for plain text."""

    label: str
    text: str


def pieces(content: Any) -> list[Piece]:
    """What the content of a message says: Mastra's format 2, a list of parts, or a text."""
    if isinstance(content, Mapping):
        parts = content.get("parts")
        if not isinstance(parts, list):
            said = content.get("content")
            return pieces(said) if isinstance(said, (str, list)) else _other("", content)
        content = parts or content.get("content") or []
    if isinstance(content, list):
        return [piece for part in content for piece in _of_part(part)]
    return [Piece("", content)] if isinstance(content, str) else _other("", content)


def _other(label: str, value: Any) -> list[Piece]:
    return [Piece(label, readable_json(value))]


def _of_part(part: Any) -> list[Piece]:
    if not isinstance(part, Mapping):
        return _other("", part)
    kind = str(part.get("type", "part"))
    said = part.get("text", part.get(kind))
    if isinstance(said, str) and kind in {"text", "reasoning"}:
        return [Piece("" if kind == "text" else kind, said)]
    if kind == "step-start":
        return []
    invocation = part.get("toolInvocation")
    if isinstance(invocation, Mapping):
        return _tool(invocation, str(invocation.get("toolName")))
    if kind in {"tool-call", "tool-result", "dynamic-tool"}:
        return _tool(part, str(part.get("toolName")))
    if kind.startswith("tool-"):
        return _tool(part, kind.removeprefix("tool-"))
    data = part.get("data", part.get("url"))
    if kind in {"file", "image"} and isinstance(data, str):
        media_type = part.get("mimeType", part.get("mediaType", kind))
        return [Piece("file", f"{media_type}, {size(len(data))}")]
    return _other(kind, {key: value for key, value in part.items() if key != "type"})


def _tool(given: Mapping[str, Any], name: str) -> list[Piece]:
    """A call, its result, or both: what of them the part has."""
    found = []
    # What a model has written in place of arguments, when it is no JSON, is `rawInput`.
    for label, keys in (("call", ("rawInput", "args", "input")), ("result", ("result", "output"))):
        value = next((given[key] for key in keys if key in given), None)
        if label == "call" and given.get("type") != "tool-result":
            found.append(Piece(label, f"{name}({'' if value is None else readable_json(value)})"))
        elif label == "result" and value is not None:
            found.append(Piece(label, readable_json(value)))
    return found


def message_lines(message: Message, width: int, *, full: bool) -> Iterator[str]:
    """A message for reading: who and when, then what was said, wrapped to `width` columns.

    Unless `full`, calls and results are cut to a few lines.
    """
    yield f"{one_line(message.role)}  {moment(message.wire['createdAt'])}"
    for label, text in pieces(message.content):
        if not label:
            for line in wrap(visible(text), width - len(_INDENT)):
                yield f"{_INDENT}{line}".rstrip()
            continue
        room = width - len(_INDENT) - _LABEL_WIDTH
        shown = visible(text) if full else shorten(text, _LINES * room)
        head = _INDENT + _label(label)
        for line in wrap(shown, room):
            yield head + line
            head = " " * (len(_INDENT) + _LABEL_WIDTH)


def brief_lines(message: Message, width: int) -> Iterator[str]:
    """A message at a glance: one line for each thing that it says."""
    role = shorten(message.role, _ROLE_WIDTH - 1)
    head = f"{moment(message.wire['createdAt'], _TIME)}  {role:<{_ROLE_WIDTH}}"
    for label, text in pieces(message.content) or [Piece("", "(nothing)")]:
        start = head + (_label(label) if label else "")
        yield start + shorten(text, max(1, width - len(start)))
        head = " " * len(head)


def _label(label: str) -> str:
    return f"{shorten(label, _LABEL_WIDTH - 1):<{_LABEL_WIDTH}}"
