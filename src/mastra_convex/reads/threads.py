"""Reading threads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.models import Thread, ThreadPage
from mastra_convex.reads.listing import (
    Read,
    Window,
    given,
    listing,
    metadata_keep,
    named,
    order_of,
    window,
)


def thread(thread_id: str, resource_id: str | None = None) -> Read[Thread | None]:
    """One thread; with `resource_id`, only if that resource owns it."""
    found = yield "threads:get", {"id": named(thread_id, "thread_id")}
    if found is None or (resource_id is not None and found["resourceId"] != resource_id):
        return None
    return Thread.of(found)


def threads(
    resource_id: str | None,
    metadata: Mapping[str, Any] | None,
    filter: Any,
    order_by: Mapping[str, str] | None,
    page: int,
    per_page: int | bool,
    include_total: bool,
) -> Read[ThreadPage]:
    """A page of threads, newest first unless ordered otherwise (interface, 3.1)."""
    if filter is not None:
        if not isinstance(filter, Mapping) or not filter.keys() <= {"resourceId", "metadata"}:
            raise InvalidArgumentError(
                f"filter is a mapping with resourceId and metadata, not {filter!r:.80}",
                path="filter",
            )
        resource_id = resource_id or filter.get("resourceId")
        metadata = metadata or filter.get("metadata")
    wanted = window(page, per_page, include_total)
    field, order = order_of(order_by, ("createdAt", "updatedAt"), "desc")
    # An empty resource id is no filter, as in Mastra.
    args = {**given(resourceId=resource_id or None), "orderBy": field, "order": order}
    found = yield from listing("threads:list", args, wanted, metadata_keep(metadata))
    return ThreadPage(
        total=found.total,
        page=page,
        per_page=per_page,
        has_more=found.has_more,
        threads=[Thread.of(document) for document in found.documents],
    )


def resource_threads(resource_id: Any) -> Read[list[Thread]]:
    """All threads of a resource, newest first."""
    if not isinstance(resource_id, str) or not resource_id:
        raise InvalidArgumentError(
            f"resource_id must be the id of a resource, not {resource_id!r:.60}", path="resource_id"
        )
    page = yield from threads(resource_id, None, None, None, 0, False, include_total=False)
    return page.threads


def recent_threads(last: int) -> Read[list[Thread]]:
    """The `last` threads of all resources that changed last, the newest change first."""
    if type(last) is not int:
        raise InvalidArgumentError(f"last must be a whole number, not {last!r:.60}", path="last")
    args = {"orderBy": "updatedAt", "order": "desc"}
    wanted = Window(0, max(last, 0), include_total=False)
    found = yield from listing("threads:list", args, wanted, look_beyond=False)
    return [Thread.of(document) for document in found.documents]
