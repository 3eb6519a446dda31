"""The hub: calls are shared, all is of one moment, and who is slow costs a number."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mastra_convex.backends import live as live_module
from mastra_convex.backends.base import NOBODY, Call, Caller, Rendered
from mastra_convex.backends.live import Hub, HubSet
from mastra_convex.errors import LimitExceededError
from mastra_convex.values.encoding import Int64
from mastra_convex.values.outcome import Outcome

SERVICE = Caller(service=True)


@dataclass
class Report:
    """What a feed tells."""

    ts: int
    turn: int
    changes: dict[int, Any] = field(default_factory=dict)


class Source:
    """A database of one value for each call and caller, which reports when it is told to."""

    def __init__(self) -> None:
        self.watched: dict[int, tuple[str, Caller]] = {}
        self.runs = 0
        self.ts = 1
        self.turn = 0
        self.values: dict[str, int] = {}
        self._told: dict[int, Rendered] = {}

    def watch(self, calls: Iterable[tuple[int, Call, Caller]]) -> int:
        for number, (path, _), caller in calls:
            assert number not in self.watched
            self.watched[number] = (path, caller)
        return self.ask()

    def drop(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            del self.watched[number]
            self._told.pop(number, None)

    def ask(self) -> int:
        self.turn += 1
        return self.turn

    def value(self, path: str, caller: Caller) -> Rendered:
        text = f"{path}={self.values.get(path, 0)}" if caller == SERVICE else "refused"
        return Rendered(text, text.encode(), len(text))

    def report(self) -> Report:
        changes = {}
        for number, (path, caller) in self.watched.items():
            rendered = self.value(path, caller)
            if self._told.get(number) != rendered:
                self.runs += 1
                changes[number] = self._told[number] = rendered
        return Report(self.ts, self.turn, changes)

    def write(self, path: str, value: int) -> int:
        self.ts += 1
        self.values[path] = value
        return self.ts


class Notified:
    """Counts how often it was called."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def texts(changes: dict[int, Rendered]) -> dict[int, str]:
    return {number: rendered.text for number, rendered in changes.items()}


def render(outcome: Outcome) -> Rendered:
    text = repr(outcome.error or outcome.value)
    return Rendered(text, text.encode(), len(text))


def opened() -> tuple[Source, Hub]:
    source = Source()
    return source, Hub(source, render)


def logged_in(hub: Hub) -> tuple[HubSet, Notified]:
    notified = Notified()
    live = HubSet(hub, notified)
    live.identify(SERVICE)
    return live, notified


def test_a_call_is_shared_by_all_who_watch_it_and_forgotten_with_them() -> None:
    source, hub = opened()
    lives = [logged_in(hub)[0] for _ in range(5)]
    for live in lives:
        live.add({0: ("a", {"x": 1, "y": 2}), 1: ("a", {"y": 2, "x": 1})})
    hub.report(source.report())
    assert len(source.watched) == source.runs == 1
    for live in lives:
        moment = live.take()
        assert moment is not None
        assert texts(moment.changes) == {0: "a=0", 1: "a=0"}
    for live in lives:
        live.remove([0])
        assert len(source.watched) == 1
        live.close()
    assert source.watched == {}


def test_nothing_is_given_before_its_turn() -> None:
    source, hub = opened()
    live, notified = logged_in(hub)
    live.add({0: ("a", {})})
    early = source.report()
    live.add({1: ("b", {})})
    assert (live.take(), notified.times) == (None, 0)
    hub.report(early)
    assert (live.take(), notified.times) == (None, 0)
    hub.report(source.report())
    moment = live.take()
    assert moment is not None
    assert texts(moment.changes) == {0: "a=0", 1: "b=0"}
    assert live.take() is None


def test_a_moment_that_is_expected_is_given_though_nothing_changed() -> None:
    source, hub = opened()
    live, notified = logged_in(hub)
    live.add({0: ("a", {})})
    hub.report(source.report())
    live.take()
    ts = source.write("other", 1)
    live.expect(ts)
    assert live.take() is None
    before = notified.times
    hub.report(source.report())
    assert notified.times == before + 1
    moment = live.take()
    assert moment is not None
    assert (moment.ts, moment.changes) == (ts, {})
    # What has been reached is given at once.
    live.expect(ts)
    assert notified.times == before + 2
    assert live.take() is not None


