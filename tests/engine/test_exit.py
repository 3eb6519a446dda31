"""Fresh processes: programs that never close, that fork, that are interrupted."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.engine.support import PATIENCE, Processes, ask, finish, opened, titles

PRELUDE = """
import asyncio, os, sys, threading, time
from tests.engine.support import *
"""


def run(processes: Processes, program: str, *arguments: object) -> tuple[str, float]:
    """What a program writes, and how long it lives after it has said "done"."""
    process = processes.start("-c", PRELUDE + program, *map(str, arguments))
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "done\n":
            break
    done = time.monotonic()
    rest = process.stdout.read()
    assert process.stderr is not None
    error = process.stderr.read()
    assert process.wait(PATIENCE) == 0, error
    assert error == ""
    return "".join(lines) + rest, time.monotonic() - done


def written(path: Path) -> list[str]:
    """The titles in a file."""
    with opened(path) as engine:
        return titles(ask(engine, index="by_creation_time", count=10**6))


def test_a_program_that_never_closes_ends_at_once(processes: Processes, tmp_path: Path) -> None:
    program = """
engine = open_engine(sys.argv[1], durable=True)
inboxes = [watch(engine, {"index": "by_year", "count": n})[0] for n in range(1, 4)]
for number in range(50):
    add(engine, book(f"{number}"))
print("done", flush=True)
"""
    _, seconds = run(processes, program, tmp_path / "a.db")
    assert seconds < 1.0
    assert written(tmp_path / "a.db") == [f"{number}" for number in range(50)]
    assert [path.name for path in tmp_path.iterdir()] == ["a.db"]


def test_a_program_in_memory_that_never_closes_ends_at_once(processes: Processes) -> None:
    program = """
engine = open_engine()
watch(engine, {"index": "by_year"})
add(engine, book("a"))
print("done", flush=True)
"""
    assert run(processes, program)[1] < 1.0


def test_what_is_queued_when_a_program_ends_is_committed(
    processes: Processes, tmp_path: Path
) -> None:
    program = """
engine = open_engine(sys.argv[1])
settled = Settled()
engine.enqueue([
    engine.prepare("test:write", {"steps": [["insert", "books", book(f"{n}")]]}, SERVICE, settled)
    for n in range(2000)
])
print("done", flush=True)
"""
    _, seconds = run(processes, program, tmp_path / "a.db")
    assert seconds < 3.0
    assert len(written(tmp_path / "a.db")) == 2000


def test_a_coroutine_that_never_closes_ends_at_once(processes: Processes, tmp_path: Path) -> None:
    program = """
from mastra_convex.backends.embedded import AsyncEmbeddedBackend
async def main():
    backend = AsyncEmbeddedBackend(sys.argv[1])
    told = []
    def read():
        return (yield "threads:get", {"id": "t0"})
    await backend.subscribe(read, told.append)
    await asyncio.gather(*(
        backend.mutation("threads:save", {"thread": {"id": f"t{n}", "resourceId": "r"}})
        for n in range(50)
    ))
    while not (told and told[-1].value):
        await asyncio.sleep(0.01)
    print((await backend.query("threads:get", {"id": "t49"}))["id"])
    print("done", flush=True)
asyncio.run(main())
"""
    output, seconds = run(processes, program, tmp_path / "a.db")
    assert output == "t49\ndone\n"
    assert seconds < 1.0


def test_a_program_that_raises_ends_with_its_error(processes: Processes, tmp_path: Path) -> None:
    program = """
engine = open_engine(sys.argv[1])
watch(engine, {"index": "by_year"})
add(engine, book("a"))
raise LookupError("the program's own")
"""
    process = processes.start("-c", PRELUDE + program, str(tmp_path / "a.db"))
    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert error.endswith("LookupError: the program's own\n")
    assert error.count("Traceback") == 1
    assert written(tmp_path / "a.db") == ["a"]


def test_an_interrupt_ends_a_program_that_writes(processes: Processes, tmp_path: Path) -> None:
    """Ctrl-C in the middle of writing: the program ends, and the file is as it was told."""
    program = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever the tests were started with
engine = open_engine(sys.argv[1])
watch(engine, {"index": "by_year"})
try:
    for number in range(100_000):
        add(engine, book(f"{number}"))
        os.write(1, f"{number}\\n".encode())  # whole, or not at all
except KeyboardInterrupt:
    os.write(1, b"interrupted")
"""
    process = processes.start("-c", PRELUDE + program, str(tmp_path / "a.db"))
    assert process.stdout is not None
    for _ in range(5):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    lines = process.stdout.read().split()
    assert process.wait(PATIENCE) == 0
    assert lines[-1] == "interrupted"
    acknowledged = 5 + len(lines) - 1
    assert len(written(tmp_path / "a.db")) in {acknowledged, acknowledged + 1}


