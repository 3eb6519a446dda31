"""Read programs over a session: when they run, what they hold, what they deliver."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from mastra_convex.errors import ConflictError, UnreachableError
from mastra_convex.protocol.client_session import ClientSession
from mastra_convex.protocol.codec import encode_server_message
from mastra_convex.protocol.live_reads import LiveRead, LiveReads, Read
from mastra_convex.protocol.messages import (
    Add,
    ModifyQuerySet,
    QueryFailed,
    QueryUpdated,
    Remove,
    Transition,
    Version,
)
from mastra_convex.values.outcome import Outcome


class Server:
    """Answers the queries of a session from a dictionary of paths."""

    def __init__(self) -> None:
        self.session = ClientSession("5f0d3c1e-0000-4000-8000-000000000001", "http://x")
        self.reads = LiveReads(self.session, "sub/")
        self.values: dict[str, Any] = {}
        self.watched: dict[int, str] = {}
        self.version = Version()

    def connect(self) -> None:
        self.version = Version()
        self.watched = {}
        self._take(self.session.opening(None, 0)[-1])

    def _take(self, message: Any) -> None:
        assert isinstance(message, ModifyQuerySet)
        for change in message.modifications:
            if isinstance(change, Add):
                self.watched[change.query_id] = change.path
            else:
                assert isinstance(change, Remove)
                del self.watched[change.query_id]
        self.query_set = message.new_version

    def step(self) -> None:
        """Take what the session says, and answer all of it in one transition."""
        for message in self.session.changes():
            self._take(message)
        changes = []
        for query_id, path in self.watched.items():
            value = self.values.get(path)
            if isinstance(value, ConflictError):
                changes.append(QueryFailed(query_id, "x", value.to_wire()))
            else:
                changes.append(QueryUpdated(query_id, value))  # type: ignore[arg-type]
        start = self.version
        self.version = Version(self.query_set, 0, start.ts + 1)
        text = encode_server_message(Transition(start, self.version, changes))
        changed = self.session.receive(text)
        assert changed is not None
        self.reads.moved(changed)


@pytest.fixture
def server() -> Server:
    return Server()


def one(path: str) -> Callable[[], Read]:
    def read() -> Read:
        return (yield path, {})

    return read


def start(server: Server, read: Callable[[], Read]) -> tuple[LiveRead, list[Outcome]]:
    got: list[Outcome] = []
    live = LiveRead(read, got.append)
    server.reads.add(live)
    return live, got


def test_a_value_comes_first_and_then_each_change(server: Server) -> None:
    server.values["sub/a:b"] = 1
    _, got = start(server, one("a:b"))
    server.connect()
    assert got == []
    server.step()
    server.step()
    server.values["sub/a:b"] = 2
    server.step()
    assert got == [Outcome(1), Outcome(2)]


def test_what_is_known_is_delivered_at_once(server: Server) -> None:
    server.connect()
    start(server, one("a:b"))
    server.step()
    _, got = start(server, one("a:b"))
    assert got == [Outcome(None)]
    assert list(server.watched.values()) == ["sub/a:b"]


def test_a_program_waits_for_its_calls_one_after_another(server: Server) -> None:
    def chain() -> Read:
        following = yield "a:first", {}
        value = yield following, {}
        return [following, value]

    server.values |= {"sub/a:first": "a:x", "sub/a:x": 1, "sub/a:y": 2}
    server.connect()
    live, got = start(server, chain)
    server.step()
    assert got == []
    server.step()
    assert got == [Outcome(["a:x", 1])]
    # It goes on to another call; what it does not ask any more is let go.
    server.values["sub/a:first"] = "a:y"
    server.step()
    assert sorted(server.watched.values()) == ["sub/a:first", "sub/a:x"]
    server.step()
    assert got[1:] == [Outcome(["a:y", 2])]
    server.step()
    assert sorted(server.watched.values()) == ["sub/a:first", "sub/a:y"]
    server.reads.remove(live)
    server.step()
    assert server.watched == {}


def test_what_waits_is_run_with_the_newest_of_all(server: Server) -> None:
    def pair() -> Read:
        first = yield "a:first", {}
        second = yield "a:second", {}
        return (first, second)

    server.connect()
    server.values = {"sub/a:first": 1, "sub/a:second": 1}
    _, got = start(server, pair)
    server.step()
    server.values = {"sub/a:first": 2, "sub/a:second": 2}
    server.step()
    assert got == [Outcome((2, 2))]


def test_an_error_is_raised_in_the_program(server: Server) -> None:
    def careful() -> Read:
        try:
            return (yield "a:b", {})
        except ConflictError as error:
            return error.message

    server.connect()
    server.values["sub/a:b"] = ConflictError("no")
    _, got = start(server, careful)
    _, raised = start(server, one("a:b"))
    server.step()
    assert got == [Outcome("no")]
    assert isinstance(raised[0].error, ConflictError)
    server.values["sub/a:b"] = 1
    server.step()
    assert got[1:] == raised[1:] == [Outcome(1)]


def test_a_program_that_cannot_begin_delivers_its_error(server: Server) -> None:
    def wrong() -> Read:
        raise KeyError("a mistake")
        yield "a:b", {}  # type: ignore[unreachable]

    _, got = start(server, wrong)
    assert isinstance(got[0].error, KeyError)


def test_after_a_lost_connection_only_changes_are_told(server: Server) -> None:
    server.values = {"sub/a:one": 1, "sub/a:two": 1}
    server.connect()
    _, stays = start(server, one("a:one"))
    _, moves = start(server, one("a:two"))
    server.step()
    server.session.disconnected("x")
    _, late = start(server, one("a:one"))
    assert late == []
    server.values["sub/a:two"] = 2
    server.connect()
    server.step()
    assert stays == late == [Outcome(1)]
    assert moves == [Outcome(1), Outcome(2)]


def test_an_error_of_the_connection_is_followed_by_the_value(server: Server) -> None:
    server.connect()
    _, got = start(server, one("a:b"))
    server.step()
    _, waiting = start(server, one("a:c"))
    gone = UnreachableError("gone")
    server.reads.tell_all(gone, unanswered=True)
    assert (got, waiting) == ([Outcome(None)], [Outcome(error=gone)])
    server.reads.tell_all(gone)
    server.session.disconnected("x")
    server.connect()
    server.step()
    assert got == [Outcome(None), Outcome(error=gone), Outcome(None)]
    assert waiting == [Outcome(error=gone), Outcome(error=gone), Outcome(None)]


def test_nothing_is_told_after_the_end(server: Server) -> None:
    server.connect()
    live, got = start(server, one("a:b"))
    live.active = False
    server.step()
    assert got == []
    assert len(server.reads) == 1
    server.reads.remove(live)
    server.reads.remove(live)
    assert len(server.reads) == 0


def test_a_receiver_that_raises_harms_no_other(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_outcome: Outcome) -> None:
        raise RuntimeError("a mistake of the receiver")

    server.connect()
    server.reads.add(LiveRead(one("a:b"), fail))
    _, got = start(server, one("a:b"))
    with caplog.at_level(logging.ERROR, "mastra_convex"):
        server.step()
    assert got == [Outcome(None)]
    assert "could not be told" in caplog.text
