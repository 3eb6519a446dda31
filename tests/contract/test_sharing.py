"""Several storages on the same records: in this process and in others."""

import os
import subprocess
import sys
from pathlib import Path
from queue import Queue
from typing import Any

import mastra_convex
from tests.contract.faces import SECONDS, Place
from tests.contract.records import at, evaluation, ids, message, run, thread, trace

PACKAGE = Path(mastra_convex.__file__).resolve().parent.parent

WRITE = """
from mastra_convex import ConvexStorage
storage = ConvexStorage(target)
for n in range(3):
    storage.save_message({"id": f"m{n}", "threadId": "t", "role": "user", "content": "Hi"})
storage.close()
"""
FOLLOW = """
from mastra_convex import ConvexStorage
with ConvexStorage(target) as storage:
    for messages in storage.watch_thread_messages("t"):
        print(len(messages), flush=True)
        if len(messages) == 3:
            break
"""


def start(program: str, target: str, *, piped: bool = False) -> "subprocess.Popen[str]":
    """Run a program in a process of its own; if it is `piped`, it can be written to."""
    return subprocess.Popen(
        [sys.executable, "-c", f"target = {target!r}\n{program}"],
        stdin=subprocess.PIPE if piped else None,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(PACKAGE)},
    )


def test_two_storages_see_the_same(shared: Place) -> None:
    one, other = shared.open(), shared.open()
    one.save_thread(thread())
    assert other.get_thread_by_id("t") == one.get_thread_by_id("t")
    other.save_message(message())
    assert one.get_messages("t") == other.get_messages("t")
    assert one.list_messages("t").total == 1
    assert one.get_statistics() == other.get_statistics()
    one.delete_thread("t")
    assert other.get_messages("t") == []
    other.close()
    assert one.get_thread_by_id("t") is None


def test_what_was_saved_is_there_after_closing(shared: Place) -> None:
    storage = shared.open()
    storage.save_thread(thread(metadata={"a": 2**70}))
    storage.save_message(message())
    before = (storage.get_thread_by_id("t"), storage.get_messages("t"), storage.get_statistics())
    storage.close()
    again = shared.open()
    assert (again.get_thread_by_id("t"), again.get_messages("t"), again.get_statistics()) == before
    assert again.save_message(message("n")).seq == 2


def test_subscriptions_cross_from_one_storage_to_the_other(shared: Place) -> None:
    one, other = shared.open(), shared.open()
    got: Queue[Any] = Queue()
    one.subscribe_to_thread("t", got.put)
    watches: list[Any] = [
        one.watch_resource_threads("r"),
        one.watch_thread_messages("t"),
        one.watch_trace("x"),
        one.watch_workflow_run("w"),
        one.watch_agent_evals("a"),
    ]
    assert [watch.next(SECONDS) for watch in watches] == [[], [], None, None, []]
    assert got.get(timeout=SECONDS) is None
    saved = other.save_thread(thread())
    assert got.get(timeout=SECONDS) == saved
    assert watches[0].next(SECONDS) == [saved]
    sent = other.save_message(message(createdAt=at(1)))
    assert watches[1].next(SECONDS) == [sent]
    traced = other.save_trace(trace())
    assert watches[2].next(SECONDS) == traced
    ran = other.save_workflow_run(run())
    assert watches[3].next(SECONDS) == ran
    evaluated = other.save_eval(evaluation())
    assert watches[4].next(SECONDS) == [evaluated]
    other.clear_table("evals")
    assert watches[4].next(SECONDS) == []


def test_what_another_process_writes_is_told(shared: Place) -> None:
    storage = shared.open()
    storage.save_thread(thread())
    with storage.watch_thread_messages("t") as watch, start(WRITE, shared.target) as writer:
        values = [watch.next(SECONDS)]
        while len(values[-1]) < 3:
            values.append(watch.next(SECONDS))
    assert writer.returncode == 0
    assert ids(values[-1]) == ["m0", "m1", "m2"]
    assert values[-1] == storage.get_messages("t")
    assert storage.list_messages("t").total == 3


def test_another_process_is_told_what_is_written_here(shared: Place) -> None:
    storage = shared.open()
    storage.save_thread(thread())
    with start(FOLLOW, shared.target) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == "0\n"
        for n in range(3):
            storage.save_message(message(f"m{n}"))
        assert follower.stdout.read().splitlines()[-1] == "3"
    assert follower.returncode == 0


def test_processes_that_write_at_once_lose_nothing(shared: Place) -> None:
    storage = shared.open()
    storage.save_thread(thread())
    writers = [start(WRITE.replace("m{n}", f"{k}-{{n}}"), shared.target) for k in range(3)]
    for n in range(30):
        storage.save_message(message(f"here-{n}"))
    for writer in writers:
        with writer:
            pass
        assert writer.returncode == 0
    found = storage.get_messages("t")
    assert len(found) == storage.list_messages("t").total == 39
    assert sorted(each.seq or 0 for each in found) == list(range(1, 40))
