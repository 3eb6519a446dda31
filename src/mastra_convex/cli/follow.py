"""Finding what has arrived in a store: every message once, in the order of saving.

A live value is a whole state, and bursts of them coalesce: it tells that something has changed, not
what. So it only tells when to look. A look asks every thread that has changed since the last one
for the messages after the last one shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from mastra_convex import ConvexStorage, Message, Thread, ThreadPage

# Shows a message of a thread, or the thread alone.
Show = Callable[[Thread, "Message | None"], None]

_NEWEST = {"field": "createdAt", "direction": "DESC"}
_LATEST = {"field": "updatedAt", "direction": "DESC"}
# Threads that a look begins with, and messages, which are one query.
_FEW = 100
_PAGE = 500
# Threads whose messages are counted at the start.
_COUNTED = 1000
# A time that was set by hand may also be a little ahead of the commit that brings it.
_MARGIN_MILLISECONDS = 5000.0


@dataclass(slots=True)
class _Seen:
    """What is known of a thread: its times, its newest `seq`, how many messages it has."""

    created: float
    updated: float = 0.0
    seq: int = 0
    count: int = 0


class Follower:
    """Shows what was not there at the last look, of one thread or of all."""

    def __init__(self, storage: ConvexStorage, show: Show, thread_id: str | None) -> None:
        self._storage = storage
        self._show = show
        self._thread_id = thread_id
        self._started = time.time() * 1000
        self._seen: dict[str, _Seen] = {}
        # Threads that were there at the start and were too many to count.
        self._uncounted: set[str] = set()
        # The newest change seen. Commits are in order of time, so a later one is not before it.
        self._horizon = 0.0

    def begin(self, last: int) -> None:
        """Show the `last` newest messages, and note what else is there."""
        shown: list[tuple[Thread, list[Message]]] = []
        for thread in self._threads_at_start():
            page = self._storage.list_messages(thread.id, order_by=_NEWEST, per_page=max(last, 1))
            total = page.total or 0
            newest = max([total, *map(_seq, page.messages)])
            self._seen[thread.id] = _Seen(thread.wire["createdAt"], 0.0, newest, total)
            self._note_change(thread)
            if last and page.messages:
                shown.append((thread, page.messages))
                last -= len(page.messages)
        for thread, messages in reversed(shown):
            for message in sorted(messages, key=_seq):
                self._show(thread, message)

    def look(self) -> None:
        """Show what has arrived since the last look."""
        for thread in self._changed_threads():
            self._show_new_messages(thread)
            self._note_change(thread)

    def _threads_at_start(self) -> list[Thread]:
        if self._thread_id is not None:
            return self._one_thread(self._thread_id)
        found = self._latest(_COUNTED)
        if not found.has_more:
            return found.threads
        everything = self._storage.list_threads(per_page=False, include_total=False).threads
        # Those without messages are counted too: somebody may be about to fill them.
        counted = [t for t in everything if t.wire["updatedAt"] == t.wire["createdAt"]]
        counted = list({thread.id: thread for thread in found.threads + counted}.values())
        self._uncounted = {thread.id for thread in everything} - {t.id for t in counted}
        return counted

    def _one_thread(self, thread_id: str) -> list[Thread]:
        thread = self._storage.get_thread_by_id(thread_id)
        return [] if thread is None else [thread]

    def _latest(self, count: int) -> ThreadPage:
        return self._storage.list_threads(order_by=_LATEST, per_page=count, include_total=False)

    def _changed_threads(self) -> list[Thread]:
        """The threads that may have changed since the last look, the newest change last."""
        if self._thread_id is not None:
            return self._one_thread(self._thread_id)
        since, count = self._horizon - _MARGIN_MILLISECONDS, _FEW
        found = self._latest(count)
        while found.has_more and found.threads[-1].wire["updatedAt"] >= since:
            count *= 8
            found = self._latest(count)
        changed = []
        for thread in reversed(found.threads):
            updated, seen = thread.wire["updatedAt"], self._seen.get(thread.id)
            if updated >= self._horizon or (
                updated >= since and (seen is None or seen.updated != updated)
            ):
                changed.append(thread)
        return changed

    def _note_change(self, thread: Thread) -> None:
        updated = thread.wire["updatedAt"]
        self._seen[thread.id].updated = updated
        # One ahead of the clock was set by hand and tells nothing about the commits to come.
        if updated <= time.time() * 1000:
            self._horizon = max(self._horizon, updated)

    def _show_new_messages(self, thread: Thread) -> None:
        """Show the messages of a thread after the last one shown, in the order of saving."""
        seen = self._seen.get(thread.id)
        if seen is None or seen.created != thread.wire["createdAt"]:
            seen = self._seen[thread.id] = self._first_sight(thread)
        page = self._storage.list_messages(thread.id, order_by=_NEWEST, per_page=_PAGE)
        messages, total = page.messages, page.total or 0
        new = sorted((m for m in messages if _seq(m) > seen.seq), key=_seq)
        # Older ones may be new too, if their times were set by hand: when numbers are missing, or
        # the thread has changed and nothing explains it.
        last = _seq(new[-1]) if new else seen.seq
        gapless = last - seen.seq == len(new) == total - seen.count
        explained = bool(new) or seen.updated == thread.wire["updatedAt"]
        if page.has_more and not (gapless and explained):
            messages = self._storage.get_messages(thread.id)
            new = sorted((m for m in messages if _seq(m) > seen.seq), key=_seq)
            total = len(messages)
        seen.count = total
        for message in new:
            self._show(thread, message)
            seen.seq = _seq(message)

    def _first_sight(self, thread: Thread) -> _Seen:
        """Nothing is known of a thread that is new; of an uncounted one, what is older than we."""
        seen = _Seen(thread.wire["createdAt"])
        if thread.id in self._uncounted:
            self._uncounted.remove(thread.id)
            messages = self._storage.get_messages(thread.id)
            old = [_seq(m) for m in messages if m.wire["createdAt"] < self._started]
            seen.seq, seen.count = max(old, default=0), len(old)
        else:
            self._show(thread, None)
        return seen


def _seq(message: Message) -> int:
    return message.seq or 0
