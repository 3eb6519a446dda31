"""The server's half of a connection, as text: what goes in, what is to be done, what comes out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mastra_convex.errors import ConflictError
from mastra_convex.protocol import failures, server_session
from mastra_convex.protocol.codec import encode_ts
from mastra_convex.protocol.failures import Failure
from mastra_convex.protocol.server_session import (
    Close,
    Identify,
    Refuse,
    Run,
    Send,
    ServerSession,
    Watch,
    Work,
    arguments,
    outcome_text,
)
from mastra_convex.values.encoding import Int64

SESSION = "5f0d1b9e-0000-4000-8000-000000000000"


def connect(**more: Any) -> dict[str, Any]:
    return {
        "type": "Connect",
        "sessionId": SESSION,
        "connectionCount": 0,
        "lastCloseReason": "InitialConnect",
        "clientTs": 0,
        **more,
    }


def add(query_id: int, path: str = "m:q", args: Any = None) -> dict[str, Any]:
    return {"type": "Add", "queryId": query_id, "udfPath": path, "args": args or [{}]}


def remove(query_id: int) -> dict[str, Any]:
    return {"type": "Remove", "queryId": query_id}


def modify(base: int, new: int, *changes: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "ModifyQuerySet",
        "baseVersion": base,
        "newVersion": new,
        "modifications": list(changes),
    }


def mutation(request_id: int, **more: Any) -> dict[str, Any]:
    call = {"requestId": request_id, "udfPath": "m:save", "args": [{"a": 1}]}
    return {"type": "Mutation", **call, **more}


def tell(session: ServerSession, *bodies: dict[str, Any]) -> list[Work]:
    return [work for body in bodies for work in session.receive(json.dumps(body))]


def sent(todo: list[Work]) -> list[Any]:
    """What is sent, parsed; nothing else may be to do."""
    assert all(isinstance(work, Send) for work in todo)
    return [json.loads(work.text) for work in todo if isinstance(work, Send)]


def version(query_set: int, identity: int, ts: int) -> dict[str, Any]:
    return {"querySet": query_set, "identity": identity, "ts": encode_ts(ts)}


def plain() -> ServerSession:
    return ServerSession(chunks=False)


def test_queries_are_watched_and_told() -> None:
    session = plain()
    todo = tell(session, connect(), modify(0, 1, add(0), add(1, "m.js:other", [{"b": 2}])))
    assert todo == [Watch((), {0: ("m:q", {}), 1: ("m:other", {"b": 2})})]
    failed = outcome_text(None, ConflictError("no"))
    [transition] = sent(session.transition(7, {0: outcome_text([1], None), 1: failed}))
    assert transition["startVersion"] == version(0, 0, 0)
    assert transition["endVersion"] == version(1, 0, 7)
    updated, refused = transition["modifications"]
    assert updated == {
        "type": "QueryUpdated",
        "queryId": 0,
        "value": [1],
        "logLines": [],
        "journal": None,
    }
    assert refused["type"] == "QueryFailed"
    assert refused["queryId"] == 1
    assert refused["errorData"]["code"] == "CONFLICT"
    assert refused["logLines"] == []


def test_every_transition_begins_where_the_last_one_ended() -> None:
    session = plain()
    tell(session, connect(), modify(0, 3))
    [first] = sent(session.transition(5, {}))
    session.identified()
    [second] = sent(session.transition(5, {}))
    [third] = sent(session.transition(9, {}))
    assert first["endVersion"] == second["startVersion"] == version(3, 0, 5)
    assert second["endVersion"] == third["startVersion"] == version(3, 1, 5)
    assert third["endVersion"] == version(3, 1, 9)


def test_queries_go() -> None:
    session = plain()
    tell(session, modify(0, 1, add(0), add(1)))
    session.transition(1, {})
    assert tell(session, modify(1, 2, remove(0))) == [Watch((0,), {})]
    [transition] = sent(session.transition(2, {}))
    assert transition["modifications"] == [{"type": "QueryRemoved", "queryId": 0}]
    [after] = sent(session.transition(3, {}))
    assert after["modifications"] == []


def test_a_query_may_come_and_go_and_come_in_one_message() -> None:
    session = plain()
    assert tell(session, modify(0, 1, add(0), remove(0))) == [Watch((), {})]
    todo = tell(session, modify(1, 2, add(0), remove(0), add(0, "m:x")))
    assert todo == [Watch((), {0: ("m:x", {})})]
    assert tell(session, modify(2, 3, remove(0), add(0, "m:y"))) == [Watch((0,), {0: ("m:y", {})})]
    [transition] = sent(session.transition(1, {0: outcome_text(1, None)}))
    assert [change["type"] for change in transition["modifications"]] == ["QueryUpdated"]


def test_a_query_whose_arguments_are_none_fails_alone() -> None:
    session = plain()
    assert tell(session, modify(0, 1, add(0, args=[{}, {}]), add(1))) == [
        Watch((), {1: ("m:q", {})})
    ]
    [transition] = sent(session.transition(1, {1: outcome_text(None, None)}))
    failed, updated = transition["modifications"]
    assert (failed["type"], failed["queryId"]) == ("QueryFailed", 0)
    assert failed["errorData"]["code"] == "INVALID_ARGUMENT"
    assert updated["queryId"] == 1
    # It is nobody's to unwatch.
    assert tell(session, modify(1, 2, remove(0))) == [Watch((), {})]


def test_more_queries_than_a_connection_may_have_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_session, "MAX_QUERIES", 2)
    session = plain()
    [watch] = tell(session, modify(0, 1, add(0), add(1), add(2)))
    assert isinstance(watch, Watch)
    assert list(watch.added) == [0, 1]
    [transition] = sent(session.transition(1, {}))
    [failed] = transition["modifications"]
    assert failed["errorData"]["code"] == "LIMIT_EXCEEDED"
    # With room again, the next one is watched.
    assert tell(session, modify(1, 2, remove(0), remove(2), add(3))) == [
        Watch((0,), {3: ("m:q", {})})
    ]


@pytest.mark.parametrize(
    "body", [modify(1, 2), modify(0, 0), {"type": "Nonsense"}, {}], ids=["base", "new", "type", ""]
)
def test_who_breaks_the_protocol_is_ended_for_good(body: dict[str, Any]) -> None:
    session = plain()
    fatal, close = tell(session, body)
    assert isinstance(fatal, Send)
    assert json.loads(fatal.text)["type"] == "FatalError"
    assert close == Close(1000)
    assert tell(session, modify(0, 1)) == []


@pytest.mark.parametrize(
    "bodies",
    [
        [modify(0, 1, add(0)), modify(1, 2, add(0))],
        [modify(0, 1, remove(0))],
        [{"type": "Authenticate", "baseVersion": 1, "tokenType": "None"}],
    ],
    ids=["live", "unknown", "identity"],
)
def test_who_has_lost_count_is_to_connect_again(bodies: list[dict[str, Any]]) -> None:
    session = plain()
    assert tell(session, *bodies)[-1] == Close(1011, "InternalServerError")
    assert tell(session, connect()) == []


def test_mutations_are_run_under_the_name_of_their_request() -> None:
    session = plain()
    assert tell(session, mutation(0)) == [Run(0, "m:save", {"a": 1}, None)]
    tell(session, connect())
    assert tell(session, mutation(1)) == [Run(1, "m:save", {"a": 1}, (SESSION, 1))]
    assert json.loads(session.mutation_done(1, {"n": Int64(1)}, 9)) == {
        "type": "MutationResponse",
        "requestId": 1,
        "success": True,
        "result": {"n": {"$integer": "AQAAAAAAAAA="}},
        "ts": encode_ts(9),
        "logLines": [],
    }
    assert json.loads(session.mutation_failed(0, Failure("no"))) == {
        "type": "MutationResponse",
        "requestId": 0,
        "success": False,
        "result": "no",
        "ts": None,
        "logLines": [],
    }


def test_a_path_that_is_none_is_a_function_that_is_not_there() -> None:
    assert tell(plain(), mutation(0, udfPath="a b")) == [Run(0, "a b", {"a": 1}, None)]


def test_a_mutation_whose_arguments_are_none_is_refused_in_its_turn() -> None:
    session = plain()
    [refuse] = tell(session, connect(), mutation(4, args=[{"$x": 1}]))
    assert isinstance(refuse, Refuse)
    assert refuse.request_id == 4
    assert f"[Request ID: {session.error_id(4)}]" in refuse.failure.message
    assert refuse.failure.data["code"] == "INVALID_ARGUMENT"


def test_the_name_of_a_request_in_error_texts() -> None:
    session = plain()
    tell(session, connect())
    other = plain()
    tell(other, connect())
    assert session.error_id(1) == other.error_id(1) != session.error_id(2)
    assert len(session.error_id(1)) == 16


def test_too_many_mutations_end_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_session, "MAX_MUTATIONS", 2)
    session = plain()
    tell(session, connect(), mutation(0), mutation(1, args=5 * [{}]))
    session.mutation_done(0, None, 1)
    assert len(tell(session, mutation(2))) == 1
    assert tell(session, mutation(3)) == [Close(1013, "TooManyConcurrentMutations")]


def test_a_result_that_cannot_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "MAX_VALUE_BYTES", 8)
    assert "LIMIT_EXCEEDED" in outcome_text("x" * 9, None)
    # A mutation's has happened.
    assert "x" * 9 in plain().mutation_done(0, "x" * 9, 1)
    assert "is of type set" in outcome_text({1}, None)


def test_actions_are_refused_at_once() -> None:
    call = {"type": "Action", "requestId": 5, "udfPath": "m:save", "args": [{}]}
    [answer] = sent(tell(plain(), call))
    assert answer["type"] == "ActionResponse"
    assert answer["success"] is False
    assert "only queries and mutations" in answer["result"]
    assert "ts" not in answer


def test_events_are_ignored() -> None:
    assert tell(plain(), {"type": "Event", "eventType": "Anything", "event": {"a": 1}}) == []


def test_who_it_is_counts_up() -> None:
    session = plain()
    user = {"type": "Authenticate", "baseVersion": 0, "tokenType": "User", "value": "jwt"}
    assert tell(session, user) == [Identify("User", "jwt")]
    session.identified()
    admin = {
        "type": "Authenticate",
        "baseVersion": 1,
        "tokenType": "Admin",
        "value": "n|s",
        "impersonating": {"subject": "u"},
    }
    assert tell(session, admin) == [Identify("Admin", "n|s", {"subject": "u"})]
    session.identified()
    assert tell(session, {"type": "Authenticate", "baseVersion": 2, "tokenType": "None"}) == [
        Identify("None")
    ]
    session.identified()
    [transition] = sent(session.transition(1, {}))
    assert transition["endVersion"] == version(0, 3, 1)


@pytest.mark.parametrize("attempted", [True, False])
def test_who_is_not_who_it_says_is_ended(attempted: bool) -> None:
    session = plain()
    session.identified()
    error, close = session.refuse("expired", attempted=attempted)
    assert isinstance(error, Send)
    assert json.loads(error.text) == {
        "type": "AuthError",
        "error": "expired",
        "baseVersion": 1,
        "authUpdateAttempted": attempted,
    }
    assert close == Close(1000)
    assert tell(session, connect()) == []


def test_a_client_from_the_future_is_sent_away() -> None:
    session = plain()
    tell(session, connect(maxObservedTimestamp=encode_ts(10)), modify(0, 1))
    assert session.transition(9, {}) == [Close(1011, "InternalServerError")]
    again = plain()
    tell(again, connect(maxObservedTimestamp=encode_ts(10)), modify(0, 1))
    assert len(sent(again.transition(10, {}))) == 1


def test_large_transitions_go_in_pieces_to_those_who_know_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_session, "CHUNK", 100)
    outcomes = {0: outcome_text("\u00fc" * 300, None)}
    session = ServerSession(chunks=True)
    tell(session, modify(0, 1, add(0)))
    pieces = sent(session.transition(1, outcomes))
    assert [piece["partNumber"] for piece in pieces] == list(range(len(pieces)))
    assert {piece["totalParts"] for piece in pieces} == {len(pieces)}
    assert {piece["transitionId"] for piece in pieces} == {"1"}
    whole = json.loads("".join(piece["chunk"] for piece in pieces))
    assert whole["modifications"][0]["value"] == "\u00fc" * 300
    other = plain()
    tell(other, modify(0, 1, add(0)))
    assert sent(other.transition(1, outcomes)) == [whole]


def test_a_small_transition_goes_whole() -> None:
    [only] = sent(ServerSession(chunks=True).transition(1, {}))
    assert only["type"] == "Transition"


@pytest.mark.parametrize("args", [[{"a": 1}], {"a": 1}])
def test_arguments(args: Any) -> None:
    assert arguments(args) == {"a": 1}
