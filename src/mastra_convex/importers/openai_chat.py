"""Conversations in OpenAI's chat format as Mastra records, and their messages back again.

In goes one record of a source (a JSON object with a list of messages), out come Mastra's thread,
messages, eval and workflow run, in camelCase, with times in epoch milliseconds. Pure: no file, no
clock, no store. What comes out shares its nested values with the record.

A tool call and its result become one `tool-invocation` part of the assistant's message; other
content becomes `text`, `file` and `data-openai` parts. What the parts cannot say (an unknown field,
null where text is usual, a result that comes late) stands in `content.metadata["openai"]`, which
most messages do not have:

    fields   what to set on the message that the parts read as
    absent   keys which that message has and the source has not
    inside   `fields`, `absent` and `inside` again, by key or index, for what is nested in it
    list     the content was a list, where the parts would read as plain text
    objects  the arguments of all calls were values, not JSON text
    orphan   a tool message that no call was waiting for; the only part holds it
    results  by index of the call, `fields`, `absent` and `inside` for its tool message, with
             `style` (how its JSON was written) and `at` (its position, unless it follows directly)

The first three come from comparing the source with what the parts read as, so that nothing of it
can be forgotten.
"""

from __future__ import annotations

import json
import math
import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from itertools import islice
from typing import Any, NoReturn

from mastra_convex.importers.reading import ImportSourceError

__all__ = ["Conversation", "ConversationMapping", "convert", "to_openai"]

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_RESULT_ROLES = ("tool", "function")
_TIME_FIELDS = ("created", "created_at", "timestamp")
_TITLE_LENGTH = 80
_MISSING: Any = object()


# --- What is asked for, and what comes out ---


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationMapping:
    """Which fields of a record mean what.

    `messages`, `metadata` and `score` name fields, with dots for nested ones. `id`, `resource` and
    `title` are templates over the record: `{task_id}-{trial}`, `{info[task][user_id]}`. `agent` and
    `workflow` are the names of what ran. Raises ImportSourceError for a malformed template.
    """

    messages: str = "messages"
    metadata: str | None = None
    score: str | None = None
    id: str | None = None
    resource: str | None = None
    agent: str | None = None
    workflow: str | None = None
    title: str | None = None

    def __post_init__(self) -> None:
        for template in (self.id, self.resource, self.title):
            if template is not None:
                _template(template)


@dataclass(frozen=True, slots=True)
class Conversation:
    """One record as Mastra records; `source_messages` counts the source's messages by role."""

    thread: dict[str, Any]
    messages: list[dict[str, Any]]
    evaluation: dict[str, Any] | None
    workflow_run: dict[str, Any] | None
    source_messages: dict[str, int]


