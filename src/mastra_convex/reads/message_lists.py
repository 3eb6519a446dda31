"""Mastra's lists of messages: of threads or of a resource, filtered, with what is around others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models import Message, MessagePage
from mastra_convex.reads.listing import (
    MAX_PAGE,
    Call,
    Doc,
    Found,
    Keep,
    Read,
    Window,
    given,
    listing,
    merged,
    metadata_keep,
    order_of,
    window,
)
from mastra_convex.record import to_milliseconds
from mastra_convex.values.payload import open_payload

# The most threads that a function lists at once.
MAX_THREADS = 100
_RANGE = {
    "start": "start",
    "end": "end",
    "startExclusive": "start_exclusive",
    "endExclusive": "end_exclusive",
}
_INCLUDE = {
    "id": "id",
    "threadId": "thread_id",
    "withPreviousMessages": "with_previous_messages",
    "withNextMessages": "with_next_messages",
}


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """What both lists take: how to filter, what to include, in which order, which page."""

    wanted: Window
    # The functions' `from`, `to` and `order`.
    args: Doc
    keep: Keep | None
    around: list[Doc]

    @property
    def is_descending(self) -> bool:
        """Whether the newest message comes first."""
        return bool(self.args["order"] == "desc")

    def selects(self, document: Doc) -> bool:
        """Whether dates and metadata let a message pass."""
        low, high = self.args.get("from", -math.inf), self.args.get("to", math.inf)
        kept = self.keep is None or self.keep(document)
        return bool(kept and low <= document["createdAt"] <= high)


class ListOptions(TypedDict, total=False):
    """The keywords of a list of messages."""

    include: Sequence[Mapping[str, Any]] | None
    metadata: Mapping[str, Any] | None
    date_range: Mapping[str, Any] | None
    filter: Mapping[str, Any] | None
    order_by: Mapping[str, str] | None
    page: int
    per_page: int | bool
    include_total: bool


def message_query(
    include: Any = None,
    metadata: Any = None,
    date_range: Any = None,
    filter: Any = None,
    order_by: Mapping[str, str] | None = None,
    page: int = 0,
    per_page: int | bool = 40,
    include_total: bool = True,
) -> MessageQuery:
    """Check the arguments of a list (interface, 1.2 to 1.4, 3.4). `InvalidArgumentError` if bad."""
    if filter is not None:
        both = _members(filter, {"dateRange": "date_range", "metadata": "metadata"}, "filter")
        date_range = both.get("dateRange") if date_range is None else date_range
        metadata = both.get("metadata") if metadata is None else metadata
    wanted = window(page, per_page, include_total)
    _, order = order_of(order_by, ("createdAt",), "asc")
    return MessageQuery(
        wanted,
        {"order": order, **_times(date_range)},
        metadata_keep(metadata, _metadata_of, scalar=True),
        _around(include),
    )


def messages(
    thread_id: str | Sequence[str], resource_id: str | None, *options: Any, **named: Any
) -> Read[MessagePage]:
    """A page of the messages of one thread or several, oldest first unless ordered otherwise.

    The options are those of `message_query`.

    Equal times are in the order of the threads given, and within one in that of saving. Included
    messages come on top, wherever they are (interface, 3.4 to 3.6).
    """
    query = message_query(*options, **named)
    threads = _thread_ids(thread_id)
    # An empty resource id is no filter, as in Mastra.
    scope = given(resourceId=resource_id or None)
    args = {**scope, **query.args}
    starts = range(0, len(threads), MAX_THREADS)
    lists: list[Call] = [
        ("messages:listByThreads", {"threadIds": threads[at : at + MAX_THREADS], **args})
        for at in starts
    ]
    if len(threads) == 1:
        lists = [("messages:list", {"threadId": threads[0], **args})]
    ranks = {each: rank for rank, each in enumerate(threads)}

    def place(document: Doc) -> tuple[float, int, float]:
        rank = ranks.setdefault(document["threadId"], len(ranks))
        return document["createdAt"], rank, document["seq"]

    if query.wanted.end == 0 and query.wanted.per_page is not False:
        found = Found([], 0, has_more=False)  # as Mastra answers it (interface, 3.6)
    elif len(lists) == 1:
        found = yield from listing(*lists[0], query.wanted, query.keep)
    else:
        found = yield from merged(lists, query.wanted, place, query.keep)
    included = yield from _included(query, scope or {"threadIds": threads}, found)
    more = found.has_more
    if more and query.keep is None and found.total is not None:
        # What was included may be all that is left of the list.
        also = [
            each
            for each in included
            if each["threadId"] in threads
            and (not scope or each.get("resourceId") == resource_id)
            and query.selects(each)
        ]
        more = len(found.documents) + len(also) < found.total
    return _page(query, found, more, _sorted_with(found, included, query, place))


def resource_messages(resource_id: str, *options: Any) -> Read[MessagePage]:
    """A page of the messages that belong to a resource, of all threads (interface, 3.7).

    Equal times are in the order of `seq`. Included messages are the resource's too.
    """
    query = message_query(*options)
    scope = {"resourceId": _resource_id(resource_id)}
    plain = query.keep is None and not query.args.keys() & {"from", "to"}
    wanted = query.wanted
    # The total of a list that nothing narrows is the sum of kept ones.
    kept = wanted.include_total and plain
    found = yield from listing(
        "messages:listByResource",
        {**scope, **query.args},
        replace(wanted, include_total=False) if kept else wanted,
        query.keep,
    )
    if kept:
        total = yield from _owned(resource_id)
        found = Found(found.documents, total, wanted.end is not None and wanted.end < total)
    included = yield from _included(query, scope, found)
    place = lambda document: (document["createdAt"], document["seq"])  # noqa: E731
    return _page(query, found, found.has_more, _sorted_with(found, included, query, place))


def newest_of_resource(resource_id: str, last: int) -> Read[list[Message]]:
    """The `last` newest messages that belong to a resource, in ascending order."""
    if type(last) is not int:
        raise InvalidArgumentError(f"last must be a whole number, not {last!r:.60}", path="last")
    args = {"resourceId": _resource_id(resource_id), "order": "desc"}
    wanted = Window(0, max(last, 0), include_total=False)
    found = yield from listing("messages:listByResource", args, wanted, look_beyond=False)
    return [Message.of(document) for document in found.documents[::-1]]


def _sorted_with(found: Found, included: list[Doc], query: MessageQuery, place: Any) -> list[Doc]:
    """The documents of a page and those included with it, in the order of the list."""
    if not included:
        return found.documents
    return sorted([*found.documents, *included], key=place, reverse=query.is_descending)


def _page(query: MessageQuery, found: Found, more: bool, documents: list[Doc]) -> MessagePage:
    return MessagePage(
        total=found.total,
        page=query.wanted.page,
        per_page=query.wanted.per_page,
        has_more=more,
        messages=[Message.of(document) for document in documents],
    )


def _included(query: MessageQuery, scope: Doc, found: Found) -> Read[list[Doc]]:
    """The included messages that the page has not."""
    documents: dict[str, Doc] = {}
    around = query.around
    while around:
        reply = yield "messages:listBeside", {**scope, "around": around}
        for document in reply["page"]:
            documents.setdefault(document["id"], document)
        around = reply["rest"]
    for document in found.documents:
        documents.pop(document["id"], None)
    return list(documents.values())


def _owned(resource_id: str) -> Read[int]:
    """How many messages belong to a resource."""
    args: Doc = {"resourceId": resource_id, "limit": MAX_PAGE}
    total = 0
    while True:
        reply = yield "messages:countByResource", args
        total += int(reply["count"])
        if reply["after"] is None:
            return total
        args = {**args, "after": reply["after"]}


def _metadata_of(document: Doc) -> Any:
    content = open_payload(document["content"])
    return content.get("metadata") if isinstance(content, dict) else None


def _thread_ids(given: Any) -> list[str]:
    ids = [given] if isinstance(given, str) else given
    if not isinstance(ids, Sequence) or not ids or isinstance(ids, bytes):
        raise InvalidArgumentError(
            f"thread_id must be the id of a thread or a list of ids, not {given!r:.60}",
            path="thread_id",
        )
    for each in ids:
        if not isinstance(each, str) or not each.strip():
            raise InvalidArgumentError(
                f"thread_id must be the id of a thread, not {each!r:.60}", path="thread_id"
            )
    return list(dict.fromkeys(ids))


def _resource_id(given: Any) -> str:
    if not isinstance(given, str) or not given:
        raise InvalidArgumentError(
            f"resource_id must be the id of a resource, not {given!r:.60}", path="resource_id"
        )
    return given


def _times(date_range: Any) -> Doc:
    """The functions' `from` and `to`, both inclusive: an exclusive end is the number beside it."""
    if date_range is None:
        return {}
    fields = _members(date_range, _RANGE, "date_range")
    times = {}
    for name, end, beyond in (("from", "start", math.inf), ("to", "end", -math.inf)):
        if end in fields:
            moment = to_milliseconds(fields[end], f"date_range.{end}")
            exclusive = fields.get(f"{end}Exclusive")
            times[name] = math.nextafter(moment, beyond) if exclusive else moment
    return times


