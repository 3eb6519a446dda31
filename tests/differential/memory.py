"""Our storage behind Mastra's method names, for the memory domain, and the choices that differ.

What a method here takes and gives is what Mastra's takes and gives, as JSON with dates in
milliseconds. The functions under "Choices" are where the two are allowed to differ, each by its
name; docs/internals/decisions.md has the reasons.
"""

from collections.abc import Callable, Iterable
from typing import Any

from mastra_convex import ConvexStorage, Message, MessagePage
from mastra_convex.record import Record

Doc = dict[str, Any]


class OurMemory:
    """Mastra's memory domain on a `ConvexStorage`."""

    def __init__(self, storage: ConvexStorage) -> None:
        self.storage = storage

    def getThreadById(self, threadId: str, resourceId: str | None = None) -> Any:
        return _plain(self.storage.get_thread_by_id(threadId, resourceId))

    def saveThread(self, thread: Doc) -> Any:
        return _plain(self.storage.save_thread(thread))

    def updateThread(self, id: str, title: Any = None, metadata: Any = None) -> Any:
        return _plain(self.storage.update_thread(id, title, metadata))

    def patchThread(self, id: str, title: Any = None, metadata: Any = None) -> Any:
        return _plain(self.storage.patch_thread(id, title, metadata))

    def updateThreadMetadata(self, id: str, update: Any, resourceId: str | None = None) -> Any:
        given = update["$returns"]
        return _plain(self.storage.update_thread_metadata(id, lambda _: given, resourceId))

    def updateThreadResourceId(self, threadId: str, resourceId: str) -> Any:
        return _plain(self.storage.update_thread_resource_id(threadId, resourceId))

    def deleteThread(self, threadId: str) -> None:
        self.storage.delete_thread(threadId)

    def listThreads(self, perPage: Any = 100, orderBy: Any = None, **given: Any) -> Doc:
        found = self.storage.list_threads(per_page=perPage, order_by=orderBy, **given)
        return {
            "threads": [each.to_dict() for each in found.threads],
            "total": found.total,
            "page": found.page,
            "perPage": found.per_page,
            "hasMore": found.has_more,
        }

    def saveMessages(self, messages: list[Doc]) -> Doc:
        return {"messages": _messages(self.storage.save_messages(messages))}

    def listMessages(self, threadId: Any, resourceId: str | None = None, **given: Any) -> Doc:
        return _page(self.storage.list_messages(threadId, resourceId, **_options(given)))

    def listMessagesByResourceId(self, resourceId: str, **given: Any) -> Doc:
        options = _options(given)
        return _page(self.storage.list_messages_by_resource_id(resourceId, **options))

    def listMessagesById(self, messageIds: list[str]) -> Doc:
        return {"messages": _messages(self.storage.list_messages_by_id(messageIds))}

    def updateMessages(self, messages: list[Doc]) -> list[Doc]:
        return _messages(self.storage.update_messages(messages))

    def deleteMessages(self, messageIds: list[str]) -> None:
        self.storage.delete_messages(messageIds)

    def cloneThread(self, sourceThreadId: str, options: Any = None, **given: Any) -> Doc:
        options = options or {}
        chosen = options.get("messageFilter", {})
        found = self.storage.clone_thread(
            sourceThreadId,
            given.get("newThreadId"),
            resource_id=given.get("resourceId"),
            title=given.get("title"),
            metadata=given.get("metadata"),
            message_ids=chosen.get("messageIds"),
            start_date=chosen.get("startDate"),
            end_date=chosen.get("endDate"),
            message_limit=options.get("messageLimit"),
        )
        return {
            "thread": found.thread.to_dict(),
            "messageIdMap": found.message_id_map,
            "clonedMessages": _messages(found.cloned_messages),
        }

    def getResourceById(self, resourceId: str) -> Any:
        return _plain(self.storage.get_resource_by_id(resourceId))

    def saveResource(self, resource: Doc) -> Any:
        return _plain(self.storage.save_resource(resource))

    def updateResource(
        self, resourceId: str, workingMemory: Any = None, metadata: Any = None
    ) -> Any:
        return _plain(self.storage.update_resource(resourceId, workingMemory, metadata))


