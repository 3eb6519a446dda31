"""The client's half of the sync protocol, message by message."""

import json
from typing import Any

import pytest

from mastra_convex.errors import (
    ConflictError,
    DeploymentError,
    FunctionNotFoundError,
    InvalidArgumentError,
    UnauthenticatedError,
)
from mastra_convex.protocol.client_session import ClientSession
from mastra_convex.protocol.codec import MalformedMessageError, encode_server_message
from mastra_convex.protocol.messages import (
    NO_DATA,
    Add,
    Authenticate,
    AuthError,
    ClientMessage,
    Connect,
    FatalError,
    ModifyQuerySet,
    MutationDone,
    Ping,
    QueryFailed,
    QueryRemoved,
    QueryUpdated,
    Remove,
    ServerMessage,
    Transition,
    TransitionChunk,
    Version,
)
from mastra_convex.values.encoding import Int64, encode

ID = "5f0d3c1e-0000-4000-8000-000000000001"
URL = "https://a.convex.cloud"
NOW = 1764000000000


class Wire:
    """A session, and the server at its other end."""

    def __init__(self) -> None:
        self.session = ClientSession(ID, URL)
        self.version = Version()

    def open(self, token: str | None = "token") -> list[ClientMessage]:
        self.version = Version()
        return self.session.opening(token, NOW)

    def send(self, message: ServerMessage) -> set[int] | None:
        return self.session.receive(encode_server_message(message))

    def transition(
        self, ts: int, *changes: Any, query_set: int = 1, identity: int = 1
    ) -> set[int] | None:
        start, self.version = self.version, Version(query_set, identity, ts)
        return self.send(Transition(start, self.version, changes))

    def settled(self) -> bool:
        return self.session.settled

    def value(self, query_id: int) -> Any:
        outcome = self.session.outcome(query_id)
        assert outcome is not None
        assert outcome.error is None
        return outcome.value

    def error(self, query_id: int) -> Exception:
        outcome = self.session.outcome(query_id)
        assert outcome is not None
        assert outcome.error is not None
        return outcome.error


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_a_connection_says_who_it_is_and_what_it_watches(wire: Wire) -> None:
    wire.session.hold("threads:get", {"id": "t"})
    assert wire.session.changes() == []  # there is nobody to say it to
    assert wire.open() == [
        Connect(ID, 0, "InitialConnect", None, NOW),
        Authenticate(0, "User", "token"),
        ModifyQuerySet(0, 1, (Add(0, "threads:get", [{"id": "t"}]),)),
    ]
    assert wire.session.changes() == []
    assert wire.session.outcome(0) is None


def test_without_a_token_nothing_is_said_of_one(wire: Wire) -> None:
    assert wire.open(None)[1:] == [ModifyQuerySet(0, 1)]
    assert not wire.settled()
    wire.transition(5, identity=0)
    assert wire.settled()


def test_equal_calls_are_one_query(wire: Wire) -> None:
    wire.open()
    first = wire.session.hold("a:b", {"x": 1, "y": 2})
    assert wire.session.hold("a:b", {"y": 2, "x": 1}) == first
    other = wire.session.hold("a:b", {"x": 1})
    assert other != first
    assert wire.session.changes() == [
        ModifyQuerySet(1, 2, (Add(first, "a:b", [{"x": 1, "y": 2}]), Add(other, "a:b", [{"x": 1}])))
    ]
    wire.session.release(first)
    assert wire.session.changes() == []
    wire.session.release(first)
    assert wire.session.changes() == [ModifyQuerySet(2, 3, (Remove(first),))]
    assert wire.session.hold("a:b", {"x": 1, "y": 2}) not in {first, other}


def test_what_was_never_said_is_not_taken_back(wire: Wire) -> None:
    wire.open()
    wire.session.release(wire.session.hold("a:b", {}))
    assert wire.session.changes() == []


def test_arguments_that_are_no_convex_value_are_refused(wire: Wire) -> None:
    with pytest.raises(InvalidArgumentError):
        wire.session.hold("a:b", {"x": 2**60})