FORKED = """
import signal, warnings
from mastra_convex.errors import StorageClosedError
warnings.simplefilter("ignore")  # Python's own, of forks beside threads
engine = open_engine(sys.argv[1])
inbox, stop = watch(engine, {"how": "totals"})
add(engine, book("a"))

def refused(call):
    try:
        call()
    except StorageClosedError as error:
        return "forked" in str(error)

def fork(more=lambda: None):
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert status == 0, f"a child ended with {status}"
        return
    signal.alarm(5)
    assert refused(lambda: ask(engine, how="totals"))
    assert refused(lambda: add(engine, book("b")))
    assert refused(lambda: watch(engine, {"how": "totals"}))
    stop()
    engine.close()
    more()
    os._exit(0)
"""
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@needs_fork
def test_a_fork_waits_for_no_lock_of_its_parent(processes: Processes, tmp_path: Path) -> None:
    program = """
locked, forked = threading.Event(), threading.Event()
def hold():
    with engine._live._condition, engine._held._lock:
        locked.set()
        forked.wait(10)
threading.Thread(target=hold, daemon=True).start()
locked.wait()
fork()
forked.set()
print("done", flush=True)
"""
    assert run(processes, FORKED + program, tmp_path / "a.db")[0] == "done\n"


@needs_fork
def test_a_fork_opens_the_file_again(processes: Processes, tmp_path: Path) -> None:
    program = """
def own():
    with opened(sys.argv[1]) as engine:
        add(engine, book("child"))
for _ in range(10):
    settle(engine)
    fork(own)
found = titles(ask(engine, index="by_creation_time"))
assert found == ["a"] + ["child"] * 10, found
inbox.until_value(ask(engine, how="totals"))
print("done", flush=True)
"""
    output, seconds = run(processes, FORKED + program, tmp_path / "a.db")
    assert output == "done\n"
    assert seconds < 1.0


@needs_fork
def test_a_fork_in_the_middle_of_everything_leaves_the_engine_to_its_parent(
    processes: Processes, tmp_path: Path
) -> None:
    program = """
writing = True
def write():
    while writing:
        add(engine, book("a"))
writers = [threading.Thread(target=write) for _ in range(2)]
for writer in writers:
    writer.start()
for _ in range(30):
    fork()
writing = False
for writer in writers:
    writer.join()
inbox.until_value(ask(engine, how="totals"))
print("done", flush=True)
"""
    output, seconds = run(processes, FORKED + program, tmp_path / "a.db")
    assert output == "done\n"
    assert seconds < 1.0
    assert set(written(tmp_path / "a.db")) == {"a"}


@needs_fork
def test_a_fork_while_others_write_opens_the_file_again(
    processes: Processes, tmp_path: Path
) -> None:
    """SQLite's own locks, which a writer holds, would stay locked in the child for ever."""
    program = """
writing = True
def write():
    while writing:
        add(engine, book("a"))
writers = [threading.Thread(target=write, daemon=True) for _ in range(3)]
for writer in writers:
    writer.start()
def own():
    with opened(sys.argv[1]) as engine:
        add(engine, book("child"))
for _ in range(20):
    fork(own)
writing = False
for writer in writers:
    writer.join()
print("done", flush=True)
"""
    output, _ = run(processes, FORKED + program, tmp_path / "a.db")
    assert output == "done\n"
    assert written(tmp_path / "a.db").count("child") == 20


@needs_fork
def test_a_fork_does_not_wait_for_a_writer_that_waits_for_another_process(
    processes: Processes, tmp_path: Path
) -> None:
    program = """
import sqlite3
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
writer = threading.Thread(target=add, args=[engine, book("b")])
writer.start()
time.sleep(0.1)
begun = time.monotonic()
fork()
assert 0.5 < time.monotonic() - begun < 5, time.monotonic() - begun
other.execute("ROLLBACK")
writer.join()
print("done", flush=True)
"""
    output, _ = run(processes, FORKED + program, tmp_path / "a.db")
    assert output == "done\n"
    assert written(tmp_path / "a.db") == ["a", "b"]


def test_a_program_may_end_while_others_write(processes: Processes, tmp_path: Path) -> None:
    """Threads of a program that ends are caught in the middle of writing, not the file."""
    program = """
engine = open_engine(sys.argv[1])
def write():
    while True:
        add(engine, book("a"))
for _ in range(3):
    threading.Thread(target=write, daemon=True).start()
time.sleep(0.1)
print("done", flush=True)
"""
    process = processes.start("-c", PRELUDE + program, str(tmp_path / "a.db"))
    begun = time.monotonic()
    out, _ = process.communicate(timeout=PATIENCE)
    assert (out, process.returncode) == ("done\n", 0)
    assert time.monotonic() - begun < 5.0
    assert written(tmp_path / "a.db")


def test_an_engine_that_is_dropped_unclosed_is_closed_in_the_end(
    processes: Processes, tmp_path: Path
) -> None:
    program = """
def use():
    engine = open_engine(sys.argv[1])
    watch(engine, {"how": "totals"})
    add(engine, book("a"))
use()
print("done", flush=True)
"""
    assert run(processes, program, tmp_path / "a.db")[1] < 1.0
    assert written(tmp_path / "a.db") == ["a"]


def test_the_worker_programs_end_well(processes: Processes, tmp_path: Path) -> None:
    finish(processes.work("write", tmp_path / "a.db", "x", 4))
    assert written(tmp_path / "a.db") == [f"x-{number}" for number in range(4)]
