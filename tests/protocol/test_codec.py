"""Every message comes back from its text, and what is none is refused without a word of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mastra_convex.protocol.codec import (
    MalformedMessageError,
    decode_ts,
    encode_client_message,
    encode_modification,
    encode_server_message,
    encode_ts,
    parse_client_message,
    parse_server_message,
)
from mastra_convex.protocol.messages import (
    NO_DATA,
    Action,
    ActionDone,
    Add,
    Authenticate,
    AuthError,
    ClientMessage,
    Connect,
    Event,
    FatalError,
    ModifyQuerySet,
    Mutation,
    MutationDone,
    Ping,
    QueryFailed,
    QueryRemoved,
    QueryUpdated,
    Remove,
    RequestFailed,
    ServerMessage,
    Transition,
    TransitionChunk,
    Version,
)
from mastra_convex.values.encoding import JsonText

CHECKED = settings(max_examples=150, deadline=None, derandomize=True)

u32 = st.integers(0, 2**32 - 1)
ts = st.integers(0, 2**63 - 1)
texts = st.text(st.characters(codec="utf-8"), max_size=6)
maybe_text = st.none() | texts
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.just(1.5) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
args = st.lists(st.dictionaries(texts, json_values, max_size=3), max_size=1)
lines = st.lists(texts, max_size=2).map(tuple)
data = st.just(NO_DATA) | json_values

adds = st.builds(Add, u32, texts, args, maybe_text, maybe_text)
client_messages = st.one_of(
    st.builds(Connect, st.uuids().map(str), u32, maybe_text, st.none() | ts, st.integers(0, 2**53)),
    st.builds(
        ModifyQuerySet, u32, u32, st.lists(adds | st.builds(Remove, u32), max_size=3).map(tuple)
    ),
    st.builds(Mutation, u32, texts, args, maybe_text),
    st.builds(Action, u32, texts, args, maybe_text),
    st.builds(Authenticate, u32, st.just("None")),
    st.builds(Authenticate, u32, st.just("User"), texts),
    st.builds(
        Authenticate,
        u32,
        st.just("Admin"),
        texts,
        st.none() | st.dictionaries(texts, json_values, max_size=2),
    ),
    st.builds(Event, texts, json_values),
)
versions = st.builds(Version, u32, u32, ts)
modifications = st.one_of(
    st.builds(QueryUpdated, u32, json_values, lines, maybe_text),
    st.builds(QueryFailed, u32, texts, data, lines, maybe_text),
    st.builds(QueryRemoved, u32),
)
server_messages = st.one_of(
    st.builds(
        Transition,
        versions,
        versions,
        st.lists(modifications, max_size=3).map(tuple),
        st.none() | st.integers(0, 2**53),
    ),
    st.builds(TransitionChunk, texts, u32, u32, texts),
    st.builds(MutationDone, u32, json_values, ts, lines),
    st.builds(ActionDone, u32, json_values, lines),
    st.builds(RequestFailed, st.sampled_from(["Mutation", "Action"]), u32, texts, data, lines),
    st.builds(AuthError, texts, u32, st.booleans()),
    st.builds(FatalError, texts),
    st.just(Ping()),
)


@CHECKED
@given(client_messages)
def test_client_messages_come_back(message: ClientMessage) -> None:
    assert parse_client_message(encode_client_message(message)) == message


@CHECKED
@given(server_messages)
def test_server_messages_come_back(message: ServerMessage) -> None:
    assert parse_server_message(encode_server_message(message)) == message


@pytest.mark.parametrize(("number", "text"), [(0, "AAAAAAAAAAA="), (2**63 - 1, "/////////38=")])
def test_timestamps(number: int, text: str) -> None:
    assert encode_ts(number) == text
    assert decode_ts(text) == number


@pytest.mark.parametrize("text", [None, 5, "", "AAAA", "//////////8=", "ü", "AAAAAAAAAA="])
def test_what_is_no_timestamp(text: Any) -> None:
    with pytest.raises(MalformedMessageError, match="timestamp"):
        decode_ts(text)


def test_the_wire_is_convexs() -> None:
    """Field by field, as its clients read it."""
    start, end = Version(), Version(1, 0, 1764000000000000000)
    updated = QueryUpdated(0, JsonText("[]"))
    transition = Transition(start, end, [updated, JsonText('{"type":"QueryRemoved","queryId":7}')])
    assert json.loads(encode_server_message(transition)) == {
        "type": "Transition",
        "startVersion": {"querySet": 0, "identity": 0, "ts": "AAAAAAAAAAA="},
        "endVersion": {"querySet": 1, "identity": 0, "ts": "AADKZ6f8ehg="},
        "modifications": [
            {
                "type": "QueryUpdated",
                "queryId": 0,
                "value": [],
                "logLines": [],
                "journal": None,
            },
            {"type": "QueryRemoved", "queryId": 7},
        ],
        "clientClockSkew": None,
    }
    assert json.loads(encode_server_message(RequestFailed("Mutation", 3, "no", None))) == {
        "type": "MutationResponse",
        "requestId": 3,
        "success": False,
        "result": "no",
        "ts": None,
        "logLines": [],
        "errorData": None,
    }
    assert "errorData" not in encode_server_message(RequestFailed("Action", 3, "no"))
    assert "errorData" not in encode_modification(QueryFailed(1, "no"))
    assert json.loads(encode_server_message(MutationDone(1, JsonText("5"), 0))) == {
        "type": "MutationResponse",
        "requestId": 1,
        "success": True,
        "result": 5,
        "ts": "AAAAAAAAAAA=",
        "logLines": [],
    }


def test_a_server_timestamp_is_a_plain_number() -> None:
    text = encode_server_message(Transition(Version(), Version(), (), 1764000000123456789))
    assert '"serverTs":1764000000123456789' in text
    found = parse_server_message(text)
    assert isinstance(found, Transition)
    assert abs((found.server_ts or 0) - 1764000000123456789) < 1000


CONNECT = {
    "type": "Connect",
    "sessionId": "5f0d1b9e-0000-4000-8000-000000000000",
    "connectionCount": 0,
    "lastCloseReason": None,
    "clientTs": 1.0,
}
MODIFY = {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": []}
ADD = {"type": "Add", "queryId": 0, "udfPath": "a:b", "args": []}
MUTATION = {"type": "Mutation", "requestId": 0, "udfPath": "a:b", "args": [{}]}


def test_what_clients_leave_out() -> None:
    assert parse_client_message(json.dumps(CONNECT)) == Connect(
        "5f0d1b9e-0000-4000-8000-000000000000", 0, None, None, 1
    )
    short = {name: value for name, value in CONNECT.items() if name != "clientTs"}
    assert parse_client_message(json.dumps(short)) == Connect(
        "5f0d1b9e-0000-4000-8000-000000000000", 0, None, None, 0
    )
    acting = {"type": "Authenticate", "baseVersion": 0, "tokenType": "Admin", "value": "k"}
    assert parse_client_message(json.dumps(acting | {"acting_as": {"a": 1}})) == Authenticate(
        0, "Admin", "k", {"a": 1}
    )


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"type": 5},
        {"type": "Ping"},
        CONNECT | {"sessionId": "s"},
        CONNECT | {"connectionCount": -1},
        CONNECT | {"connectionCount": True},
        CONNECT | {"connectionCount": 2**32},
        CONNECT | {"lastCloseReason": 5},
        CONNECT | {"maxObservedTimestamp": 5},
        CONNECT | {"clientTs": "now"},
        CONNECT | {"clientTs": 1.5},
        CONNECT | {"clientTs": True},
        MODIFY | {"baseVersion": 1.5},
        MODIFY | {"modifications": {}},
        MODIFY | {"modifications": [5]},
        MODIFY | {"modifications": [{"type": "Change"}]},
        MODIFY | {"modifications": [{"type": "Remove"}]},
        MODIFY | {"modifications": [ADD | {"args": "x"}]},
        MODIFY | {"modifications": [ADD | {"udfPath": None}]},
        MODIFY | {"modifications": [ADD | {"journal": 5}]},
        MUTATION | {"args": None},
        MUTATION | {"componentPath": 5},
        MUTATION | {"udfPath": "\ud800"},
        {"type": "Authenticate", "baseVersion": 0, "tokenType": "User"},
        {"type": "Authenticate", "baseVersion": 0, "tokenType": "Other"},
        {
            "type": "Authenticate",
            "baseVersion": 0,
            "tokenType": "Admin",
            "value": "secret",
            "impersonating": "x",
        },
        {"type": "Event"},
    ],
)
def test_what_is_no_client_message(body: Any) -> None:
    with pytest.raises(MalformedMessageError) as raised:
        parse_client_message(json.dumps(body))
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"type":"Ping"', "[" * 100_000, "NaN"])
def test_what_is_no_json_is_no_message(text: str) -> None:
    with pytest.raises(MalformedMessageError):
        parse_client_message(text)
    with pytest.raises(MalformedMessageError):
        parse_server_message(text)


VERSION = {"querySet": 0, "identity": 0, "ts": "AAAAAAAAAAA="}
TRANSITION = {
    "type": "Transition",
    "startVersion": VERSION,
    "endVersion": VERSION,
    "modifications": [],
}
RESPONSE = {"type": "MutationResponse", "requestId": 0, "success": True, "result": 1}


@pytest.mark.parametrize(
    "body",
    [
        {"type": "Mutation"},
        TRANSITION | {"startVersion": None},
        TRANSITION | {"endVersion": VERSION | {"ts": "x"}},
        TRANSITION | {"serverTs": "x"},
        TRANSITION | {"modifications": [{"type": "Other", "queryId": 1}]},
        TRANSITION | {"modifications": [{"type": "QueryUpdated", "queryId": 1, "logLines": []}]},
        TRANSITION | {"modifications": [{"type": "QueryUpdated", "queryId": 1, "value": 1}]},
        RESPONSE | {"logLines": [], "ts": None},
        RESPONSE | {"logLines": [5], "ts": "AAAAAAAAAAA="},
        RESPONSE | {"success": "yes"},
        {"type": "ActionResponse", "requestId": 0, "success": True, "logLines": []},
        {"type": "AuthError", "error": "x", "baseVersion": 0},
    ],
)
def test_what_is_no_server_message(body: Any) -> None:
    with pytest.raises(MalformedMessageError):
        parse_server_message(json.dumps(body))