def test_a_transition_brings_results(wire: Wire) -> None:
    one, two = wire.session.hold("a:one", {}), wire.session.hold("a:two", {})
    wire.open()
    assert not wire.settled()
    value = {"n": Int64(5), "x": [1.5, b"b"]}
    found = wire.transition(7, QueryUpdated(one, encode(value)), QueryUpdated(two, None))
    assert found == {one, two}
    assert wire.settled()
    assert wire.value(one) == value
    assert wire.value(two) is None
    assert wire.transition(8, QueryUpdated(two, "new")) == {two}
    assert wire.value(one) == value
    assert wire.transition(9) == set()


def test_a_result_that_is_sent_again_is_no_change(wire: Wire) -> None:
    one = wire.session.hold("a:one", {})
    wire.open()
    assert wire.transition(1, QueryUpdated(one, [1])) == {one}
    assert wire.transition(2, QueryUpdated(one, [1])) == set()
    failed = QueryFailed(one, "no", encode(ConflictError("no", id="x").to_wire()))
    assert wire.transition(3, failed) == {one}
    assert wire.transition(4, failed) == set()
    assert wire.transition(5, QueryUpdated(one, [1])) == {one}


def test_an_error_is_what_the_function_raised(wire: Wire) -> None:
    one = wire.session.hold("a:one", {})
    wire.open()
    wire.transition(1, QueryFailed(one, "x", ConflictError("it is taken", id="t").to_wire()))
    error = wire.error(one)
    assert isinstance(error, ConflictError)
    assert (error.message, error.data) == ("it is taken", {"id": "t"})
    wire.transition(2, QueryFailed(one, "Could not find public function for 'a:one'", NO_DATA))
    assert isinstance(wire.error(one), FunctionNotFoundError)
    wire.transition(3, QueryFailed(one, "[Request ID: 1] Server Error", NO_DATA))
    assert type(wire.error(one)) is DeploymentError


def test_what_was_let_go_may_still_be_told_of(wire: Wire) -> None:
    one = wire.session.hold("a:one", {})
    wire.open()
    wire.session.release(one)
    assert wire.transition(1, QueryUpdated(one, 1)) == set()
    assert wire.transition(2, QueryRemoved(one), query_set=2) == set()


def test_messages_that_are_not_for_us_change_nothing(wire: Wire) -> None:
    wire.open()
    assert wire.send(Ping()) is None
    assert wire.send(MutationDone(0, None, 5)) is None


def test_a_transition_from_elsewhere_ends_the_connection(wire: Wire) -> None:
    wire.open()
    wire.transition(5)
    for start in (Version(), Version(1, 1, 4), Version(2, 1, 5), Version(1, 0, 5)):
        with pytest.raises(MalformedMessageError, match="a transition from"):
            wire.send(Transition(start, Version(2, 2, 9)))


def test_nonsense_ends_the_connection(wire: Wire) -> None:
    wire.open()
    for text in ("", "[]", '{"type": "Surprise"}'):
        with pytest.raises(MalformedMessageError):
            wire.session.receive(text)


def test_a_new_connection_begins_again_and_remembers(wire: Wire) -> None:
    one, gone = wire.session.hold("a:one", {}), wire.session.hold("a:gone", {})
    wire.open()
    wire.transition(7, QueryUpdated(one, 1), QueryUpdated(gone, 1))
    wire.session.disconnected("broken")
    assert not wire.settled()
    assert wire.session.outcome(one) is None  # nobody knows whether it still holds
    wire.session.release(gone)
    two = wire.session.hold("a:two", {})
    assert wire.session.changes() == []
    assert wire.open("newer") == [
        Connect(ID, 1, "broken", 7, NOW),
        Authenticate(0, "User", "newer"),
        ModifyQuerySet(0, 1, (Add(one, "a:one", [{}]), Add(two, "a:two", [{}]))),
    ]
    # The token is confirmed before the queries are answered.
    assert wire.transition(8, query_set=0) == set()
    assert not wire.settled()
    assert wire.session.outcome(one) is None
    found = wire.transition(9, QueryUpdated(one, 1), QueryUpdated(two, 2))
    assert found == {two}
    assert wire.settled()
    assert (wire.value(one), wire.value(two)) == (1, 2)
    wire.session.disconnected("again")
    assert isinstance(connect := wire.open()[0], Connect)
    assert (connect.connection_count, connect.max_observed) == (2, 9)