def test_the_slow_skip_and_end_at_the_last() -> None:
    source, hub = opened()
    live, _ = logged_in(hub)
    live.add({0: ("a", {})})
    hub.report(source.report())
    live.take()
    for value in range(1, 1000):
        source.write("a", value)
        hub.report(source.report())
    assert live.dirty == {0}
    moment = live.take()
    assert moment is not None
    assert texts(moment.changes) == {0: "a=999"}


def test_what_changed_back_is_not_told() -> None:
    source, hub = opened()
    live, _ = logged_in(hub)
    live.add({0: ("a", {})})
    hub.report(source.report())
    live.take()
    for value in (1, 0):
        source.write("a", value)
        hub.report(source.report())
    assert live.take() is None


def test_another_caller_asks_anew_and_is_told_what_differs() -> None:
    source, hub = opened()
    live = HubSet(hub, lambda: None)
    live.add({0: ("a", {})})
    hub.report(source.report())
    moment = live.take()
    assert moment is not None
    assert texts(moment.changes) == {0: "refused"}
    live.identify(SERVICE)
    assert live.take() is None
    hub.report(source.report())
    moment = live.take()
    assert moment is not None
    assert texts(moment.changes) == {0: "a=0"}
    assert len(source.watched) == 1


def test_a_report_of_what_was_dropped_meanwhile_is_nobodys() -> None:
    source, hub = opened()
    live, _ = logged_in(hub)
    live.add({0: ("a", {})})
    late = source.report()
    live.remove([0])
    hub.report(late)
    moment = live.take()
    assert moment is not None
    assert moment.changes == {}
    hub.report(source.report())
    assert live.take() is None


def test_an_outcome_that_is_not_there_yet_is_waited_for() -> None:
    source, hub = opened()
    live, notified = logged_in(hub)
    live.add({0: ("a", {})})
    full = source.report()
    hub.report(Report(full.ts, full.turn))  # the file was in trouble
    assert live.take() is None
    hub.report(full)
    assert notified.times == 2
    assert live.take() is not None


def test_arguments_of_every_kind_are_told_apart() -> None:
    source, hub = opened()
    live, _ = logged_in(hub)
    kinds: list[Any] = [1, "1", b"1", Int64(1), math.nan, {"a": 1}, [1], None, True]
    live.add({number: ("a", {"x": value}) for number, value in enumerate(kinds)})
    assert len(source.watched) == len(kinds)


def test_a_client_is_never_ahead_of_what_is_known_of_its_results() -> None:
    source, hub = opened()
    live, notified = logged_in(hub)
    live.add({number: (f"q{number}", {}) for number in range(40)})
    for known in (16, 32, 40):
        assert len(source.watched) == known
        assert live.take() is None
        assert notified.times == 0
        hub.report(source.report())
    assert notified.times == 1
    moment = live.take()
    assert moment is not None
    assert len(moment.changes) == 40
    # What others have had run is there at once.
    other, _ = logged_in(hub)
    other.add({number: (f"q{number}", {}) for number in range(40)})
    assert source.runs == 40
    hub.report(source.report())
    assert (other.take() or moment).changes == moment.changes


def test_what_is_too_much_is_refused_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "MAX_BYTES", 1000)
    source, hub = opened()
    live, _ = logged_in(hub)

    def refused() -> list[int]:
        hub.report(source.report())
        hub.report(source.report())
        moment = live.take()
        assert moment is not None
        return sorted(
            number
            for number, rendered in moment.changes.items()
            if LimitExceededError.__name__ in rendered.text
        )

    # The second is over the bound; the small ones after it are not.
    for path in ("q0", "q1"):
        source.values[path] = 10**600
    live.add({number: (f"q{number}", {}) for number in range(20)})
    assert refused() == [1]
    assert sorted(path for path, _ in source.watched.values()) == sorted(
        f"q{number}" for number in range(20) if number != 1
    )
    # So is one that grows; what shrinks makes room, but what was refused has to be asked for anew.
    source.write("q2", 10**600)
    assert refused() == [2]
    source.write("q0", 0)
    assert refused() == []
    live.remove([1, 2])
    live.add({2: ("q2", {})})
    assert refused() == []
    # Arguments count, and a login does not bring back what was refused.
    live.add({30: ("q3", {"text": "x" * 1000}), 31: ("q4", {})})
    assert refused() == [30]
    live.identify(NOBODY)
    assert refused() == []
    live.close()
    assert source.watched == {}


