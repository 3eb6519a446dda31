"""A request that is sent again is answered again, once and for all, whatever happened between."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mastra_convex.engine import requests
from mastra_convex.engine.commit import Job
from mastra_convex.engine.context import SERVICE
from mastra_convex.engine.engine import Engine
from tests.engine.flaky import Connections, fail_once
from tests.engine.support import ROOT, Settled, add, ask, book, opened, titles


def request(
    engine: Engine, settled: Settled, number: int, *steps: list[Any], session: str = "s"
) -> Job:
    """A job that is a request."""
    args = {"steps": list(steps)}
    return engine.prepare("test:write", args, SERVICE, settled, None, (session, number))


def answered(engine: Engine, *asked: tuple[int, list[list[Any]]]) -> list[Job]:
    """The jobs of requests that were sent together, when they are settled."""
    settled = Settled()
    engine.enqueue([request(engine, settled, number, *steps) for number, steps in asked])
    return settled.until(len(asked))


def set_clock(monkeypatch: pytest.MonkeyPatch, nanoseconds: int) -> None:
    clock = SimpleNamespace(time_ns=lambda: nanoseconds)
    monkeypatch.setattr("mastra_convex.engine.commit.time", clock)


def insert(title: str) -> list[list[Any]]:
    return [["insert", "books", book(title)]]


def outcome(job: Job) -> tuple[Any, int]:
    assert job.error is None
    return job.value, job.ts


def known(engine: Engine) -> list[int]:
    """The requests whose answers are in the file."""
    with engine._store.snapshot() as connection:
        rows = connection.execute("SELECT request FROM _requests ORDER BY request")
        return [row[0] for row in rows]


def test_a_request_is_run_once(tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as engine:
        [first] = answered(engine, (0, insert("a")))
        add(engine, book("b"))
        [again] = answered(engine, (0, insert("c")))
        assert outcome(again) == outcome(first)
        assert first.ts > 1
        assert titles(ask(engine, index="by_title")) == ["a", "b"]
    with opened(tmp_path / "a.db") as engine:
        [after] = answered(engine, (0, insert("d")))
        assert outcome(after) == outcome(first)


def test_copies_in_one_group_are_run_once() -> None:
    with opened() as engine:
        jobs = answered(engine, (0, insert("a")), (1, insert("b")), (0, insert("c")))
        assert [job.value for job in jobs] == [[1], [2], [1]]
        assert len({job.ts for job in jobs}) == 1
        assert titles(ask(engine, index="by_title")) == ["a", "b"]


def test_sessions_count_for_themselves() -> None:
    with opened() as engine:
        settled = Settled()
        jobs = [
            request(engine, settled, 0, *insert("a"), session="s"),
            request(engine, settled, 0, *insert("b"), session="t"),
        ]
        engine.enqueue(jobs)
        settled.until(2)
        assert titles(ask(engine, index="by_title")) == ["a", "b"]


def test_a_request_that_failed_is_run_again() -> None:
    with opened() as engine:
        [failed] = answered(engine, (0, [*insert("a"), ["raise"]]))
        assert failed.error is not None
        assert failed.ts == 0
        [again] = answered(engine, (0, insert("b")))
        assert outcome(again)[0] == [1]
        # In one group, too.
        jobs = answered(engine, (1, [*insert("c"), ["raise"]]), (1, insert("d")))
        assert [job.error is None for job in jobs] == [False, True]
        assert titles(ask(engine, index="by_title")) == ["b", "d"]


def test_a_request_that_wrote_nothing_has_the_moment_that_it_saw() -> None:
    with opened() as engine:
        [wrote] = answered(engine, (0, insert("a")))
        looked, looked_again = answered(engine, (1, []), (1, []))
        assert looked.ts == looked_again.ts == wrote.ts
        [again] = answered(engine, (1, insert("b")))
        assert outcome(again) == outcome(looked)


def test_timestamps_grow_though_the_clock_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    for clock in (5_000, 4_000, 4_000):
        set_clock(monkeypatch, clock)
        with opened(tmp_path / "a.db") as engine:
            [job] = answered(engine, (len(seen), insert("a")))
            seen.append(job.ts)
    assert seen == [5_000, 5_001, 5_002]


def test_an_answer_is_lost_with_its_transaction(connections: Connections, tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as engine:
        connections.before = fail_once("COMMIT", sqlite3.OperationalError("disk I/O error"))
        [failed] = answered(engine, (0, insert("a")))
        assert failed.error is not None
        [again] = answered(engine, (0, insert("b")))
        assert outcome(again)[0] == [1]
        assert titles(ask(engine, index="by_title")) == ["b"]


def test_old_answers_are_forgotten_step_by_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "_TRIM_EVERY", 1)
    monkeypatch.setattr(requests, "_TRIM_AT_MOST", 2)
    now = time.time_ns()
    set_clock(monkeypatch, now)
    with opened(tmp_path / "a.db") as engine:
        answered(engine, *((number, insert("a")) for number in range(3)))
        set_clock(monkeypatch, now + requests.KEEP_NANOSECONDS)
        answered(engine, (3, insert("a")))
        assert known(engine) == [0, 1, 2, 3]
        set_clock(monkeypatch, now + requests.KEEP_NANOSECONDS + 1000)
        answered(engine, (4, insert("a")))
        assert len(known(engine)) == 3
        answered(engine, (5, insert("a")))
        assert known(engine) == [3, 4, 5]


def test_answers_are_forgotten_though_the_clock_was_ahead_by_years_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "_TRIM_EVERY", 1)
    now = time.time_ns()
    with opened(tmp_path / "a.db") as engine:
        set_clock(monkeypatch, now + 1000 * requests.KEEP_NANOSECONDS)
        answered(engine, (0, insert("a")))
        set_clock(monkeypatch, now)
        answered(engine, (1, insert("a")))
        set_clock(monkeypatch, now + requests.KEEP_NANOSECONDS + 1000)
        answered(engine, (2, insert("a")))
        assert known(engine) == [0, 2]


_KILLED = """
import os, sys
from mastra_convex.engine.context import SERVICE
from tests.engine.support import open_engine
engine = open_engine(sys.argv[1], durable=True)
steps = [["insert", "books", {"title": "a", "year": 1}]]
# Between the commit and the answer.
settle = lambda jobs: os.kill(os.getpid(), 9)
engine.enqueue([engine.prepare("test:write", {"steps": steps}, SERVICE, settle, None, ("s", 7))])
import time; time.sleep(30)
"""


def test_a_request_is_known_after_a_kill_before_its_answer(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(path)], cwd=ROOT, check=False)
    assert killed.returncode == -9
    with opened(path) as engine:
        [again] = answered(engine, (7, insert("b")))
        assert outcome(again)[0] == [1]
        assert titles(ask(engine, index="by_title")) == ["a"]
