"""Messages with those before and after them in their threads: windows around search results."""

from __future__ import annotations

from collections.abc import Iterator

from mastra_convex.engine.query import Order
from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions.lib.access import Args, Ctx, Doc
from mastra_convex.functions.lib.batches import check_batch
from mastra_convex.functions.lib.paging import MAX_PAGE, MAX_PAGE_BYTES
from mastra_convex.functions.lib.records import by_key, public
from mastra_convex.functions.lib.touched import Threads

_MAX_COUNT = 2**53 - 1


def messages_beside(ctx: Ctx, args: Args) -> Doc:
    """The reply of `messages:listBeside`.

    One call looks at so many messages as a page has; what is left to do is `rest`, the next call's
    `around`.
    """
    check_batch(len(args["around"]), "messages to look around")
    walk = _Walk(ctx, args)
    rest: list[Doc] = []
    for entry in args["around"]:
        rest.extend(walk.window(entry) if walk.has_room else [entry])
    return {"page": list(walk.page.values()), "rest": rest}


class _Walk:
    """What one call has looked at and found."""

    def __init__(self, ctx: Ctx, args: Args) -> None:
        self._ctx = ctx
        self._threads = Threads(ctx)
        self._resource = args.get("resourceId")
        self._queried = args.get("threadIds")
        self._room = MAX_PAGE
        self._bytes = 0
        self.page: dict[str, Doc] = {}

    @property
    def has_room(self) -> bool:
        """Whether this call may look at more messages."""
        return self._room > 0 and self._bytes < MAX_PAGE_BYTES

    def window(self, entry: Doc) -> Iterator[Doc]:
        """Look at the window of one entry; yields what is left of it."""
        sides = {name: _count(entry, name) for name in ("previous", "next")}
        target = by_key(self._ctx, "messages", entry["id"])
        self._room -= 1
        if target is None or not self._may_start(target):
            return
        if not entry.get("seen"):
            if not self._is_wanted(target):
                return
            self._take(target)
        for name, count in sides.items():
            yield from self._side(target, name, count)

    def _side(self, target: Doc, name: str, count: int) -> Iterator[Doc]:
        """Look at `count` messages on one side."""
        order: Order = "desc" if name == "previous" else "asc"
        nothing = {"id": target["id"], "previous": 0, "next": 0, "seen": True}
        query = self._ctx.db.query("messages").order(order)
        query.with_index("by_thread_created", lambda q: q.eq("threadId", target["threadId"]))
        cursor: str | None = query.cursor_after(target)
        while count and cursor is not None:
            if not self.has_room:
                yield {**nothing, name: count}
                return
            found = query.paginate(cursor, min(count, self._room), MAX_PAGE_BYTES - self._bytes)
            cursor = found.cursor
            for message in found.page:
                self._room -= 1
                nothing["id"] = message["id"]
                if self._is_wanted(message):
                    self._take(message)
                    count -= 1

    def _may_start(self, target: Doc) -> bool:
        """Whether the caller may see the thread, and it is of an owner that the list is about."""
        if not self._threads.is_visible(target["threadId"]):
            return False
        if self._resource is not None or self._queried is None:
            return True
        thread = self._threads.get(target["threadId"])
        queried = map(self._threads.get, self._queried)
        return any(
            each and thread and each["resourceId"] == thread["resourceId"] for each in queried
        )

    def _is_wanted(self, message: Doc) -> bool:
        return self._resource is None or message.get("resourceId") == self._resource

    def _take(self, message: Doc) -> None:
        self.page[message["id"]] = public(message)
        self._bytes += len(message["content"]) + len(message.get("extra", ""))


def _count(entry: Doc, name: str) -> int:
    count: float = entry[name]
    if not 0 <= count <= _MAX_COUNT or count != int(count):
        raise InvalidArgumentError(f"{name} must be whole and >= 0, not {count}")
    return int(count)
