"""Every operation of the memory domain beside `@mastra/libsql`, at the same durability.

With `--cpu`, processor time: it says less of what ends with an fsync, and is not spoiled by what
else a machine does. A name, or a part of one, measures those operations alone.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _common import CONTENT, report

from mastra_convex import ConvexStorage

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 40
CPU = "--cpu" in sys.argv
ONLY = [each for each in sys.argv[1:] if not each.startswith("-")]
# A conversation of weeks, and many short ones of the same user.
LONG, SHORT, THREADS = 2000, 100, 50
T0 = 1_700_000_000_000

Doc = dict[str, Any]


class LibSQL:
    """`@mastra/libsql` in a process of its own, which times its calls."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            ["node", str(ROOT / "benchmarks/libsql.mjs"), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.value: Any = None

    def call(self, method: str, *args: Any) -> float:
        """Microseconds of a call; what it gives is `value`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"method": method, "args": args}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert answer["synchronous"] == 2, answer
        self.value = answer["value"]
        return float(answer["cpu" if CPU else "spent"])

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _date(milliseconds: float) -> Doc:
    return {"$date": milliseconds}


def thread(id: str, *, theirs: bool, resource: str = "r") -> Doc:
    """A thread, for one of the two."""
    time = _date(T0) if theirs else T0
    fields = {"id": id, "resourceId": resource, "title": "A talk", "metadata": {"a": 1}}
    return {**fields, "createdAt": time, "updatedAt": time}


def message(id: str, of: str, n: int, *, theirs: bool) -> Doc:
    """A message, for one of the two."""
    time = _date(T0 + n) if theirs else T0 + n
    ids = {"id": id, "threadId": of, "resourceId": "r", "role": "user"}
    return {**ids, "content": CONTENT, "createdAt": time}


class Both:
    """The two stores with the same records."""

    def __init__(self, folder: Path) -> None:
        self.ours = ConvexStorage(folder / "ours.db")
        self.theirs = LibSQL(folder / "theirs.db")
        self.conversation("long", LONG)
        for n in range(THREADS):
            self.conversation(f"t{n}", 10)
        for storage_of in ("r", "s"):
            resource = {"id": storage_of, "workingMemory": "# Notes", "metadata": {"a": 1}}
            self.ours.save_resource(resource)
            dated = {**resource, "createdAt": _date(T0), "updatedAt": _date(T0)}
            self.theirs.call("saveResource", {"resource": dated})

    def conversation(self, id: str, count: int) -> None:
        """A thread with messages, in both."""
        self.ours.save_thread(thread(id, theirs=False))
        self.theirs.call("saveThread", {"thread": thread(id, theirs=True)})
        for start in range(0, count, 500):
            part = range(start, min(start + 500, count))
            self.ours.save_messages([message(f"{id}-{n}", id, n, theirs=False) for n in part])
            messages = [message(f"{id}-{n}", id, n, theirs=True) for n in part]
            self.theirs.call("saveMessages", {"messages": messages})

    def compare(
        self,
        what: str,
        ours: Callable[[int], object],
        theirs: Callable[[int], tuple[Any, ...]],
        before: Callable[[int], None] = lambda n: None,
    ) -> None:
        """Print the ratio of the medians; `before` prepares a round of both."""
        if ONLY and not any(each in what for each in ONLY):
            return
        clock = time.process_time if CPU else time.perf_counter
        spent: list[float] = []
        floor: list[float] = []
        for n in range(ROUNDS):
            before(n)
            start = clock()
            ours(n)
            spent.append((clock() - start) * 1e6)
            floor.append(self.theirs.call(*theirs(n)))
        one, other = statistics.median(spent), statistics.median(floor)
        report(f"{what} ({one:,.0f} us : {other:,.0f} us)", one, other, 1)


def threads(both: Both) -> None:
    """Threads."""
    ours = both.ours
    both.compare(
        "save_thread",
        lambda n: ours.save_thread(thread(f"new{n}", theirs=False)),
        lambda n: ("saveThread", {"thread": thread(f"new{n}", theirs=True)}),
    )
    both.compare(
        "get_thread_by_id",
        lambda n: ours.get_thread_by_id("long", "r"),
        lambda n: ("getThreadById", {"threadId": "long", "resourceId": "r"}),
    )
    both.compare(
        "list_threads, 40 of a resource",
        lambda n: ours.list_threads("r", per_page=40),
        lambda n: ("listThreads", {"filter": {"resourceId": "r"}, "perPage": 40}),
    )
    both.compare(
        "list_threads, by metadata",
        lambda n: ours.list_threads("r", metadata={"a": 1}, per_page=40),
        lambda n: (
            "listThreads",
            {"filter": {"resourceId": "r", "metadata": {"a": 1}}, "perPage": 40},
        ),
    )
    both.compare(
        "update_thread",
        lambda n: ours.update_thread("t1", f"Title {n}", {"n": n}),
        lambda n: ("updateThread", {"id": "t1", "title": f"Title {n}", "metadata": {"n": n}}),
    )
    both.compare(
        "update_thread_metadata",
        lambda n: ours.update_thread_metadata("t2", lambda t: {"n": n}),
        lambda n: ("updateThreadMetadata", {"id": "t2", "update": {"$returns": {"n": n}}}),
    )
    both.compare(
        f"update_thread_resource_id, {SHORT} messages",
        lambda n: ours.update_thread_resource_id(f"give{n}", "s"),
        lambda n: ("updateThreadResourceId", {"threadId": f"give{n}", "resourceId": "s"}),
        lambda n: both.conversation(f"give{n}", SHORT),
    )
    both.compare(
        f"clone_thread, {SHORT} messages",
        lambda n: ours.clone_thread("give0", f"clone{n}"),
        lambda n: ("cloneThread", {"sourceThreadId": "give0", "newThreadId": f"clone{n}"}),
    )
    both.compare(
        f"delete_thread, {SHORT} messages",
        lambda n: ours.delete_thread(f"clone{n}"),
        lambda n: ("deleteThread", {"threadId": f"clone{n}"}),
    )


def messages(both: Both) -> None:
    """Messages."""
    ours = both.ours
    both.compare(
        "save_messages, 1",
        lambda n: ours.save_messages([message(f"one{n}", "t3", n, theirs=False)]),
        lambda n: ("saveMessages", {"messages": [message(f"one{n}", "t3", n, theirs=True)]}),
    )
    both.compare(
        "save_messages, 20",
        lambda n: ours.save_messages(
            [message(f"some{n}-{i}", "t4", i, theirs=False) for i in range(20)]
        ),
        lambda n: (
            "saveMessages",
            {"messages": [message(f"some{n}-{i}", "t4", i, theirs=True) for i in range(20)]},
        ),
    )
    newest = {"field": "createdAt", "direction": "DESC"}
    both.compare(
        f"list_messages, the last 40 of {LONG}",
        lambda n: ours.list_messages("long", "r", order_by=newest),
        lambda n: ("listMessages", {"threadId": "long", "resourceId": "r", "orderBy": newest}),
    )
    both.compare(
        "list_messages, page 20 of 50",
        lambda n: ours.list_messages("long", page=20),
        lambda n: ("listMessages", {"threadId": "long", "page": 20}),
    )
    both.compare(
        "list_messages, all",
        lambda n: ours.list_messages("long", per_page=False),
        lambda n: ("listMessages", {"threadId": "long", "perPage": False}),
    )
    several = [f"t{n}" for n in range(10)]
    both.compare(
        "list_messages, 10 threads",
        lambda n: ours.list_messages(several),
        lambda n: ("listMessages", {"threadId": several}),
    )
    include = [
        {"id": f"long-{n}", "withPreviousMessages": 2, "withNextMessages": 2}
        for n in range(100, 1100, 250)
    ]
    both.compare(
        "list_messages, around 4 messages",
        lambda n: ours.list_messages("long", "r", per_page=0, include=include),
        lambda n: (
            "listMessages",
            {"threadId": "long", "resourceId": "r", "perPage": 0, "include": include},
        ),
    )
    start, end = T0 + 500, T0 + 600
    both.compare(
        "list_messages, in a range of time",
        lambda n: ours.list_messages("long", date_range={"start": start, "end": end}),
        lambda n: (
            "listMessages",
            {
                "threadId": "long",
                "filter": {"dateRange": {"start": _date(start), "end": _date(end)}},
            },
        ),
    )
    both.compare(
        "list_messages, by metadata",
        lambda n: ours.list_messages("t5", metadata={"a": 1}),
        lambda n: ("listMessages", {"threadId": "t5", "filter": {"metadata": {"a": 1}}}),
    )
    both.compare(
        "list_messages_by_resource_id, the last 40",
        lambda n: ours.list_messages_by_resource_id("r", order_by=newest),
        lambda n: ("listMessagesByResourceId", {"resourceId": "r", "orderBy": newest}),
    )
    ids = [f"long-{n}" for n in range(0, 200, 20)]
    both.compare(
        "list_messages_by_id, 10",
        lambda n: ours.list_messages_by_id(ids),
        lambda n: ("listMessagesById", {"messageIds": ids}),
    )
    changed = {"content": {"metadata": {"a": 1}}}
    both.compare(
        "update_messages, 1",
        lambda n: ours.update_messages([{"id": f"long-{n}", **changed}]),
        lambda n: ("updateMessages", {"messages": [{"id": f"long-{n}", **changed}]}),
    )
    both.compare(
        "update_messages, a move",
        lambda n: ours.update_messages([{"id": f"long-{n}", "threadId": "t6"}]),
        lambda n: ("updateMessages", {"messages": [{"id": f"long-{n}", "threadId": "t6"}]}),
    )
    both.compare(
        "delete_messages, 1",
        lambda n: ours.delete_messages([f"long-{n}"]),
        lambda n: ("deleteMessages", [f"long-{n}"]),
    )


def resources(both: Both) -> None:
    """Resources."""
    ours = both.ours
    both.compare(
        "save_resource",
        lambda n: ours.save_resource({"id": f"r{n}", "workingMemory": "x"}),
        lambda n: (
            "saveResource",
            {
                "resource": {
                    "id": f"r{n}",
                    "workingMemory": "x",
                    "createdAt": _date(T0),
                    "updatedAt": _date(T0),
                }
            },
        ),
    )
    both.compare(
        "get_resource_by_id",
        lambda n: ours.get_resource_by_id("r"),
        lambda n: ("getResourceById", {"resourceId": "r"}),
    )
    both.compare(
        "update_resource",
        lambda n: ours.update_resource("r", f"# {n}", {"n": n}),
        lambda n: (
            "updateResource",
            {"resourceId": "r", "workingMemory": f"# {n}", "metadata": {"n": n}},
        ),
    )


def observations(both: Both) -> None:
    """Observational memory."""
    ours, theirs = both.ours, both.theirs
    both.compare(
        "initialize_observational_memory",
        lambda n: ours.initialize_observational_memory(f"o{n}", "r", scope="thread", config={}),
        lambda n: (
            "initializeObservationalMemory",
            {"threadId": f"o{n}", "resourceId": "r", "scope": "thread", "config": {}},
        ),
    )
    first = {"threadId": "o1", "resourceId": "r", "scope": "thread", "config": {}}
    theirs.call("initializeObservationalMemory", first)
    found = ours.initialize_observational_memory("o1", "r", scope="thread", config={})
    id, their_id = found.id, theirs.value["id"]
    both.compare(
        "get_observational_memory",
        lambda n: ours.get_observational_memory("o1", "r"),
        lambda n: ("getObservationalMemory", "o1", "r"),
    )
    both.compare(
        "update_active_observations",
        lambda n: ours.update_active_observations(id, f"seen {n}", 1, T0),
        lambda n: (
            "updateActiveObservations",
            {
                "id": their_id,
                "observations": f"seen {n}",
                "tokenCount": 1,
                "lastObservedAt": _date(T0),
            },
        ),
    )

    def chunk(n: int, *, theirs: bool) -> Doc:
        time = _date(T0) if theirs else T0
        fields = {"cycleId": f"c{n}", "observations": "o", "tokenCount": 1, "messageTokens": 1}
        return {**fields, "messageIds": ["m"], "lastObservedAt": time}

    both.compare(
        "update_buffered_observations",
        lambda n: ours.update_buffered_observations(id, chunk(n, theirs=False)),
        lambda n: (
            "updateBufferedObservations",
            {"id": their_id, "chunk": chunk(n, theirs=True)},
        ),
    )
    one: dict[str, Any] = {
        "activation_ratio": 0,
        "message_tokens_threshold": 1,
        "current_pending_tokens": 2,
    }
    both.compare(
        "swap_buffered_to_active",
        lambda n: ours.swap_buffered_to_active(id, **one),
        lambda n: (
            "swapBufferedToActive",
            {
                "id": their_id,
                "activationRatio": 0,
                "messageTokensThreshold": 1,
                "currentPendingTokens": 2,
            },
        ),
    )
    both.compare(
        "set_observing_flag",
        lambda n: ours.set_observing_flag(id, n % 2 == 0),
        lambda n: ("setObservingFlag", their_id, n % 2 == 0),
    )


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        both = Both(Path(folder))
        for group in (threads, messages, resources, observations):
            group(both)
        both.ours.close()
        both.theirs.close()


if __name__ == "__main__":
    main()
