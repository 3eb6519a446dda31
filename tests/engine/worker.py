"""Programs that the tests run in processes of their own: `python -m tests.engine.worker ...`."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import time
from pathlib import Path

from tests.engine.support import add, ask, book, opened


def say(text: str) -> None:
    """Print a whole line at once, from any thread."""
    os.write(sys.stdout.fileno(), f"{text}\n".encode())


def tick(path: str, count: str) -> None:
    """Insert books that are named by the moment of their writing."""
    with opened(path) as engine:
        for _ in range(int(count)):
            add(engine, book(repr(time.time())))
            time.sleep(0.02)


def write(path: str, name: str, count: str) -> None:
    """Insert `count` books, some in a mutation of two, some beside one that fails."""
    with opened(path) as engine:
        for number in range(0, int(count), 2):
            add(engine, book(f"{name}-{number}"), book(f"{name}-{number + 1}"))


def write_until_killed(path: str, name: str) -> None:
    """Insert books from three threads; say the title of each when it is durable."""
    with opened(path, durable=True) as engine:

        def work(thread: int) -> None:
            number = 0
            while True:
                title = f"{name}-{thread}-{number}"
                add(engine, book(title, note="x" * 500))
                say(title)
                number += 1

        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def open_together(folder: str, name: str, start: str, rounds: str) -> None:
    """Open a new file at the same moments as others do, insert a book, close or linger."""
    for number in range(int(rounds)):
        time.sleep(max(0.0, float(start) + number * 0.15 - time.time()))
        with opened(Path(folder) / f"{number}.db") as engine:
            add(engine, book(name))
            assert name in [one["title"] for one in ask(engine, index="by_year")]
            if number % 2:
                time.sleep(0.1)


def hold(path: str, seconds: str) -> None:
    """Hold the write lock of a file."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    say("held")
    time.sleep(float(seconds))
    connection.execute("ROLLBACK")
    connection.close()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