def _around(include: Any) -> list[Doc]:
    """The `around` of `messages:listBeside` for Mastra's `include`."""
    if include is None:
        return []
    if isinstance(include, (str, bytes, Mapping)) or not isinstance(include, Sequence):
        raise InvalidArgumentError(f"include is a list, not {include!r:.60}", path="include")
    around = []
    for position, each in enumerate(include):
        fields = _members(each, _INCLUDE, f"include[{position}]")
        counts = {
            "previous": fields.get("withPreviousMessages", 0),
            "next": fields.get("withNextMessages", 0),
        }
        if not isinstance(fields.get("id"), str):
            raise InvalidArgumentError(
                f"include[{position}] needs the id of a message, not {each!r:.60}", path="include"
            )
        for count in counts.values():
            if type(count) is not int or not 0 <= count < 2**53:
                raise InvalidArgumentError(
                    f"include[{position}]: a number of messages is whole and >= 0, not {count!r}",
                    path="include",
                )
        around.append({"id": fields["id"], **counts})
    return around


def _members(given: Any, names: Mapping[str, str], what: str) -> Doc:
    """The members of a mapping by their camelCase names; None counts as not given."""
    if not isinstance(given, Mapping):
        raise InvalidArgumentError(f"{what} is a mapping, not {given!r:.60}", path=what)
    ours = {ours: theirs for theirs, ours in names.items()}
    fields: Doc = {}
    for name, value in given.items():
        known = ours.get(name, str(name))
        if known not in names:
            raise InvalidArgumentError(
                f"{what} has no member {name!r}; it has {', '.join(names)}", path=what
            )
        if value is not None:
            fields[known] = value
    return fields
