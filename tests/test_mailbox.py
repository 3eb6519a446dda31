"""The mailbox between a backend's thread and a subscriber, in both colours."""

import asyncio
import threading
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from mastra_convex._mailbox import AsyncMailbox, Mailbox, async_spawn, spawn
from mastra_convex.values.outcome import Outcome

ONE, TWO = Outcome(1), Outcome(2)
SECONDS = 10.0


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, SECONDS))


def test_the_newest_takes_the_place_of_the_older() -> None:
    mailbox = Mailbox()
    mailbox.put(ONE)
    mailbox.put(TWO)
    assert mailbox.take(SECONDS) is TWO
    with pytest.raises(TimeoutError, match=r"nothing has changed for 0\.01 seconds"):
        mailbox.take(0.01)
    mailbox.put(ONE)
    assert mailbox.take() is ONE


def test_a_reader_waits() -> None:
    mailbox = Mailbox()
    timer = threading.Timer(0.02, mailbox.put, [ONE])
    timer.start()
    assert mailbox.take(SECONDS) is ONE
    timer.join()


def test_closing_wakes_the_reader() -> None:
    mailbox = Mailbox()
    timer = threading.Timer(0.02, mailbox.close)
    timer.start()
    assert mailbox.take(SECONDS) is None
    timer.join()
    mailbox.put(ONE)
    assert mailbox.take(0) is None


def test_a_value_that_is_false_is_a_value() -> None:
    mailbox = Mailbox()
    mailbox.put(Outcome(None))
    assert mailbox.take(SECONDS) == Outcome(None)


def test_async_the_newest_takes_the_place_of_the_older() -> None:
    async def work() -> None:
        mailbox = AsyncMailbox()
        mailbox.put(ONE)
        mailbox.put(TWO)
        assert await mailbox.take(SECONDS) is TWO
        with pytest.raises(TimeoutError, match=r"nothing has changed for 0\.01 seconds"):
            await mailbox.take(0.01)
        mailbox.put(ONE)
        assert await mailbox.take() is ONE

    run(work())


def test_async_a_reader_waits_for_another_thread() -> None:
    async def work() -> None:
        mailbox = AsyncMailbox()
        timer = threading.Timer(0.02, mailbox.put, [ONE])
        timer.start()
        assert await mailbox.take(SECONDS) is ONE
        timer.join()

    run(work())


def test_async_closing_wakes_the_reader() -> None:
    async def work() -> None:
        mailbox = AsyncMailbox()
        timer = threading.Timer(0.02, mailbox.close)
        timer.start()
        assert await mailbox.take(SECONDS) is None
        timer.join()
        mailbox.put(ONE)
        assert await mailbox.take(0.01) is None

    run(work())


def test_async_a_burst_ends_with_the_last() -> None:
    async def work() -> None:
        mailbox = AsyncMailbox()
        last = Outcome(2000)

        def burst() -> None:
            for n in range(2000):
                mailbox.put(Outcome(n))
            mailbox.put(last)

        thread = threading.Thread(target=burst)
        thread.start()
        while await mailbox.take(SECONDS) is not last:
            pass
        thread.join()
        with pytest.raises(TimeoutError):
            await mailbox.take(0.01)

    run(work())


def test_async_a_loop_that_has_ended_is_no_reader() -> None:
    async def make() -> AsyncMailbox:
        return AsyncMailbox()

    mailbox: AsyncMailbox = run(make())
    mailbox.put(ONE)
    mailbox.close()


def test_work_is_spawned_without_keeping_the_program() -> None:
    seen: list[tuple[str, bool]] = []
    done = threading.Event()

    def work() -> None:
        current = threading.current_thread()
        seen.append((current.name, current.daemon))
        done.set()

    spawn(work, "mastra-convex test")
    assert done.wait(SECONDS)
    assert seen == [("mastra-convex test", True)]


def test_async_work_is_spawned_and_kept() -> None:
    async def work() -> None:
        done = asyncio.Event()

        async def later() -> None:
            await asyncio.sleep(0)
            task = asyncio.current_task()
            assert task is not None
            assert task.get_name() == "mastra-convex test"
            done.set()

        async_spawn(later, "mastra-convex test")
        started = time.monotonic()
        await asyncio.wait_for(done.wait(), SECONDS)
        assert time.monotonic() - started < SECONDS

    run(work())
