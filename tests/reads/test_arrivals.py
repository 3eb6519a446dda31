"""Following against a server whose commits may be late, and whose positions overlap."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mastra_convex.reads.arrivals import OVERLAP, Arrivals, Following, Sweeps
from tests.reads.arriving import Doc, Server


class Late(RuleBasedStateMachine):
    """Commits that are late by up to ten seconds, deletions and looks, in any order."""

    held = True

    def __init__(self) -> None:
        super().__init__()
        self.server = Server(held=self.held)
        self.following = Following()
        self.now = 50_000.0
        self.count = 0
        for _ in range(4):
            self._commit("messages", 500)
        assert self.server.run(self.following.begin(0)) == []
        self.expected: list[str] = []
        self.given: list[str] = []

    def _commit(self, table: str, late: float) -> None:
        # No two at one time, and never more than ten seconds behind the newest.
        self.count += 1
        created = self.now - late * 0.999 + self.count * 1e-6
        self.server.commit(table, f"{table}{self.count}", created, self.now)

    @rule(
        table=st.sampled_from(["threads", "messages"]),
        late=st.one_of(st.just(0.0), st.floats(0, OVERLAP)),
        step=st.sampled_from([0.0, 1.0, 700.0, 12_000.0]),
    )
    def commit(self, table: str, late: float, step: float) -> None:
        """Somebody saves a record."""
        if late == 0:
            self.now += step
        self._commit(table, late)
        self.expected.append(f"{table}{self.count}")

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """Somebody deletes a record: told if it was seen before, but never twice."""
        table = data.draw(st.sampled_from(["threads", "messages"]))
        ids = [document["id"] for _, document in self.server.tables[table]]
        if ids:
            gone = data.draw(st.sampled_from(ids))
            self.server.delete(table, gone)
            if gone not in self.given and gone in self.expected:
                self.expected.remove(gone)

    @rule()
    def page(self) -> None:
        """The follower takes one answer."""
        found: Arrivals = self.server.run(self.following.more())
        self.given += [thread.id for thread in found.threads]
        self.given += [message.id for message in found.messages]

    @rule()
    def look(self) -> None:
        """The follower takes all there is: a sweep that had begun may have passed a late one."""
        self.given += self.server.rest(self.following)
        self.given += self.server.rest(self.following)
        assert sorted(self.given) == sorted(self.expected)

    @invariant()
    def nothing_comes_twice(self) -> None:
        """What was given stays given."""
        assert len(set(self.given)) == len(self.given)
        assert set(self.given) <= set(self.expected)


class LateAndUnheld(Late):
    """A server that goes back the whole overlap, wherever it was asked to begin."""

    held = False


TestLate = Late.TestCase
TestLate.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLateAndUnheld = LateAndUnheld.TestCase
TestLateAndUnheld.settings = TestLate.settings


@pytest.mark.parametrize("last", [0, 1, 3])
def test_what_is_there_is_no_news(last: int) -> None:
    server = Server()
    for n in range(5):
        server.commit("threads", f"t{n}", 40_000 + n, n)
        server.commit("messages", f"m{n}", 40_000 + n, n)
    following = Following()
    begun = server.run(following.begin(last))
    assert [message.id for message in begun] == [f"m{n}" for n in range(5 - last, 5)]
    assert server.rest(following) == []
    server.commit("messages", "late", 39_000, 9)
    assert server.rest(following) == ["late"]


def test_what_comes_while_it_begins_is_given_once() -> None:
    server = Server()
    server.commit("messages", "old", 40_000, 1)
    following = Following()
    read = following.begin(2)
    call = next(read)
    begun: list[str] = []
    try:
        while True:
            if call == ("messages:listArrived", {"limit": 2}):
                server.commit("messages", "between", 40_100, 2)
                server.commit("messages", "late", 39_000, 3)
            call = read.send(server.answer(*call))
    except StopIteration as stop:
        begun = [message.id for message in stop.value]
    assert begun == ["old", "between"]
    assert server.rest(following) == ["late"]


def test_one_that_takes_the_place_of_a_deleted_one_arrives() -> None:
    server, following = Server(), Following()
    server.run(following.begin(0))
    server.commit("messages", "m", 40_000, 1)
    assert server.rest(following) == ["m"]
    server.delete("messages", "m")
    server.commit("messages", "m", 40_001, 2)
    assert server.rest(following) == ["m"]


def test_only_what_may_come_again_is_kept_in_mind() -> None:
    server, sweeps = Server(page=10), Sweeps("messages")
    for second in range(200):
        server.commit("messages", f"m{second}", second * 1000.0, second)
        server.run(sweeps.rest())
        assert sweeps.remembered <= 20  # what the overlap holds, and a page


def test_nor_more_by_one_who_never_gets_to_the_end() -> None:
    server, sweeps = Server(page=10), Sweeps("messages")
    server.commit("messages", "first", 0.0, 0)
    server.run(sweeps.rest())
    for second in range(1, 200):
        server.commit("messages", f"m{second}", second * 1000.0, second)
    found: list[Doc] = []
    for second in range(200, 400):
        # More comes while it reads, and it never gets to the end.
        for n in range(10):
            server.commit("messages", f"m{second}-{n}", second * 1000.0 + n, second)
        new, done = server.run(sweeps.page())
        found += new
        assert not done
        assert sweeps.remembered <= 230
    assert len({document["id"] for document in found}) == len(found)


def test_positions_that_are_exact_leave_nothing_to_keep() -> None:
    server, following = Server(overlap=0), Following()
    server.run(following.begin(0))
    for n in range(1, 20):
        server.commit("messages", f"m{n}", n, 5)
        assert server.rest(following) == [f"m{n}"]
        # Saved anew, at the same time in the same place of a thread: a new record all the same.
        server.delete("messages", f"m{n}")
        server.commit("messages", f"m{n}", n + 0.5, 5)
        assert server.rest(following) == [f"m{n}"]