def test_the_newest_timestamp_is_kept(wire: Wire) -> None:
    wire.open()
    wire.transition(9)
    wire.session.disconnected("x")
    wire.open()
    wire.transition(3)  # a server that forgot
    wire.session.disconnected("x")
    assert wire.open()[0] == Connect(ID, 2, "x", 9, NOW)


def test_a_token_is_exchanged_while_connected(wire: Wire) -> None:
    wire.open()
    wire.transition(1)
    assert wire.session.authenticate("next") == Authenticate(1, "User", "next")
    assert not wire.settled()
    wire.transition(2, identity=2)
    assert wire.settled()


def test_a_refused_token_ends_the_connection(wire: Wire) -> None:
    wire.open()
    with pytest.raises(UnauthenticatedError, match="does not accept the token: expired") as caught:
        wire.send(AuthError("expired", 0, True))
    assert caught.value.data == {"url": URL}
    wire.session.disconnected("AuthError")
    wire.open()
    wire.transition(1)
    with pytest.raises(UnauthenticatedError):  # it expired later
        wire.send(AuthError("expired", 1, False))


def test_an_error_about_an_older_token_is_outdated(wire: Wire) -> None:
    wire.open()
    wire.transition(1)
    wire.session.authenticate("second")
    # The first one expired while the second was on its way.
    assert wire.send(AuthError("expired", 1, False)) is None
    wire.session.authenticate("third")
    assert wire.send(AuthError("refused", 1, True)) is None
    with pytest.raises(UnauthenticatedError):
        wire.send(AuthError("refused", 2, True))


def test_a_fatal_error_ends_the_connection(wire: Wire) -> None:
    wire.open()
    with pytest.raises(DeploymentError, match=r"ended the connection: you are wrong"):
        wire.send(FatalError("you are wrong"))


def pieces(text: str, size: int) -> list[TransitionChunk]:
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    return [TransitionChunk(part, n, len(parts), "x") for n, part in enumerate(parts)]


def test_a_transition_in_pieces(wire: Wire) -> None:
    one = wire.session.hold("a:one", {})
    wire.open()
    whole = Transition(Version(), Version(1, 1, 5), (QueryUpdated(one, "long" * 10),))
    *first, last = pieces(encode_server_message(whole), 40)
    for piece in first:
        assert wire.send(piece) is None
        assert wire.send(Ping()) is None
    assert wire.send(last) == {one}
    assert wire.value(one) == "long" * 10
    # The next one, too.
    again = encode_server_message(Transition(Version(1, 1, 5), Version(1, 1, 6)))
    assert [wire.send(piece) for piece in pieces(again, 60)][-1] == set()


@pytest.mark.parametrize(
    "wrong",
    [
        [TransitionChunk("a", 1, 3, "x")],
        [TransitionChunk("a", 0, 3, "x"), TransitionChunk("b", 2, 3, "x")],
        [TransitionChunk("a", 0, 3, "x"), TransitionChunk("b", 1, 3, "y")],
        [TransitionChunk("a", 0, 3, "x"), TransitionChunk("b", 1, 2, "x")],
        [TransitionChunk('{"type":"Ping"}', 0, 1, "x")],
        [TransitionChunk("{", 0, 1, "x")],
    ],
)
def test_pieces_that_do_not_fit_end_the_connection(
    wire: Wire, wrong: list[TransitionChunk]
) -> None:
    wire.open()
    for piece in wrong[:-1]:
        assert wire.send(piece) is None
    with pytest.raises(MalformedMessageError):
        wire.send(wrong[-1])


def test_pieces_do_not_outlive_their_connection(wire: Wire) -> None:
    wire.open()
    whole = json.dumps(json.loads(encode_server_message(Transition(Version(), Version(1, 1, 5)))))
    first, *_ = pieces(whole, 40)
    wire.send(first)
    wire.session.disconnected("x")
    wire.open()
    assert [wire.send(piece) for piece in pieces(whole, 40)][-1] == set()
