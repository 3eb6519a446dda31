"""Conversations in OpenAI's chat format as Mastra records, and their messages back again.

In goes one record of a source (a JSON object with a list of messages), out come Mastra's thread,
messages, eval and workflow run, in camelCase, with times in epoch milliseconds. Pure: no file, no
clock, no store. What comes out shares its nested values with the record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mastra_convex.importers.fields import (
    MISSING,
    compile_template,
    find_field,
    kind_of,
    milliseconds,
    render,
    without_fields,
)
from mastra_convex.importers.openai_messages import Transcript, to_openai
from mastra_convex.importers.reading import ImportSourceError

__all__ = ["Conversation", "ConversationMapping", "convert", "to_openai"]

_TIME_FIELDS = ("created", "created_at", "timestamp")
_TITLE_LENGTH = 80


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
                compile_template(template)


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
    created = next(filter(None, map(milliseconds, map(record.get, _TIME_FIELDS))), created_at)

    transcript = Transcript(thread_id, resource_id, created, number)
    for position, message in enumerate(messages):
        transcript.add(position, message)
    if mapping.title is not None:
        title = render(mapping.title, record, number)
    else:
        title = _title(transcript.messages) or thread_id

    score = find_field(record, mapping.score)
    details = find_field(record, mapping.metadata)
    scored = score is not MISSING and score is not None
    # What no other record holds stays with the thread.
    taken: list[str | None] = [mapping.messages]
    if scored or mapping.workflow is not None:
        taken.append(mapping.score)
    if mapping.workflow is not None:
        taken.append(mapping.metadata)
    rest = without_fields(record, taken)

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
            "state": {key: value for key, value in state.items() if value is not MISSING},
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


def _messages(record: Mapping[str, Any], path: str, number: int) -> list[Any]:
    messages = find_field(record, path)
    if isinstance(messages, list):
        return messages
    if messages is not MISSING:
        problem = f"the field {path!r} is {kind_of(messages)}"
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
        if text := render(template, record, number).strip():
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
            words = " ".join(text.lstrip()[: 8 * _TITLE_LENGTH].split())
            # A title is plain text, and cannot hold half of a character as a message can.
            words = words.encode(errors="replace").decode()
            if not words:
                continue
            if len(words) <= _TITLE_LENGTH:
                return words
            start, space, _ = words[: _TITLE_LENGTH - 2].rpartition(" ")
            return (start if space else words[: _TITLE_LENGTH - 3]) + "..."
    return ""


def _answer(messages: Sequence[Mapping[str, Any]]) -> Any:
    """The last text of the assistant, or `MISSING`."""
    for message in reversed(messages):
        if message["role"] == "assistant" and (text := message["content"].get("content")):
            return text
    return MISSING
