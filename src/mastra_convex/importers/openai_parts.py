"""What Mastra's parts and messages in OpenAI's chat format say of each other. Pure.

The functions whose names begin with `read` go back from the parts to the source.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from mastra_convex.importers.fields import MISSING
from mastra_convex.values.payload import json_encoder


def to_part(item: Any) -> dict[str, Any]:
    """The part for one item of a content list; what has none of its own is kept as it is."""
    kind = item.get("type") if isinstance(item, dict) else None
    said = item.get(kind) if isinstance(kind, str) else None
    if kind == "text" and isinstance(said, str):
        return {"type": "text", "text": said}
    if isinstance(said, dict):
        if kind == "image_url" and isinstance(url := said.get("url"), str):
            return _file_part(_media_type(url, "image/*"), url)
        if kind == "input_audio" and isinstance(data := said.get("data"), str):
            sound = said.get("format")
            return _file_part("audio/mpeg" if sound == "mp3" else f"audio/{sound or '*'}", data)
        if kind == "file" and isinstance(data := said.get("file_data"), str):
            return _file_part(_media_type(data, "application/octet-stream"), data)
    return {"type": "data-openai", "data": item}


def _item(part: Mapping[str, Any]) -> Any:
    """What a part reads as in a content list."""
    if part["type"] == "text":
        return {"type": "text", "text": part["text"]}
    if part["type"] == "data-openai":
        return part["data"]
    media_type, data = part["mimeType"], part["data"]
    if media_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": data}}
    if media_type.startswith("audio/"):
        sound = "mp3" if media_type == "audio/mpeg" else media_type[len("audio/") :]
        return {"type": "input_audio", "input_audio": {"data": data, "format": sound}}
    return {"type": "file", "file": {"file_data": data}}


def _file_part(media_type: str, data: str) -> dict[str, Any]:
    return {"type": "file", "mimeType": media_type, "data": data}


def _media_type(url: str, default: str) -> str:
    """The media type that a data URL names."""
    found = _DATA_URL.match(url)
    return found[1] if found else default


def tool_part(call_id: str, name: str) -> dict[str, Any]:
    return {
        "type": "tool-invocation",
        "toolInvocation": {"state": "call", "toolCallId": call_id, "toolName": name, "args": {}},
    }


def read_message(
    role: str,
    parts: Sequence[Mapping[str, Any]],
    calls: Sequence[Mapping[str, Any]],
    notes: Mapping[str, Any],
) -> dict[str, Any]:
    message = {"role": role, "content": read_content(parts, "list" in notes, bool(calls))}
    if calls:
        message["tool_calls"] = [
            read_call(part, _read_arguments(part["toolInvocation"], "objects" in notes))
            for part in calls
        ]
    apply_difference(message, notes)
    return message


def read_content(parts: Sequence[Mapping[str, Any]], as_list: bool, has_calls: bool) -> Any:
    shown = [part for part in parts if part["type"] in _CONTENT_PARTS]
    if not as_list:
        if not shown:
            return None if has_calls else ""
        if len(shown) == 1 and shown[0]["type"] == "text":
            return shown[0]["text"]
    return [_item(part) for part in shown]


def read_call(part: Mapping[str, Any], arguments: Any) -> dict[str, Any]:
    invocation = part["toolInvocation"]
    function = {"name": invocation["toolName"], "arguments": arguments}
    return {"id": invocation["toolCallId"], "type": "function", "function": function}


def tool_message(part: Mapping[str, Any], content: Any) -> dict[str, Any]:
    invocation = part["toolInvocation"]
    message = {"role": "tool", "tool_call_id": invocation["toolCallId"], "content": content}
    if part.get("title") == invocation["toolName"]:
        message["name"] = invocation["toolName"]
    return message


# --- JSON inside of JSON ---


def parse_arguments(text: str) -> tuple[Any, bool]:
    """The arguments of a call, and whether their text can be told from them.

    Models write them compactly. Text that is not JSON becomes the empty object; it and text that
    is written in another way is kept beside them, as `rawInput`.
    """
    try:
        args = _decode(text)
        return args, _compact(args) == text
    except (ValueError, RecursionError):
        return {}, False


def _read_arguments(invocation: Mapping[str, Any], objects: bool) -> Any:
    if objects:
        return invocation["args"]
    raw = invocation.get("rawInput")
    return raw if isinstance(raw, str) else _compact(invocation["args"])


def parse_result(content: Any) -> tuple[Any, str | None]:
    """The result for a tool message's content, and the style that its text is written in.

    JSON is parsed if one of the styles writes the same text again; other text is the result as it
    stands, JSON strings with their quotes, and so is content that is not text.
    """
    if not isinstance(content, str):
        return content, "value"
    if content[:1] in _JSON_STARTS:
        try:
            result = _decode(content)
            for style, encode in _STYLES.items():
                if encode(result) == content:
                    return result, style
        except (ValueError, RecursionError):
            pass
    return content, None


def read_result(result: Any, style: str | None) -> Any:
    if style == "value" or isinstance(result, str):
        return result
    return _STYLES[style](result)


def _finite(text: str) -> float:
    """A number of JSON text; one that is too large for a float could not be written again."""
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


_decode = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse).decode
_SPACED = (", ", ": ")
_compact = json_encoder(ensure_ascii=False)
# Tools in Python write the first, tools in JavaScript the second.
_STYLES: dict[str | None, Callable[[Any], str]] = {
    None: json_encoder(ensure_ascii=True, separators=_SPACED),
    "compact": _compact,
    "utf8": json_encoder(ensure_ascii=False, separators=_SPACED),
}
_JSON_STARTS = frozenset("{[-0123456789tfn")
_CONTENT_PARTS = frozenset({"text", "file", "data-openai"})
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)[;,]")


# --- Differences ---


def find_difference(read: Any, source: Any) -> dict[str, Any]:
    """What makes `source` out of `read`: two objects, or two lists, which are of the same length
    because each item of the source reads as one.
    """
    fields: dict[str, Any] = {}
    inside: dict[str, Any] = {}
    keyed = isinstance(source, dict)
    for key, value in source.items() if keyed else enumerate(source):
        known = read.get(key, MISSING) if keyed else read[key]
        if known == value:
            continue
        if isinstance(known, (dict, list)) and isinstance(value, type(known)):
            inside[str(key)] = find_difference(known, value)
        else:
            fields[str(key)] = value
    absent = [key for key in read if key not in source] if keyed else []
    found = {"fields": fields, "absent": absent, "inside": inside}
    return {name: value for name, value in found.items() if value}


def apply_difference(read: Any, difference: Mapping[str, Any]) -> Any:
    """Turn `read` into the source that `find_difference` has seen, in place."""
    keyed = isinstance(read, dict)
    for key, value in difference.get("fields", {}).items():
        read[key if keyed else int(key)] = value
    for key, value in difference.get("inside", {}).items():
        apply_difference(read[key if keyed else int(key)], value)
    for key in difference.get("absent", ()):
        read.pop(key, None)
    return read