def convert(
    record: Mapping[str, Any], *, index: int, mapping: ConversationMapping, created_at: int
) -> Conversation:
    """The Mastra records of one source record, the `index`-th of its file, counted from 0.

    `created_at` counts if the record tells no time of its own in `created`, `created_at` or
    `timestamp` (seconds, milliseconds or ISO text). The id is that of the record or
    `conversation-<index>`, the resource is the record's `user` or `imported`, unless the mapping
    has templates for them. The eval is there if the record has a score, the run if the mapping
    names a workflow; its result is the last text of the assistant. What stands in neither is the
    thread's metadata, and its plain values that of the eval. Raises ImportSourceError for what is
    not a conversation.
    """
    number = index + 1
    if not isinstance(record, Mapping):
        raise ImportSourceError(
            "the record is not an object", "Every record must be a JSON object", record=number
        )
    messages = _messages(record, mapping.messages, number)
    thread_id = _identity(mapping.id, record, "id", f"conversation-{index}", number)
    resource_id = _identity(mapping.resource, record, "user", "imported", number)
    created = next(filter(None, map(_milliseconds, map(record.get, _TIME_FIELDS))), created_at)

    transcript = _Transcript(thread_id, resource_id, created, number)
    for position, message in enumerate(messages):
        transcript.add(position, message)
    if mapping.title is not None:
        title = _render(mapping.title, record, number)
    else:
        title = _title(transcript.messages) or thread_id

    score = _value(record, mapping.score)
    details = _value(record, mapping.metadata)
    scored = score is not _MISSING and score is not None
    # What no other record holds stays with the thread.
    taken: list[str | None] = [mapping.messages]
    if scored or mapping.workflow is not None:
        taken.append(mapping.score)
    if mapping.workflow is not None:
        taken.append(mapping.metadata)
    rest = _without(record, taken)

    evaluation = workflow_run = None
    if scored:
        evaluation = {
            "id": f"{thread_id}-score",
            "threadId": thread_id,
            "agentName": mapping.agent or "agent",
            "type": "test",
            "metadata": {k: v for k, v in rest.items() if not isinstance(v, (dict, list))},
            "data": {"score": score},
            "createdAt": created,
        }
    if mapping.workflow is not None:
        state = {"result": _answer(transcript.messages), "metadata": details, "score": score}
        workflow_run = {
            "id": thread_id,
            "workflowName": mapping.workflow,
            "resourceId": resource_id,
            "stateType": "completed",
            "state": {key: value for key, value in state.items() if value is not _MISSING},
            "createdAt": created,
        }
    thread = {
        "id": thread_id,
        "resourceId": resource_id,
        "title": title,
        "metadata": rest,
        "createdAt": created,
    }
    counts = dict(Counter(message["role"] for message in messages))
    return Conversation(thread, transcript.messages, evaluation, workflow_run, counts)


