"""What official clients said to the server and what it answered, replayed text by text.

The answers are held against what was recorded when the clients were content with them. How the
transcripts were made: tests/transcripts/record.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mastra_convex.protocol.codec import (
    decode_ts,
    encode_client_message,
    encode_outcome,
    encode_server_message,
    parse_client_message,
    parse_server_message,
)
from mastra_convex.protocol.failures import Failure
from mastra_convex.protocol.messages import NO_DATA, QueryFailed, QueryUpdated, Transition
from mastra_convex.protocol.server_session import (
    Identify,
    Refuse,
    Run,
    Send,
    ServerSession,
    Watch,
)
from mastra_convex.values.encoding import decode

TRANSCRIPTS = Path(__file__).resolve().parent.parent / "transcripts"
CONNECTIONS = [
    pytest.param(connection["messages"], id=f"{path.stem}-{number}")
    for path in sorted(TRANSCRIPTS.glob("*.json"))
    for number, connection in enumerate(json.loads(path.read_text(encoding="utf-8")))
]


def without_empty(message: Any) -> Any:
    """A client's message without what may as well be left out."""
    if isinstance(message, list):
        return [without_empty(item) for item in message]
    if isinstance(message, dict):
        return {key: without_empty(item) for key, item in message.items() if item is not None}
    return message


@pytest.mark.parametrize("messages", CONNECTIONS)
def test_every_message_is_understood(messages: list[tuple[str, dict[str, Any]]]) -> None:
    for sender, body in messages:
        text = json.dumps(body)
        if sender == "client":
            again = json.loads(encode_client_message(parse_client_message(text)))
            assert without_empty(again) == without_empty(body)
        else:
            assert json.loads(encode_server_message(parse_server_message(text))) == body


@pytest.mark.parametrize("messages", CONNECTIONS)
def test_the_session_answers_as_it_did(messages: list[tuple[str, dict[str, Any]]]) -> None:
    replay = Replay([body for sender, body in messages if sender == "client"])
    for sender, body in messages:
        if sender == "server" and body["type"] == "MutationResponse":
            replay.until(partial(replay.has_asked, body["requestId"]))
            assert replay.asked.pop(0) == body["requestId"]
            assert answer(replay.session, body) == body
        elif sender == "server" and body["type"] == "Transition":
            end = body["endVersion"]
            replay.until(partial(replay.has_version, end["querySet"], end["identity"]))
            assert transition(replay.session, body, replay.watched) == body
    replay.until(lambda: not replay.left)
    # A connection that was cut leaves its last request unanswered.
    assert len(replay.asked) <= 1


class Replay:
    """Gives a session what its client said, as far as is needed.

    The two sides cross on their way: what is recorded between two answers may have come after both.
    """

    def __init__(self, texts: list[dict[str, Any]]) -> None:
        self.session = ServerSession(chunks=False)
        self.left = texts
        self.asked: list[int] = []
        self.watched: set[int] = set()
        self.version = (0, 0)

    def has_asked(self, request_id: int) -> bool:
        """Whether the client has sent this request."""
        return request_id in self.asked

    def has_version(self, query_set: int, identity: int) -> bool:
        """Whether it has changed its queries and its identity up to there."""
        return self.version == (query_set, identity)

    def until(self, reached: Callable[[], bool]) -> None:
        """Go on until that holds; it must."""
        while not reached():
            assert self.left, "the client has said nothing more"
            body = self.left.pop(0)
            for work in self.session.receive(json.dumps(body)):
                match work:
                    case Identify():
                        self.session.identified()
                        self.version = (self.version[0], self.version[1] + 1)
                    case Watch(removed, added):
                        self.watched = self.watched.difference(removed) | added.keys()
                        self.version = (body["newVersion"], self.version[1])
                    case Run(request_id) | Refuse(request_id):
                        self.asked.append(request_id)
                    case Send(text):
                        assert json.loads(text)["type"] == "ActionResponse"


def answer(session: ServerSession, body: dict[str, Any]) -> Any:
    """What the session says of a mutation with that outcome."""
    if body["success"]:
        value, ts = decode(body["result"]), decode_ts(body["ts"])
        return json.loads(session.mutation_done(body["requestId"], value, ts))
    failure = Failure(body["result"], body.get("errorData", NO_DATA))
    return json.loads(session.mutation_failed(body["requestId"], failure))


def transition(session: ServerSession, body: dict[str, Any], watched: set[int]) -> Any:
    """What the session says of these outcomes at that moment."""
    message = parse_server_message(json.dumps(body))
    assert isinstance(message, Transition)
    outcomes = {
        change.query_id: encode_outcome(change)
        for change in message.modifications
        if isinstance(change, (QueryUpdated, QueryFailed))
    }
    assert outcomes.keys() <= watched
    [sent] = session.transition(message.end.ts, outcomes)
    assert isinstance(sent, Send)
    return json.loads(sent.text)


def test_there_are_transcripts_of_both_clients() -> None:
    assert {path.stem for path in TRANSCRIPTS.glob("*.json")} == {"javascript", "python"}
    sessions = json.loads((TRANSCRIPTS / "javascript.json").read_text(encoding="utf-8"))
    first, second = (session["messages"] for session in sessions[:2])
    # The answer to its last mutation was cut off, and it was sent again in the same session.
    assert first[-1][1]["type"] == "Mutation"
    assert first[-1][1] in [body for _, body in second]
    assert first[0][1]["sessionId"] == second[0][1]["sessionId"]