_OPTIONS = {"perPage": "per_page", "orderBy": "order_by"}


def _options(given: Doc) -> Doc:
    return {_OPTIONS.get(name, name): value for name, value in given.items()}


def _plain(record: Record | None) -> Any:
    return None if record is None else record.to_dict()


def _messages(messages: Iterable[Message]) -> list[Doc]:
    return [message.to_dict() for message in messages]


def _page(found: MessagePage) -> Doc:
    return {
        "messages": _messages(found.messages),
        "total": found.total,
        "page": found.page,
        "perPage": found.per_page,
        "hasMore": found.has_more,
    }


# --- Choices: both answers pass through those that are named beside the operation. ---


def no_metadata_is_none(value: Any) -> Any:
    """Mastra's updates make an empty map of metadata that is missing; ours leave it missing."""
    if not isinstance(value, dict):
        return value
    return {name: item for name, item in value.items() if (name, item) != ("metadata", {})}


def one_change_of_owner(value: Doc) -> Doc:
    """Mastra moves `updatedAt` once more with each message that follows; ours once for all."""
    return {name: item for name, item in value.items() if name != "updatedAt"}


def a_message(message: Doc) -> Doc:
    """A message without what one of the two alone says of it.

    `seq` is ours. Mastra puts "text" where there is no type, and brings a text as content into its
    format 2; ours give both back as they were saved.
    """
    content = message["content"]
    if isinstance(content, str):
        parts = [{"type": "text", "text": content}]
        content = {"format": 2, "content": content, "parts": parts}
    return {
        **{name: item for name, item in message.items() if name != "seq"},
        "content": content,
        "type": message.get("type", "text"),
    }


def messages_of(value: Any) -> Any:
    """As `a_message`, for each of a reply."""
    if isinstance(value, list):
        return [a_message(each) for each in value]
    return {**value, "messages": [a_message(each) for each in value["messages"]]}


def without_system_messages(value: Any) -> Any:
    """Mastra drops system messages from some replies, while it counts them."""
    kept = [each for each in value["messages"] if each["role"] != "system"]
    return {**value, "messages": kept}


def as_saved(value: Any) -> Any:
    """Mastra gives what was saved in the order of time and without some types, ours as it is."""
    ordered = sorted(value["messages"], key=lambda each: str(each["id"]))
    return [{name: item for name, item in each.items() if name != "type"} for each in ordered]


def role_of_a_change(value: list[Doc]) -> list[Doc]:
    """Mastra calls every role but the assistant's "user" in what it returns of a change."""
    return [
        {**each, "role": each["role"] if each["role"] == "assistant" else "user"} for each in value
    ]


def has_more_with_include(value: Doc) -> Doc:
    """Mastra compares what it returns with the total, whatever the page; ours what is left."""
    return {name: item for name, item in value.items() if name != "hasMore"}


def own_of(owners: Callable[[str], str | None], of: set[str]) -> Callable[[Doc], Doc]:
    """What is included never crosses a resource: Mastra's may, when the list names none."""

    def keep(value: Doc) -> Doc:
        kept = [each for each in value["messages"] if owners(each["threadId"]) in of]
        return {**value, "messages": kept}

    return keep


def clone_of_its_owner(value: Doc) -> Doc:
    """Mastra returns copies that belong to the new thread's owner; ours all that were made."""
    owner = value["thread"]["resourceId"]
    kept = [each for each in value["clonedMessages"] if each.get("resourceId") == owner]
    return {
        "thread": no_metadata_is_none(value["thread"]),
        "clonedMessages": [a_message(each) for each in kept],
        "messageIdMap": value["messageIdMap"],
    }