def to_openai(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The source's messages, equal to what went in, from the messages of an imported thread.

    It must be all of them, in order: a result that came late is put back by its position. Messages
    from elsewhere are read as well as their parts allow: text, files and tool calls.
    """
    usual: list[dict[str, Any]] = []
    placed: list[tuple[int, dict[str, Any]]] = []
    for message in messages:
        content = message["content"]
        if isinstance(content, str):
            content = {"parts": [{"type": "text", "text": content}]}
        notes = (content.get("metadata") or {}).get("openai")
        notes = notes if isinstance(notes, dict) else {}
        parts = content.get("parts") or []
        calls = [part for part in parts if part["type"] == "tool-invocation"]
        if not notes.get("orphan"):
            usual.append(_read_message(message["role"], parts, calls, notes))
        results = notes.get("results", {})
        for order, part in enumerate(calls):
            if part["toolInvocation"]["state"] != "result":
                continue
            note = results.get(str(order), {})
            text = _read_result(part["toolInvocation"].get("result"), note.get("style"))
            result = _apply(_tool_message(part, text), note)
            if "at" in note:
                placed.append((note["at"], result))
            else:
                usual.append(result)
    merged: list[dict[str, Any]] = []
    rest = iter(usual)
    for at, result in sorted(placed, key=lambda one: one[0]):
        merged.extend(islice(rest, max(0, at - len(merged))))
        merged.append(result)
    merged.extend(rest)
    return merged


# --- Messages on their way in ---


class _Turn:
    """An assistant's message whose calls wait for results.

    `expected` is where the next result stands if it follows directly and in the order of the calls,
    `last` the call that had the latest such result.
    """

    __slots__ = ("content", "expected", "last")

    def __init__(self, content: dict[str, Any], position: int) -> None:
        self.content = content
        self.expected = position + 1
        self.last = -1


class _Transcript:
    """The messages of one conversation, added in the order of the source."""

    def __init__(self, thread_id: str, resource_id: str, created_at: int, number: int) -> None:
        self.thread_id = thread_id
        self.resource_id = resource_id
        self.created_at = created_at
        self.number = number
        self.messages: list[dict[str, Any]] = []
        # Calls without a result by their id, in their order; under None those that have no id. An
        # id that is used again belongs to the newer message.
        self.waiting: dict[str | None, list[tuple[_Turn, int, dict[str, Any]]]] = {}

    def add(self, position: int, source: Any) -> None:
        """Take in the message at `position`; raises ImportSourceError if it is malformed."""
        if not isinstance(source, dict):
            self.fail(position, "the message is not an object", "Give it a role and content")
        role = source.get("role")
        if role in _RESULT_ROLES:
            self.add_result(position, source)
        elif isinstance(role, str) and role in _ROLES:
            self.add_message(position, source, _ROLES[role])
        elif "role" not in source:
            self.fail(position, "the message has no role", f"Set role to one of {_role_names()}")
        else:
            self.fail(position, f"unknown role {role!r}", f"Use one of {_role_names()}")

    def add_message(self, position: int, source: dict[str, Any], role: str) -> None:
        said = source.get("content")
        if said and isinstance(said, str) and len(source) == 2 and source["role"] == role:
            # Nothing but a role and a text, as most messages are: there is nothing to compare.
            text_part = {"type": "text", "text": said}
            self.append(position, role, {"format": 2, "parts": [text_part], "content": said})
            return
        if isinstance(said, str):
            parts = [{"type": "text", "text": said}] if said else []
            text = said
        elif isinstance(said, list):
            parts = [_part(item) for item in said]
            text = "\n".join(part["text"] for part in parts if part["type"] == "text")
        elif said is None:
            parts, text = [], ""
        else:
            self.fail(
                position,
                f"content is {_kind(said)}",
                "It must be text, a list of content parts or null",
            )
        content: dict[str, Any] = {"format": 2, "parts": parts}
        if text:
            content["content"] = text
        notes: dict[str, Any] = {}
        calls = self.calls(position, source) if role == "assistant" else []
        spoken = _read_content(parts, False, bool(calls))
        if isinstance(said, list) and not isinstance(spoken, list):
            notes["list"] = True
            spoken = _read_content(parts, True, bool(calls))
        read = {"role": role, "content": spoken}
        if calls:
            read["tool_calls"] = self.add_calls(position, calls, content, notes)
        if read != source:
            notes.update(_difference(read, source))
        if notes:
            content["metadata"] = {"openai": notes}
        self.append(position, role, content)

    def calls(self, position: int, source: dict[str, Any]) -> list[Any]:
        """The tool calls of an assistant's message; the older `function_call` is one without id."""
        calls = source.get("tool_calls")
        if calls is None:
            older = source.get("function_call")
            return [{"function": older}] if isinstance(older, dict) else []
        if not isinstance(calls, list):
            self.fail(position, f"tool_calls is {_kind(calls)}", "It must be a list of tool calls")
        return calls

    def add_calls(
        self, position: int, calls: list[Any], content: dict[str, Any], notes: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Append a part for each call to `content`; what the parts read as."""
        turn = _Turn(content, position)
        waiting: dict[str | None, list[tuple[_Turn, int, dict[str, Any]]]] = {}
        read = []
        texts = 0
        for order, call in enumerate(calls):
            function = self.function(position, call)
            key = call.get("id")
            key = key if isinstance(key, str) else None
            call_id = f"{self.thread_id}-{position}-call-{order}" if key is None else key
            part = _tool_part(call_id, function["name"])
            value = function.get("arguments", function.get("input"))
            text = ""
            if value is None:
                texts += 1
            elif isinstance(value, str):
                texts += 1
                text = value
                args, exact = _parse_arguments(value)
                part["toolInvocation"]["args"] = args
                if not exact:
                    part["toolInvocation"]["rawInput"] = value
            else:
                part["toolInvocation"]["args"] = value
            content["parts"].append(part)
            waiting.setdefault(key, []).append((turn, order, part))
            # A value in the place of text differs from the text here, and so is noted.
            read.append(_read_call(part, text))
        self.waiting.update(waiting)
        if not texts:
            notes["objects"] = True
            for one, part in zip(read, content["parts"][-len(read) :], strict=True):
                one["function"]["arguments"] = part["toolInvocation"]["args"]
        return read

    def function(self, position: int, call: Any) -> dict[str, Any]:
        """What a call names: its `function`, or what another type of call has in its place."""
        if isinstance(call, dict):
            function = call.get("function", call.get(str(call.get("type"))))
            if isinstance(function, dict) and isinstance(function.get("name"), str):
                return function
        self.fail(
            position,
            "a tool call has no function with a name",
            'It must look like {"id": ..., "function": {"name": ..., "arguments": ...}}',
        )

    def add_result(self, position: int, source: dict[str, Any]) -> None:
        key = source.get("tool_call_id")
        key = key if isinstance(key, str) else None
        name = source.get("name")
        note: dict[str, Any] = {}
        if waiting := self.waiting.get(key):
            turn, order, part = waiting.pop(0)
            content = turn.content
            if position == turn.expected and order > turn.last:
                turn.expected, turn.last = position + 1, order
            else:
                note["at"] = position
        else:
            order = 0
            part = _tool_part(
                f"{self.thread_id}-{position}-call-0" if key is None else key,
                name if isinstance(name, str) else "unknown",
            )
            content = {"format": 2, "parts": [part], "metadata": {"openai": {"orphan": True}}}
            self.append(position, "assistant", content)
        given = source.get("content")
        result, style = _parse_result(given)
        invocation = part["toolInvocation"]
        invocation["state"] = "result"
        invocation["result"] = result
        if style:
            note["style"] = style
        if name == invocation["toolName"]:
            part["title"] = name  # says that the tool message carried the name
        read = _tool_message(part, given)
        if read != source:
            note.update(_difference(read, source))
        if note:
            notes = content.setdefault("metadata", {}).setdefault("openai", {})
            notes.setdefault("results", {})[str(order)] = note

    def append(self, position: int, role: str, content: dict[str, Any]) -> None:
        self.messages.append(
            {
                "id": f"{self.thread_id}-{position}",
                "threadId": self.thread_id,
                "resourceId": self.resource_id,
                "role": role,
                "type": "v2",
                "content": content,
                "createdAt": self.created_at + len(self.messages),
            }
        )

    def fail(self, position: int, problem: str, remedy: str) -> NoReturn:
        raise ImportSourceError(problem, remedy, record=self.number, message=position + 1)


# --- What the parts say, in both directions ---


def _part(item: Any) -> dict[str, Any]:
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


def _tool_part(call_id: str, name: str) -> dict[str, Any]:
    return {
        "type": "tool-invocation",
        "toolInvocation": {"state": "call", "toolCallId": call_id, "toolName": name, "args": {}},
    }


def _read_message(
    role: str,
    parts: Sequence[Mapping[str, Any]],
    calls: Sequence[Mapping[str, Any]],
    notes: Mapping[str, Any],
) -> dict[str, Any]:
    message = {"role": role, "content": _read_content(parts, "list" in notes, bool(calls))}
    if calls:
        message["tool_calls"] = [
            _read_call(part, _read_arguments(part["toolInvocation"], "objects" in notes))
            for part in calls
        ]
    _apply(message, notes)
    return message


def _read_content(parts: Sequence[Mapping[str, Any]], as_list: bool, has_calls: bool) -> Any:
    shown = [part for part in parts if part["type"] in _CONTENT_PARTS]
    if not as_list:
        if not shown:
            return None if has_calls else ""
        if len(shown) == 1 and shown[0]["type"] == "text":
            return shown[0]["text"]
    return [_item(part) for part in shown]


def _read_call(part: Mapping[str, Any], arguments: Any) -> dict[str, Any]:
    invocation = part["toolInvocation"]
    function = {"name": invocation["toolName"], "arguments": arguments}
    return {"id": invocation["toolCallId"], "type": "function", "function": function}


def _tool_message(part: Mapping[str, Any], content: Any) -> dict[str, Any]:
    invocation = part["toolInvocation"]
    message = {"role": "tool", "tool_call_id": invocation["toolCallId"], "content": content}
    if part.get("title") == invocation["toolName"]:
        message["name"] = invocation["toolName"]
    return message


# --- JSON inside of JSON ---


def _parse_arguments(text: str) -> tuple[Any, bool]:
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


def _parse_result(content: Any) -> tuple[Any, str | None]:
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


def _read_result(result: Any, style: str | None) -> Any:
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
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
# Tools in Python write the first, tools in JavaScript the second.
_STYLES: dict[str | None, Callable[[Any], str]] = {
    None: json.JSONEncoder().encode,
    "compact": _compact,
    "utf8": json.JSONEncoder(ensure_ascii=False).encode,
}
_JSON_STARTS = frozenset("{[-0123456789tfn")
_CONTENT_PARTS = frozenset({"text", "file", "data-openai"})
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)[;,]")


# --- Differences ---


def _difference(read: Any, source: Any) -> dict[str, Any]:
    """What makes `source` out of `read`; both are objects, or lists of the same length."""
    fields: dict[str, Any] = {}
    inside: dict[str, Any] = {}
    keyed = isinstance(source, dict)
    for key, value in source.items() if keyed else enumerate(source):
        known = read.get(key, _MISSING) if keyed else read[key]
        if known is value or known == value:
            continue
        if (isinstance(known, dict) and isinstance(value, dict)) or (
            isinstance(known, list) and isinstance(value, list) and len(known) == len(value)
        ):
            inside[str(key)] = _difference(known, value)
        else:
            fields[str(key)] = value
    absent = [key for key in read if key not in source] if keyed else []
    found = {"fields": fields, "absent": absent, "inside": inside}
    return {name: value for name, value in found.items() if value}


def _apply(read: Any, difference: Mapping[str, Any]) -> Any:
    """Turn `read` into the source that `_difference` has seen, in place."""
    keyed = isinstance(read, dict)
    for key, value in difference.get("fields", {}).items():
        read[key if keyed else int(key)] = value
    for key, value in difference.get("inside", {}).items():
        _apply(read[key if keyed else int(key)], value)
    for key in difference.get("absent", ()):
        read.pop(key, None)
    return read


# --- Fields of a record ---


def _keys(record: Mapping[str, Any], path: str) -> list[str]:
    return [path] if path in record else path.split(".")


def _value(record: Mapping[str, Any], path: str | None) -> Any:
    """The field at a dotted path, or `_MISSING`."""
    if path is None:
        return _MISSING
    found: Any = record
    for key in _keys(record, path):
        if not isinstance(found, Mapping) or key not in found:
            return _MISSING
        found = found[key]
    return found


def _without(record: Mapping[str, Any], paths: Sequence[str | None]) -> dict[str, Any]:
    """A copy of the record without the fields at `paths`; objects on the way are copied too."""
    rest = dict(record)
    for path in paths:
        if _value(rest, path) is _MISSING or path is None:
            continue
        *parents, last = _keys(rest, path)
        level = rest
        for key in parents:
            level[key] = dict(level[key])
            level = level[key]
        del level[last]
    return rest


def _messages(record: Mapping[str, Any], path: str, number: int) -> list[Any]:
    messages = _value(record, path)
    if isinstance(messages, list):
        return messages
    if messages is not _MISSING:
        problem = f"the field {path!r} is {_kind(messages)}"
        raise ImportSourceError(problem, "It must be a list of messages", record=number)
    for name, value in record.items():
        if isinstance(value, list) and value and isinstance(value[0], dict) and "role" in value[0]:
            remedy = f"The messages seem to be in {name!r}: name that field"
            break
    else:
        remedy = f"Name the field that holds them; the record has {', '.join(record) or 'none'}"
    problem = f"the record has no field {path!r} with messages"
    if "role" in record:
        problem, remedy = "the record is a single message", 'Put them in {"messages": [...]}'
    raise ImportSourceError(problem, remedy, record=number)


def _identity(
    template: str | None, record: Mapping[str, Any], field: str, default: str, number: int
) -> str:
    if template is not None:
        if text := _render(template, record, number).strip():
            return text
        problem = f"the template {template!r} gives an empty text"
        raise ImportSourceError(problem, "Choose fields that are never empty", record=number)
    value = record.get(field)
    if field == "id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() else default


def _title(messages: Sequence[Mapping[str, Any]]) -> str:
    """The beginning of what the user says first, cut between words if it can be."""
    for message in messages:
        if message["role"] == "user" and (text := message["content"].get("content")):
            # Words beyond this are not looked at, whatever the length of the text.
            words = " ".join(text[: 8 * _TITLE_LENGTH].split())
            if len(words) <= _TITLE_LENGTH:
                return words
            start, space, _ = words[: _TITLE_LENGTH - 2].rpartition(" ")
            return (start if space else words[: _TITLE_LENGTH - 3]) + "..."
    return ""


def _answer(messages: Sequence[Mapping[str, Any]]) -> Any:
    """The last text of the assistant, or `_MISSING`."""
    for message in reversed(messages):
        if message["role"] == "assistant" and (text := message["content"].get("content")):
            return text
    return _MISSING


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return "text" if isinstance(value, str) else json.dumps(value)


def _role_names() -> str:
    return ", ".join((*_ROLES, *_RESULT_ROLES))


# --- Times ---

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII | re.IGNORECASE,
)


def _milliseconds(value: Any) -> int | None:
    """Epoch milliseconds of a time given in seconds, milliseconds or ISO text (UTC unless it says
    otherwise); None for what is no time, which is no error: the field may mean something else.
    """
    if isinstance(value, str):
        text = value.strip()
        if not re.fullmatch(r"[0-9]{1,14}(\.[0-9]+)?", text):
            return _iso_milliseconds(text)
        value = float(text)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e14:
        return None
    # 1e11 is the year 5138 in seconds and 1973 in milliseconds.
    return round(value * 1000) if value < 1e11 else round(value)


def _iso_milliseconds(text: str) -> int | None:
    if not (found := _ISO.fullmatch(text)):
        return None
    date, minutes, seconds, fraction, zone = found.groups(default="")
    zone = "+00:00" if zone in ("", "Z", "z") else zone[:3] + ":" + (zone[3:].lstrip(":") or "00")
    time = f"{date}T{minutes or '00:00'}:{seconds or '00'}.{fraction[:6]:0<6}{zone}"
    try:
        at = (datetime.fromisoformat(time) - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return None
    return at if at > 0 else None


# --- Templates ---

_LOOKUP = re.compile(r"[^.\[\]]+(\[[^\[\]]+\])*")
_LOOKUP_REMEDY = "Look fields up as in {task_id} or {info[task][user_id]}"


@lru_cache
def _template(template: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The texts of a template, each with the keys of the value that follows it.

    The syntax is that of `str.format` with item lookups alone: a template comes from a command
    line, and attributes would let it look into the program. Raises ImportSourceError.
    """
    pieces: list[tuple[str, tuple[str, ...]]] = []
    try:
        fields = list(string.Formatter().parse(template))
    except ValueError as error:
        _refuse_template(template, str(error), "Write {{ and }} for braces that are text")
    for literal, name, spec, conversion in fields:
        if name is None:
            pieces.append((literal, ()))
            continue
        if not name or name.isdigit():
            _refuse_template(template, "it has a field without a name", _LOOKUP_REMEDY)
        if not _LOOKUP.fullmatch(name):
            _refuse_template(template, f"{name!r} is not a lookup of items", _LOOKUP_REMEDY)
        if spec or conversion:
            what = f"{name!r} has a conversion or a format"
            _refuse_template(template, what, "Leave out what follows ! or :")
        keys = re.findall(r"[^\[\]]+", name)
        pieces.append((literal, tuple(keys)))
    return tuple(pieces)


def _render(template: str, record: Mapping[str, Any], number: int) -> str:
    """The template's text for one record; raises ImportSourceError for a field that it lacks."""
    text = ""
    for literal, keys in _template(template):
        text += literal
        if not keys:
            continue
        value: Any = record
        for key in keys:
            step: Any = int(key) if isinstance(value, list) and key.isdecimal() else key
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                what = f"it asks for {key!r}, which is not there"
                _refuse_template(template, what, _LOOKUP_REMEDY, number)
        if value is None or isinstance(value, (dict, list)):
            what = f"{key!r} is {_kind(value)}"
            _refuse_template(template, what, "Choose a field with text or a number", number)
        text += value if isinstance(value, str) else json.dumps(value)
    return text


def _refuse_template(
    template: str, problem: str, remedy: str, number: int | None = None
) -> NoReturn:
    problem = f"the template {template!r} cannot be used: {problem}"
    raise ImportSourceError(problem, remedy, record=number)
