"""Subscriptions: the present value, then each change; to a callback or as an iterator."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from queue import Empty, Queue
from typing import Any

import pytest

from mastra_convex import AsyncConvexStorage, ConvexStorage, StorageClosedError
from mastra_convex.backends.base import Deliver, Read, Unsubscribe
from mastra_convex.backends.recording import AsyncRecordingBackend, RecordingBackend
from mastra_convex.errors import FileUnavailableError
from tests.contract.faces import SECONDS, stuck_callback
from tests.contract.records import (
    at,
    evaluation,
    ids,
    message,
    run,
    save_conversation,
    span,
    thread,
    trace,
)

# How long a test waits to see that nothing more comes.
QUIET = 0.1


@dataclass(frozen=True)
class Live:
    """Something to subscribe to: both faces of it, the same as a call, and what changes it."""

    watch: Callable[[ConvexStorage], Any]
    subscribe: Callable[[ConvexStorage, Callable[[Any], Any]], Callable[[], None]]
    read: Callable[[ConvexStorage], Any]
    change: Callable[[ConvexStorage, int], Any]


def change_message(storage: ConvexStorage, n: int) -> None:
    if storage.get_thread_by_id("t") is None:
        storage.save_thread(thread())
    storage.save_message(message(f"m{n}", createdAt=at(n)))


def change_run(storage: ConvexStorage, n: int) -> None:
    storage.save_workflow_run(run(stateType=f"s{n}"))


LIVE = {
    "thread": Live(
        lambda s: s.watch_thread("t"),
        lambda s, callback: s.subscribe_to_thread("t", callback),
        lambda s: s.get_thread_by_id("t"),
        lambda s, n: s.save_thread(thread(title=f"T{n}")),
    ),
    "threads of a resource": Live(
        lambda s: s.watch_resource_threads("r"),
        lambda s, callback: s.subscribe_to_resource_threads("r", callback),
        lambda s: s.list_threads("r").threads,
        lambda s, n: s.save_thread(thread(f"t{n}", createdAt=at(n))),
    ),
    "latest threads": Live(
        lambda s: s.watch_threads(2),
        lambda s, callback: s.subscribe_to_threads(callback, last=2),
        lambda s: s.list_threads(order_by={"field": "updatedAt"}, per_page=2).threads,
        lambda s, n: s.save_thread(thread(f"t{n}", createdAt=at(n))),
    ),
    "messages": Live(
        lambda s: s.watch_thread_messages("t"),
        lambda s, callback: s.subscribe_to_thread_messages("t", callback),
        lambda s: s.get_messages("t"),
        change_message,
    ),
    "last messages": Live(
        lambda s: s.watch_thread_messages("t", last=2),
        lambda s, callback: s.subscribe_to_thread_messages("t", callback, last=2),
        lambda s: s.get_messages("t", last=2),
        change_message,
    ),
    "trace": Live(
        lambda s: s.watch_trace("x"),
        lambda s, callback: s.subscribe_to_trace("x", callback),
        lambda s: s.get_trace("x"),
        lambda s, n: s.save_trace(trace(spans=[n])),
    ),
    "trace of spans": Live(
        lambda s: s.watch_trace("t"),
        lambda s, callback: s.subscribe_to_trace("t", callback),
        lambda s: s.get_trace("t"),
        lambda s, n: s.create_span(span(f"s{n}")),
    ),
    "structure of a trace": Live(
        lambda s: s.watch_trace_structure("t"),
        lambda s, callback: s.subscribe_to_trace_structure("t", callback),
        lambda s: s.get_trace_structure("t"),
        lambda s, n: s.create_span(span(f"s{n}", error=n)),
    ),
    "run": Live(
        lambda s: s.watch_workflow_run("w", "flow"),
        lambda s, callback: s.subscribe_to_workflow_run("w", callback, workflow_name="flow"),
        lambda s: s.get_workflow_run_by_id("w", "flow"),
        change_run,
    ),
    "run without a name": Live(
        lambda s: s.watch_workflow_run("w"),
        lambda s, callback: s.subscribe_to_workflow_run("w", callback),
        lambda s: s.get_workflow_run_by_id("w"),
        change_run,
    ),
    "evals of an agent": Live(
        lambda s: s.watch_agent_evals("a"),
        lambda s, callback: s.subscribe_to_agent_evals("a", callback),
        lambda s: s.get_evals_by_agent_name("a"),
        lambda s, n: s.save_eval(evaluation(f"e{n}")),
    ),
    "tests of an agent": Live(
        lambda s: s.watch_agent_evals("a", type="test"),
        lambda s, callback: s.subscribe_to_agent_evals("a", callback, type="test"),
        lambda s: s.get_evals_by_agent_name("a", "test"),
        lambda s, n: s.save_eval(evaluation(f"e{n}", type="test")),
    ),
}
each_live = pytest.mark.parametrize("live", LIVE.values(), ids=LIVE)


def change_something_else(storage: ConvexStorage) -> None:
    """Records beside all that `LIVE` looks at."""
    storage.save_thread(thread("other", "other"))
    storage.save_message(message("other", "other"))
    storage.save_trace(trace("other"))
    storage.save_eval(evaluation("other", "other"))
    storage.save_workflow_run(run("other", "other"))


@each_live
def test_a_watch_gives_the_present_value_then_each_change(
    storage: ConvexStorage, live: Live
) -> None:
    with live.watch(storage) as watch:
        assert watch.next(SECONDS) == live.read(storage)
        for n in range(3):
            live.change(storage, n)
            value = watch.next(SECONDS)
            # A change of two steps may be seen between them.
            assert value == live.read(storage) or watch.next(SECONDS) == live.read(storage)


@each_live
def test_a_callback_gets_the_present_value_then_each_change(
    storage: ConvexStorage, live: Live
) -> None:
    live.change(storage, 0)
    got: Queue[Any] = Queue()
    unsubscribe = live.subscribe(storage, got.put)
    assert got.get(timeout=SECONDS) == live.read(storage)
    for n in range(1, 4):
        live.change(storage, n)
        assert got.get(timeout=SECONDS) == live.read(storage)
    unsubscribe()
    assert got.empty()


@pytest.mark.parametrize("name", sorted(LIVE.keys() - {"latest threads"}))
def test_what_does_not_change_the_value_is_not_told(storage: ConvexStorage, name: str) -> None:
    live = LIVE[name]
    live.change(storage, 0)
    with live.watch(storage) as watch:
        first = watch.next(SECONDS)
        change_something_else(storage)
        live.change(storage, 0)  # the same again
        with pytest.raises(TimeoutError):
            watch.next(QUIET)
        live.change(storage, 1)
        assert watch.next(SECONDS) == live.read(storage) != first


def await_value(watch: Any, expected: Any) -> None:
    """Read values until the expected one, and see that it is the last."""
    while watch.next(SECONDS) != expected:
        pass
    with pytest.raises(TimeoutError, match=r"nothing has changed for 0.1 seconds"):
        watch.next(QUIET)


@each_live
def test_the_last_value_is_the_truth_after_a_burst(storage: ConvexStorage, live: Live) -> None:
    watch = live.watch(storage)
    got: list[Any] = []
    live.subscribe(storage, got.append)
    watch.next(SECONDS)
    live.change(storage, 0)
    writers = [
        threading.Thread(target=lambda k=k: [live.change(storage, k * 5 + n) for n in range(5)])
        for k in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    expected = live.read(storage)
    await_value(watch, expected)
    watch.close()
    deadline = time.monotonic() + SECONDS
    while got[-1:] != [expected] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert got[-1] == expected


def test_deletions_are_told(storage: ConvexStorage) -> None:
    save_conversation(storage, 3)
    one, several, messages = (
        storage.watch_thread("t"),
        storage.watch_resource_threads("r"),
        storage.watch_thread_messages("t"),
    )
    assert [len(watch.next(SECONDS)) for watch in (several, messages)] == [1, 3]
    assert one.next(SECONDS) is not None
    storage.delete_messages(["t-0001"])
    assert ids(messages.next(SECONDS)) == ["t-0000", "t-0002"]
    assert one.next(SECONDS) == storage.get_thread_by_id("t")
    storage.delete_thread("t")
    assert one.next(SECONDS) is None
    assert messages.next(SECONDS) == []
    await_value(several, [])
    save_conversation(storage, 1)
    assert one.next(SECONDS) is not None
    await_value(messages, storage.get_messages("t"))
    storage.clear_table("threads")
    await_value(one, None)
    await_value(messages, [])
    await_value(several, [])


def test_a_message_that_moves_is_told_to_both_threads(storage: ConvexStorage) -> None:
    for name in ("t", "u"):
        save_conversation(storage, 2, name)
    left, entered = (storage.watch_thread_messages(name) for name in ("t", "u"))
    assert [len(watch.next(SECONDS)) for watch in (left, entered)] == [2, 2]
    storage.update_messages([{"id": "t-0000", "threadId": "u"}])
    assert ids(left.next(SECONDS)) == ["t-0001"]
    assert ids(entered.next(SECONDS)) == ["u-0000", "t-0000", "u-0001"]


def test_a_message_in_the_middle_of_a_long_thread(storage: ConvexStorage) -> None:
    names = save_conversation(storage, 1200)
    watch = storage.watch_thread_messages("t")
    assert len(watch.next(SECONDS)) == 1200
    storage.save_message(message("new", createdAt=at(600.5)))
    storage.delete_messages([names[0], names[-1]])
    await_value(watch, storage.get_messages("t"))
    storage.update_messages([{"id": names[700], "content": "changed"}])
    assert watch.next(SECONDS)[700].content == "changed"


def test_the_last_messages_follow_the_end(storage: ConvexStorage) -> None:
    names = save_conversation(storage, 5)
    watch = storage.watch_thread_messages("t", last=2)
    assert ids(watch.next(SECONDS)) == names[3:]
    storage.delete_messages([names[4]])
    assert ids(watch.next(SECONDS)) == names[2:4]
    # What lies before is none of its business.
    storage.update_messages([{"id": names[0], "content": "changed"}])
    with pytest.raises(TimeoutError):
        watch.next(QUIET)


def test_a_slow_reader_skips_to_the_last(storage: ConvexStorage) -> None:
    watch = storage.watch_thread("t")
    assert watch.next(SECONDS) is None
    other = storage.watch_thread("t")
    for n in range(10):
        storage.save_thread(thread(title=f"T{n}"))
    await_value(other, storage.get_thread_by_id("t"))
    assert watch.next(SECONDS) == storage.get_thread_by_id("t")


def test_a_subscriber_that_raises_is_called_again(
    storage: ConvexStorage, caplog: pytest.LogCaptureFixture
) -> None:
    good: Queue[Any] = Queue()
    bad: Queue[Any] = Queue()

    def fail(value: Any) -> None:
        bad.put(value)
        raise RuntimeError("a mistake of the subscriber")

    storage.subscribe_to_thread("t", fail)
    storage.subscribe_to_thread("t", good.put)
    assert (bad.get(timeout=SECONDS), good.get(timeout=SECONDS)) == (None, None)
    for n in range(3):
        saved = storage.save_thread(thread(title=f"T{n}"))
        assert bad.get(timeout=SECONDS) == good.get(timeout=SECONDS) == saved
    logged = [record for record in caplog.records if record.name == "mastra_convex"]
    assert len(logged) >= 3
    assert logged[0].getMessage() == "subscribe_to_thread: the subscriber raised"
    assert "a mistake of the subscriber" in caplog.text


def test_a_subscriber_that_is_stuck_harms_nobody(storage: ConvexStorage) -> None:
    good: Queue[Any] = Queue()
    with stuck_callback(storage) as (stuck, got):
        storage.subscribe_to_thread("t", stuck)
        storage.subscribe_to_thread("t", good.put)
        assert good.get(timeout=SECONDS) is None
        for n in range(3):
            saved = storage.save_thread(thread(title=f"T{n}"))
            assert good.get(timeout=SECONDS) == saved
        assert got == [None]
        storage.close()


def test_nothing_comes_after_unsubscribing(storage: ConvexStorage) -> None:
    left: Queue[Any] = Queue()
    stayed: Queue[Any] = Queue()
    unsubscribe = storage.subscribe_to_thread("t", left.put)
    storage.subscribe_to_thread("t", stayed.put)
    assert (left.get(timeout=SECONDS), stayed.get(timeout=SECONDS)) == (None, None)
    unsubscribe()
    unsubscribe()
    saved = storage.save_thread(thread())
    assert stayed.get(timeout=SECONDS) == saved
    with pytest.raises(Empty):
        left.get(timeout=QUIET)


def test_unsubscribing_before_the_first_value(storage: ConvexStorage) -> None:
    got: Queue[Any] = Queue()
    for _ in range(5):
        storage.subscribe_to_thread("t", got.put)()
    saved = storage.save_thread(thread())
    with storage.watch_thread("t") as watch:
        await_value(watch, saved)
    # A call that was under way may still have come; none comes for what happens later.
    assert all(got.get_nowait() is None for _ in range(got.qsize()))


def test_unsubscribing_inside_the_callback(storage: ConvexStorage) -> None:
    got: Queue[Any] = Queue()
    known = threading.Event()
    stop: list[Callable[[], None]] = []

    def once(value: Any) -> None:
        known.wait(SECONDS)
        stop[0]()
        got.put(value)

    stop.append(storage.subscribe_to_thread("t", once))
    known.set()
    assert got.get(timeout=SECONDS) is None
    storage.save_thread(thread())
    with pytest.raises(Empty):
        got.get(timeout=QUIET)


def iterate(watch: Any) -> tuple[threading.Thread, Queue[Any]]:
    """Read a watch in a thread, as a program does; the thread ends with the iteration."""
    got: Queue[Any] = Queue()

    def work() -> None:
        for value in watch:
            got.put(value)

    reader = threading.Thread(target=work, daemon=True)
    reader.start()
    return reader, got


def test_closing_the_storage_ends_the_iteration(
    storage: ConvexStorage, caplog: pytest.LogCaptureFixture
) -> None:
    called: Queue[Any] = Queue()
    storage.subscribe_to_thread("t", called.put)
    reader, got = iterate(storage.watch_thread("t"))
    assert (got.get(timeout=SECONDS), called.get(timeout=SECONDS)) == (None, None)
    storage.save_thread(thread())
    assert got.get(timeout=SECONDS) == called.get(timeout=SECONDS)
    storage.close()
    reader.join(SECONDS)
    assert not reader.is_alive()
    assert called.empty()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_closing_a_watch_ends_the_iteration(storage: ConvexStorage) -> None:
    watch = storage.watch_thread("t")
    reader, got = iterate(watch)
    assert got.get(timeout=SECONDS) is None
    watch.close()
    watch.close()
    reader.join(SECONDS)
    assert not reader.is_alive()
    with pytest.raises(StorageClosedError, match="this subscription has ended; subscribe again"):
        watch.next(SECONDS)
    with storage.watch_thread("t") as unread:
        pass
    with pytest.raises(StorageClosedError):
        unread.next(SECONDS)


def test_a_watch_that_is_stopped_while_it_subscribes() -> None:
    class Slow(RecordingBackend):
        def subscribe(self, read: Callable[[], Read], deliver: Deliver) -> Unsubscribe:
            unsubscribe = super().subscribe(read, deliver)
            watch.stop()  # by somebody else, who finds nothing to unsubscribe yet
            return unsubscribe

    backend = Slow({"threads:get": None})
    watch = ConvexStorage(backend=backend).watch_thread("t")
    with pytest.raises(StorageClosedError):
        watch.next(SECONDS)
    calls = len(backend.calls)
    backend.refresh()
    assert len(backend.calls) == calls


def test_a_callback_ends_with_its_loop() -> None:
    backend = AsyncRecordingBackend({"threads:get": None})

    async def subscribe() -> None:
        told = asyncio.Event()
        storage = AsyncConvexStorage(backend=backend)
        storage.subscribe_to_thread("t", lambda _thread: told.set())
        await told.wait()

    asyncio.run(subscribe())
    calls = len(backend.calls)
    backend.refresh()
    assert len(backend.calls) == calls


def test_a_subscription_that_cannot_begin_is_not_tried_all_the_time() -> None:
    class Broken(AsyncRecordingBackend):
        tried = 0

        async def subscribe(self, read: Callable[[], Read], deliver: Deliver) -> Unsubscribe:
            self.tried += 1
            raise FileUnavailableError("no such folder")

    async def subscribe() -> None:
        AsyncConvexStorage(backend=backend).subscribe_to_thread("t", print)
        await asyncio.sleep(QUIET)

    backend = Broken({})
    asyncio.run(subscribe())
    assert backend.tried == 1


def test_a_watch_goes_on_after_a_timeout(storage: ConvexStorage) -> None:
    watch = storage.watch_thread("t")
    assert watch.next(SECONDS) is None
    for n in range(2):
        with pytest.raises(TimeoutError):
            watch.next(0.01)
        saved = storage.save_thread(thread(title=f"T{n}"))
        assert watch.next(SECONDS) == saved


class Id(str, Enum):
    """Ids as many programs have them: text, but of a kind of its own."""

    THREAD = "t"
    RESOURCE = "r"


def test_text_may_be_of_a_kind_of_its_own(storage: ConvexStorage) -> None:
    with (
        storage.watch_thread(Id.THREAD) as watch,
        storage.watch_resource_threads(Id.RESOURCE) as threads,
    ):
        assert (watch.next(SECONDS), threads.next(SECONDS)) == (None, [])
        saved = storage.save_thread({"id": Id.THREAD, "resourceId": Id.RESOURCE})
        assert watch.next(SECONDS) == storage.get_thread_by_id(Id.THREAD) == saved
        assert threads.next(SECONDS) == storage.list_threads("r").threads == [saved]
