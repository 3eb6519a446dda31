"""Messages in OpenAI's chat format as Mastra messages, and back again. Pure.

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

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, NoReturn

from mastra_convex.importers.fields import kind_of
from mastra_convex.importers.openai_parts import (
    apply_difference,
    find_difference,
    parse_arguments,
    parse_result,
    read_call,
    read_content,
    read_message,
    read_result,
    to_part,
    tool_message,
    tool_part,
)
from mastra_convex.importers.reading import ImportSourceError

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_RESULT_ROLES = ("tool", "function")


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


class Transcript:
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
            parts = [to_part(item) for item in said]
            text = "\n".join(part["text"] for part in parts if part["type"] == "text")
        elif said is None:
            parts, text = [], ""
        else:
            self.fail(
                position,
                f"content is {kind_of(said)}",
                "It must be text, a list of content parts or null",
            )
        content: dict[str, Any] = {"format": 2, "parts": parts}
        if text:
            content["content"] = text
        notes: dict[str, Any] = {}
        calls = self.calls(position, source) if role == "assistant" else []
        spoken = read_content(parts, False, bool(calls))
        if isinstance(said, list) and not isinstance(spoken, list):
            notes["list"] = True
            spoken = read_content(parts, True, bool(calls))
        read = {"role": role, "content": spoken}
        if calls:
            read["tool_calls"] = self.add_calls(position, calls, content, notes)
        if read != source:
            notes.update(find_difference(read, source))
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
            problem = f"tool_calls is {kind_of(calls)}"
            self.fail(position, problem, "It must be a list of tool calls")
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
            part = tool_part(call_id, function["name"])
            value = function.get("arguments", function.get("input"))
            text = ""
            if value is None:
                texts += 1
            elif isinstance(value, str):
                texts += 1
                text = value
                args, exact = parse_arguments(value)
                part["toolInvocation"]["args"] = args
                if not exact:
                    part["toolInvocation"]["rawInput"] = value
            else:
                part["toolInvocation"]["args"] = value
            content["parts"].append(part)
            waiting.setdefault(key, []).append((turn, order, part))
            # A value in the place of text differs from the text here, and so is noted.
            read.append(read_call(part, text))
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
            part = tool_part(
                f"{self.thread_id}-{position}-call-0" if key is None else key,
                name if isinstance(name, str) else "unknown",
            )
            content = {"format": 2, "parts": [part], "metadata": {"openai": {"orphan": True}}}
            self.append(position, "assistant", content)
        given = source.get("content")
        result, style = parse_result(given)
        invocation = part["toolInvocation"]
        invocation["state"] = "result"
        invocation["result"] = result
        if style:
            note["style"] = style
        if name == invocation["toolName"]:
            part["title"] = name  # says that the tool message carried the name
        read = tool_message(part, given)
        if read != source:
            note.update(find_difference(read, source))
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
            usual.append(read_message(message["role"], parts, calls, notes))
        results = notes.get("results", {})
        for order, part in enumerate(calls):
            if part["toolInvocation"]["state"] != "result":
                continue
            note = results.get(str(order), {})
            text = read_result(part["toolInvocation"].get("result"), note.get("style"))
            result = apply_difference(tool_message(part, text), note)
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


def _role_names() -> str:
    return ", ".join((*_ROLES, *_RESULT_ROLES))
