"""Feeds: everything that changed up to a commit comes in one report."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mastra_convex.engine.context import SERVICE
from mastra_convex.engine.engine import Engine
from mastra_convex.engine.feed import Feed, Report
from mastra_convex.errors import StorageClosedError
from mastra_convex.values.outcome import Outcome
from tests.engine.flaky import Connections, fail_once
from tests.engine.support import PATIENCE, add, book, opened, program, titles

NAMED: dict[str, Any] = {"index": "by_title", "eq": ["a"]}
OTHER: dict[str, Any] = {"index": "by_title", "eq": ["b"]}


class Reports:
    """Keeps reports and can be waited for."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self._changed = threading.Condition()

    def __call__(self, report: Report) -> None:
        with self._changed:
            self.reports.append(report)
            self._changed.notify_all()

    def until(self, wanted: Callable[[Report], bool]) -> Report:
        """Wait for such a report."""
        with self._changed:
            came = self._changed.wait_for(lambda: any(map(wanted, self.reports)), PATIENCE)
        assert came, self.reports
        return next(report for report in self.reports if wanted(report))

    def until_turn(self, turn: int) -> Report:
        return self.until(lambda report: report.turn >= turn)

    def known_at(self, turn: int) -> dict[int, Any]:
        """What has been told by then; a read may be told of before the question is asked."""
        self.until_turn(turn)
        known: dict[int, Any] = {}
        for report in self.reports:
            known.update(report.changes)
        return known


def years(outcome: Outcome) -> Any:
    """What is rendered: the years of the books, or the error."""
    return outcome.error or [one["year"] for one in outcome.value]


def open_feed(engine: Engine) -> tuple[Feed, Reports]:
    reports = Reports()
    return engine.feed(years, reports), reports


def test_all_that_a_commit_changed_comes_at_once() -> None:
    with opened() as engine:
        feed, reports = open_feed(engine)
        both = [(1, program(NAMED), SERVICE), (2, program(OTHER), SERVICE)]
        turn = feed.watch(both)
        assert reports.known_at(turn) == {1: [], 2: []}
        first = reports.until_turn(turn)
        add(engine, book("a", 1), book("b", 2))
        second = reports.until(lambda report: report.ts > first.ts)
        assert second.changes == {1: [1], 2: [2]}
        add(engine, book("a", 3))
        third = reports.until(lambda report: report.ts > second.ts)
        assert third.changes == {1: [1, 3]}
        add(engine, book("c"))
        fourth = reports.until(lambda report: report.ts > third.ts)
        assert fourth.changes == {}


def test_a_question_is_answered_with_what_is_committed() -> None:
    with opened() as engine:
        feed, reports = open_feed(engine)
        reports.until_turn(feed.watch([(1, program(NAMED), SERVICE)]))
        add(engine, book("a", 1))
        turn = feed.ask()
        assert reports.known_at(turn) == {1: [1]}
        timestamps = [report.ts for report in reports.reports]
        assert timestamps == sorted(timestamps)


def test_what_is_dropped_is_not_told_of() -> None:
    with opened() as engine:
        feed, reports = open_feed(engine)
        reports.until_turn(feed.watch([(1, program(NAMED), SERVICE), (2, program(OTHER), SERVICE)]))
        feed.drop([1])
        reports.until_turn(feed.ask())
        before = len(reports.reports)
        add(engine, book("a", 1), book("b", 2))
        reports.until_turn(feed.ask())
        changed = [number for report in reports.reports[before:] for number in report.changes]
        assert changed == [2]


def test_errors_are_rendered_too() -> None:
    with opened() as engine:
        feed, reports = open_feed(engine)
        wrong = program({"index": "nonsense"})
        known = reports.known_at(feed.watch([(1, wrong, SERVICE)]))
        assert isinstance(known[1], Exception)


def test_a_file_in_trouble_is_not_told_of(connections: Connections, tmp_path: Path) -> None:
    with opened(tmp_path / "a.db") as engine:
        feed, reports = open_feed(engine)
        first = reports.until_turn(feed.watch([(1, program(NAMED), SERVICE)]))
        error = sqlite3.OperationalError("disk I/O error")
        connections.before = fail_once("SELECT ts, changes", error)
        add(engine, book("a", 1))
        second = reports.until(lambda report: report.ts > first.ts)
        assert second.changes == {1: [1]}
        told = [change for report in reports.reports for change in report.changes.values()]
        assert told == [[], [1]]


def test_a_closed_feed_hears_nothing_more() -> None:
    with opened() as engine:
        feed, reports = open_feed(engine)
        other, others = open_feed(engine)
        reports.until_turn(feed.watch([(1, program(NAMED), SERVICE)]))
        feed.close()
        feed.close()
        others.until_turn(other.ask())
        before = len(reports.reports)
        add(engine, book("a", 1))
        others.until_turn(other.ask())
        assert len(reports.reports) == before
        assert titles(engine.query("test:read", {"spec": {"table": "books", **NAMED}}, SERVICE))


def test_closing_the_engine_is_not_told_as_a_change() -> None:
    with opened() as engine:
        feed, reports = open_feed(engine)
        reports.until_turn(feed.watch([(1, program(NAMED), SERVICE)]))
    assert [report.changes for report in reports.reports if report.changes] == [{1: []}]
    assert not isinstance(reports.reports[-1].changes.get(1), StorageClosedError)
