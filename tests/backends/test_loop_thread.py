"""The thread with an event loop: started on use, stopped once, of one process."""

import asyncio
import concurrent.futures
import os
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from mastra_convex.backends.loop_thread import LoopThread, in_thread
from mastra_convex.errors import StorageClosedError

SECONDS = 10.0


class Owner:
    """What a loop thread serves."""

    def __init__(self) -> None:
        self.ended = 0
        self.thread = LoopThread("http://x", self.end)

    async def end(self) -> None:
        self.ended += 1


@pytest.fixture
def owner() -> Iterator[Owner]:
    owner = Owner()
    yield owner
    owner.thread.stop()


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("mastra-convex-remote")]


def test_the_thread_is_there_from_the_first_call_until_it_is_stopped(owner: Owner) -> None:
    before = threads()

    async def work() -> str:
        return threading.current_thread().name

    assert threads() == before
    assert owner.thread.submit(work()).result(SECONDS) == "mastra-convex-remote"
    assert owner.thread.submit(work()).result(SECONDS) == "mastra-convex-remote"
    assert len(threads()) == len(before) + 1
    owner.thread.stop()
    owner.thread.stop()
    assert threads() == before
    assert owner.ended == 1
    assert owner.thread.stopped


def test_what_is_under_way_is_cancelled(owner: Owner) -> None:
    cancelled = []

    async def work() -> None:
        try:
            await asyncio.sleep(SECONDS)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    future = owner.thread.submit(work())
    owner.thread.submit(asyncio.sleep(0)).result(SECONDS)
    owner.thread.stop()
    assert cancelled == [True]
    with pytest.raises(concurrent.futures.CancelledError):
        future.result(SECONDS)


def test_what_is_submitted_while_it_is_stopped_waits_for_nobody(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.thread.submit(asyncio.sleep(0)).result(SECONDS)
    stopper = threading.Thread(target=owner.thread.stop)
    submit = asyncio.run_coroutine_threadsafe

    def late(
        work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop
    ) -> concurrent.futures.Future[None]:
        stopper.start()
        stopper.join(0.2)
        return submit(work, loop)

    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", late)
    with pytest.raises(concurrent.futures.CancelledError):
        owner.thread.submit(asyncio.sleep(SECONDS)).result(SECONDS)
    stopper.join()


def test_nothing_runs_once_it_is_stopped(owner: Owner) -> None:
    owner.thread.stop()
    with pytest.raises(StorageClosedError, match="http://x was closed; open a new storage"):
        owner.thread.submit(asyncio.sleep(0))
    with pytest.raises(StorageClosedError):
        owner.thread.call_soon(print)
    owner.thread.call_soon_if_running(print)
    assert owner.ended == 0  # there was nothing to end


def test_calls_from_elsewhere(owner: Owner) -> None:
    called = threading.Event()
    owner.thread.call_soon_if_running(called.set)
    assert not called.is_set()
    owner.thread.call_soon(called.set)
    assert called.wait(SECONDS)
    called.clear()
    owner.thread.call_soon_if_running(called.set)
    assert called.wait(SECONDS)


def test_it_can_be_stopped_from_itself(owner: Owner) -> None:
    owner.thread.call_soon(owner.thread.stop)
    deadline = time.monotonic() + SECONDS
    while not owner.ended and time.monotonic() < deadline:
        time.sleep(0.01)
    assert owner.ended == 1


def test_waiting_in_a_thread(owner: Owner) -> None:
    def fail() -> None:
        raise KeyError("no")

    assert owner.thread.submit(in_thread(lambda: 5)).result(SECONDS) == 5
    with pytest.raises(KeyError):
        owner.thread.submit(in_thread(fail)).result(SECONDS)


def test_waiting_that_is_given_up_keeps_nobody(owner: Owner) -> None:
    done = threading.Event()
    try:
        future = owner.thread.submit(in_thread(done.wait))
        owner.thread.submit(asyncio.sleep(0)).result(SECONDS)
        future.cancel()
        owner.thread.stop()
        assert threads() == []
    finally:
        done.set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_fork_is_told_to_open_its_own() -> None:
    program = """
import asyncio, os
from mastra_convex.backends.loop_thread import LoopThread
from mastra_convex.errors import StorageClosedError
async def end(): pass
thread = LoopThread("http://x", end)
thread.submit(asyncio.sleep(0)).result(10)
if os.fork() == 0:
    try:
        thread.submit(asyncio.sleep(0))
    except StorageClosedError as error:
        print(error, flush=True)
    thread.stop()
    os._exit(0)
os.wait()
thread.submit(asyncio.sleep(0)).result(10)
thread.stop()
print("the parent goes on")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == [
        "http://x was opened in another process; open a new storage after a fork",
        "the parent goes on",
    ]
