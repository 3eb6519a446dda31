"""Conversations as tests write them, and what holds for each of them once it is converted."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from mastra_convex.importers.openai_chat import (
    Conversation,
    ConversationMapping,
    convert,
    to_openai,
)

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


IMAGE = "data:image/png;base64,iVBORw0KGgo="
