"""The engine against a plain model: random operations, and all that is watched, step by step."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mastra_convex.engine.context import SERVICE
from mastra_convex.engine.engine import Engine
from mastra_convex.errors import StorageClosedError
from mastra_convex.values.outcome import Outcome
from tests.engine import model
from tests.engine.support import MEMORY, Doc, Inbox, Settled, ask, do, open_engine, program, settle

Program = Callable[[], Generator[tuple[str, Doc], Any, Any]]
CHECKED = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


def same(one: Any, other: Any) -> bool:
    """Equal, and 1, 1.0 and True told apart where fields are kept as JSON."""
    return bool(one == other) and repr(as_json(one)) == repr(as_json(other))


def as_json(value: Any) -> Any:
    """The fields of documents that are kept as JSON."""
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {name: value[name] for name in sorted(model.AS_JSON & value.keys())}
    return None


def answer(engine: Engine, watched: Program) -> Any:
    """The value of a program now, from fresh queries."""
    running = watched()
    try:
        path, args = next(running)
        while True:
            path, args = running.send(engine.query(path, args, SERVICE))
    except StopIteration as stop:
        return stop.value


def follow(order: str) -> Program:
    """A program whose second call depends on the answer to the first."""

    def run() -> Generator[tuple[str, Doc], Any, Any]:
        first = {"table": "books", "index": "by_year", "order": order, "how": "first"}
        book = yield "test:read", {"spec": first}
        if book is None:
            return "nothing"
        alike = {"table": "books", "index": "by_title", "eq": [book["title"]]}
        others = yield "test:read", {"spec": alike}
        return [book, others]

    return run


def pages(spec: Doc, count: int) -> Program:
    """A program that walks all pages of a range."""

    def run() -> Generator[tuple[str, Doc], Any, Any]:
        found: list[Doc] = []
        cursor = None
        while True:
            call = {"table": "books", **spec, "how": "paginate", "count": count, "cursor": cursor}
            reply = yield "test:read", {"spec": call}
            found += reply["page"]
            cursor = reply["cursor"]
            if cursor is None:
                return found

    return run


watched_programs = st.one_of(
    st.builds(lambda spec, n: program({**spec, "count": n}), model.specs(), st.integers(1, 4)),
    st.builds(program, model.specs()),
    st.builds(pages, model.specs(), st.integers(1, 3)),
    st.builds(follow, st.sampled_from(model.ORDERS)),
    st.builds(lambda i: program({"how": "get", "id": i}), st.integers(1, 5)),
    st.just(program({"how": "totals"})),
    st.builds(
        lambda t, y: program({"how": "find", "index": "by_title_note_year", "eq": [t, t, y]}),
        model.texts,
        model.numbers,
    ),
)


class EngineMachine(RuleBasedStateMachine):
    """Random operations on one engine, in memory."""

    engines = 1
    on_disk = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = str(self.folder / "model.db") if self.on_disk else MEMORY
        self.books: model.Books = {}
        self.last = 0
        self.open: list[Engine] = []
        self.watches: list[tuple[Engine, Program, Inbox, Callable[[], None]]] = []

    @initialize()
    def start(self) -> None:
        self.open = [open_engine(self.path) for _ in range(self.engines)]
        for engine in self.open:
            for order in model.ORDERS:
                self._watch(engine, follow(order))
            self._watch(engine, program({"index": "by_year", "count": 2}))
            self._watch(engine, program({"index": "by_price_title", "count": 2, "order": "desc"}))
            self._watch(engine, pages({"index": "by_note_price"}, 2))
            self._watch(engine, program({"how": "totals"}))

    def teardown(self) -> None:
        for engine in self.open:
            engine.close()
        shutil.rmtree(self.folder)

    def _watch(self, engine: Engine, watched: Program) -> None:
        inbox = Inbox()
        self.watches.append((engine, watched, inbox, engine.subscribe(watched, inbox, SERVICE)))

    def _engine(self, which: int) -> Engine:
        return self.open[which % len(self.open)]

    @rule(which=model.places, steps=st.lists(model.steps, min_size=1, max_size=5))
    def mutate(self, which: int, steps: list[tuple[Any, ...]]) -> None:
        wanted = model.Transaction(self.books, self.last)
        for step in steps:
            wanted.run(step)
        answers = do(self._engine(which), *wanted.calls)
        assert same(answers, wanted.answers)
        self.books, self.last = wanted.books, wanted.last

    @rule(
        which=model.places,
        steps=st.lists(model.steps, max_size=4),
        end=st.sampled_from(["raise", "missing", "invalid", "remove"]),
    )
    def fail(self, which: int, steps: list[tuple[Any, ...]], end: str) -> None:
        wanted = model.Transaction(self.books, self.last)
        for step in steps:
            wanted.run(step)
        last: list[Any] = ["raise", "on purpose"]
        if end == "missing":
            last = ["delete", "books", 10**6]
        elif end == "invalid":
            last = ["insert", "books", {"title": "a"}]
        elif end == "remove" and wanted.books:
            last = ["patch", "books", min(wanted.books), {"title": None}]
        with pytest.raises(ValueError, match=r"on purpose|no document|missing"):
            do(self._engine(which), *wanted.calls, last)

    @rule(
        which=model.places,
        group=st.lists(
            st.tuples(st.lists(model.steps, max_size=3), st.booleans()), min_size=1, max_size=6
        ),
    )
    def mutate_together(self, which: int, group: list[tuple[list[Any], bool]]) -> None:
        engine, settled = self._engine(which), Settled()
        jobs, answers = [], []
        for steps, fails in group:
            wanted = model.Transaction(self.books, self.last)
            for step in steps:
                wanted.run(step)
            if fails:
                wanted.calls.append(["raise", "on purpose"])
            else:
                self.books, self.last = wanted.books, wanted.last
            answers.append(None if fails else wanted.answers)
            jobs.append(engine.prepare("test:write", {"steps": wanted.calls}, SERVICE, settled))
        engine.enqueue(jobs)
        settled.until(len(jobs))
        for job, (_, fails), wanted_answers in zip(jobs, group, answers):
            assert (job.error is not None) == fails
            assert same(job.value, wanted_answers)

    @rule(which=model.places, spec=model.specs(), count=st.integers(1, 5))
    def query(self, which: int, spec: Doc, count: int) -> None:
        engine = self._engine(which)
        found = model.expected(self.books, spec)
        assert same(ask(engine, **spec), found)
        assert same(ask(engine, **spec, count=count), found[:count])
        assert same(ask(engine, **spec, how="first"), found[0] if found else None)
        if len(found) > 1:
            with pytest.raises(ValueError, match="more than one"):
                ask(engine, **spec, how="unique")
        else:
            assert same(ask(engine, **spec, how="unique"), found[0] if found else None)

    @rule(
        which=model.places,
        spec=model.specs(),
        count=st.integers(1, 4),
        max_bytes=st.none() | st.sampled_from([1, 10]),
    )
    def paginate(self, which: int, spec: Doc, count: int, max_bytes: int | None) -> None:
        found = model.expected(self.books, spec)
        joined: list[Doc] = []
        cursor = None
        while True:
            call = {**spec, "how": "paginate", "count": count, "max_bytes": max_bytes}
            reply = ask(self._engine(which), **call, cursor=cursor)
            joined += reply["page"]
            cursor = reply["cursor"]
            assert len(reply["page"]) <= count
            assert reply["page"] or cursor is None
            if cursor is None:
                break
            which += 1  # a cursor is good for any engine
            if max_bytes is None:
                assert len(reply["page"]) == count
        assert same(joined, found)

    @rule(which=model.places, watched=watched_programs)
    def subscribe(self, which: int, watched: Program) -> None:
        self._watch(self._engine(which), watched)

    @precondition(lambda self: len(self.watches) > 2)
    @rule(which=model.places)
    def unsubscribe(self, which: int) -> None:
        _, _, inbox, stop = self.watches.pop(which % len(self.watches))
        stop()
        stop()
        inbox.outcomes.clear()
        for engine in self.open:
            settle(engine)
        inbox.outcomes.clear()  # what was on its way when it stopped
        do(self.open[0], ["insert", "shelves", {"name": "x"}])
        for engine in self.open:
            settle(engine)
        assert not inbox.outcomes

    @precondition(lambda self: self.on_disk)
    @rule(which=model.places)
    def reopen(self, which: int) -> None:
        position = which % len(self.open)
        closing = self.open[position]
        closing.close()
        self.open[position] = open_engine(self.path)
        watches, self.watches = self.watches, []
        for engine, watched, inbox, stop in watches:
            if engine is closing:
                inbox.until_error(StorageClosedError)
                self._watch(self.open[position], watched)
            else:
                self.watches.append((engine, watched, inbox, stop))

    @invariant()
    def totals_are_kept(self) -> None:
        for engine in self.open:
            assert ask(engine, how="totals") == model.totals(self.books)

    @invariant()
    def everything_watched_is_current(self) -> None:
        for engine in self.open:
            settle(engine)
        for engine, watched, inbox, _ in self.watches:
            value = answer(engine, watched)
            last = inbox.outcomes[-1] if inbox.outcomes else Outcome("never delivered")
            assert last == Outcome(value)


class FileMachine(EngineMachine):
    """The same on a file, which is closed and opened again."""

    on_disk = True


class TwoEnginesMachine(FileMachine):
    """The same with two engines on one file, each with its own subscriptions."""

    engines = 2


TestMemory = EngineMachine.TestCase
TestFile = FileMachine.TestCase
TestTwoEngines = TwoEnginesMachine.TestCase
TestMemory.settings = TestFile.settings = TestTwoEngines.settings = CHECKED


def test_the_model_orders_as_convex_does() -> None:
    values: list[Any] = [None, -math.inf, -1, 0.5, 2**53, math.inf, "", "\0", "a", "\u00fc"]
    assert sorted([*values[5:], *values[:5]], key=model.sort_key) == values