class AgainstTheSource(RuleBasedStateMachine):
    """Clients that come, ask, go and dawdle: each always ends at what is in the source."""

    def __init__(self) -> None:
        super().__init__()
        self.source, self.hub = opened()
        self.lives: list[HubSet] = []
        self.callers: list[Caller] = []
        self.known: list[dict[int, str]] = []
        self.asked: list[dict[int, str]] = []
        self.seen: list[int] = []

    @rule()
    def come(self) -> None:
        self.lives.append(HubSet(self.hub, lambda: None))
        self.callers.append(NOBODY)
        self.known.append({})
        self.asked.append({})
        self.seen.append(0)

    some = st.integers(0, 10)
    paths = st.sampled_from("abc")

    @precondition(lambda self: self.lives)
    @rule(which=some, number=st.integers(0, 3), path=paths)
    def add(self, which: int, number: int, path: str) -> None:
        which %= len(self.lives)
        if number not in self.asked[which]:
            self.lives[which].add({number: (path, {})})
            self.asked[which][number] = path

    @precondition(lambda self: self.lives)
    @rule(which=some, number=st.integers(0, 3))
    def remove(self, which: int, number: int) -> None:
        which %= len(self.lives)
        if number in self.asked[which]:
            self.lives[which].remove([number])
            del self.asked[which][number]
            self.known[which].pop(number, None)

    @precondition(lambda self: self.lives)
    @rule(which=some, caller=st.sampled_from([SERVICE, NOBODY]))
    def identify(self, which: int, caller: Caller) -> None:
        which %= len(self.lives)
        self.lives[which].identify(caller)
        self.callers[which] = caller

    @precondition(lambda self: self.lives)
    @rule(which=some)
    def go(self, which: int) -> None:
        which %= len(self.lives)
        self.lives.pop(which).close()
        for kept in (self.callers, self.known, self.asked, self.seen):
            kept.pop(which)

    @rule(path=paths, value=st.integers(0, 2))
    def write(self, path: str, value: int) -> None:
        self.source.write(path, value)

    @rule()
    def report(self) -> None:
        self.hub.report(self.source.report())

    @precondition(lambda self: self.lives)
    @rule(which=some)
    def take(self, which: int) -> None:
        which %= len(self.lives)
        moment = self.lives[which].take()
        if moment is not None:
            assert moment.ts >= self.seen[which]
            assert moment.changes.keys() <= self.asked[which].keys()
            told = texts(moment.changes)
            # What is told differs from what was told before.
            assert all(self.known[which].get(n) != text for n, text in told.items())
            self.seen[which] = moment.ts
            self.known[which].update(told)

    @rule()
    def settle(self) -> None:
        self.report()
        for which in range(len(self.lives)):
            self.take(which)
            assert self.known[which] == {
                number: self.source.value(path, self.callers[which]).text
                for number, path in self.asked[which].items()
            }

    @invariant()
    def what_is_counted_is_what_is_there(self) -> None:
        for live in self.lives:
            assert live._bytes == sum(watched.size for watched in live._queries.values())

    @invariant()
    def what_nobody_watches_is_forgotten(self) -> None:
        wanted = {
            (path, caller)
            for asked, caller in zip(self.asked, self.callers)
            for path in asked.values()
        }
        assert sorted(map(repr, self.source.watched.values())) == sorted(map(repr, wanted))


AgainstTheSource.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, derandomize=True
)
test_against_the_source = AgainstTheSource.TestCase
