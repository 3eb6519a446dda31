"""The client's half of the sync protocol: what it watches, what it has been told, what to send.

One session lasts over many connections. It keeps its id, its queries and their last results; each
connection begins by saying them all again, and counts its versions from zero.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mastra_convex.errors import DeploymentError, UnauthenticatedError
from mastra_convex.protocol.codec import MalformedMessageError, parse_server_message
from mastra_convex.protocol.http import failure
from mastra_convex.protocol.messages import (
    NO_DATA,
    Add,
    Authenticate,
    AuthError,
    ClientMessage,
    Connect,
    FatalError,
    ModifyQuerySet,
    QueryFailed,
    QueryUpdated,
    Remove,
    ServerMessage,
    Transition,
    TransitionChunk,
    Version,
)
from mastra_convex.values.encoding import decode, encode
from mastra_convex.values.outcome import Outcome

# The query set with which a connection begins.
_OPENING = 1


@dataclass(eq=False, slots=True)
class _Query:
    """One watched call: how many use it, its last outcome, and whether that holds now."""

    id: int
    key: str
    path: str
    args: Any
    users: int = 0
    outcome: Outcome | None = None
    holds: bool = False


class ClientSession:
    """Messages in, messages out; `url` is for errors. Whoever has the socket keeps it in order."""

    def __init__(self, session_id: str, url: str) -> None:
        self._id = session_id
        self._url = url
        self._queries: dict[int, _Query] = {}
        self._by_call: dict[str, _Query] = {}
        self._next_id = 0
        self._connections = 0
        self._close_reason: str | None = "InitialConnect"
        self._max_observed: int | None = None
        self._connected = False
        # Of the present connection: what the server has confirmed, and what it has been sent.
        self._version = Version()
        self._identity = 0
        self._query_set = 0
        self._pending: dict[int, Add | Remove] = {}
        self._chunks: list[str] = []
        self._chunk_of: tuple[str, int] | None = None

    @property
    def settled(self) -> bool:
        """Whether the connection has brought everything up to date that it began with."""
        version = self._version
        return version.query_set >= _OPENING and version.identity == self._identity

    def hold(self, path: str, args: dict[str, Any]) -> int:
        """Watch a call; returns its id, the same for equal calls. Let go of it with `release`."""
        encoded = [encode(args)]
        key = json.dumps([path, encoded], sort_keys=True)
        query = self._by_call.get(key)
        if query is None:
            query = _Query(self._next_id, key, path, encoded)
            self._next_id += 1
            self._queries[query.id] = self._by_call[key] = query
            self._pending[query.id] = Add(query.id, path, query.args)
        query.users += 1
        return query.id

    def release(self, query_id: int) -> None:
        """Undo one `hold`."""
        query = self._queries[query_id]
        query.users -= 1
        if query.users == 0:
            del self._queries[query_id], self._by_call[query.key]
            if self._pending.pop(query_id, None) is None:
                self._pending[query_id] = Remove(query_id)

    def outcome(self, query_id: int) -> Outcome | None:
        """The outcome of a call at the moment of the last transition; None while it is unknown."""
        query = self._queries[query_id]
        return query.outcome if query.holds else None

    def opening(self, token: str | None, client_ts: int) -> list[ClientMessage]:
        """What a new connection says first; `client_ts` is now, in milliseconds."""
        messages: list[ClientMessage] = [
            Connect(self._id, self._connections, self._close_reason, self._max_observed, client_ts)
        ]
        self._connections += 1
        self._connected = True
        self._close_reason = None
        if token is not None:
            messages.append(self.authenticate(token))
        self._query_set = _OPENING
        self._pending = {}
        queries = self._queries.values()
        adds = tuple(Add(query.id, query.path, query.args) for query in queries)
        return [*messages, ModifyQuerySet(0, _OPENING, adds)]

    def authenticate(self, token: str) -> Authenticate:
        """From now on the connection's queries are asked with this token."""
        self._identity += 1
        return Authenticate(self._identity - 1, "User", token)

    def changes(self) -> list[ClientMessage]:
        """What is still to be said about the queries; nothing while there is no connection."""
        if not self._connected or not self._pending:
            return []
        changes, self._pending = tuple(self._pending.values()), {}
        self._query_set += 1
        return [ModifyQuerySet(self._query_set - 1, self._query_set, changes)]

    def disconnected(self, reason: str) -> None:
        """The connection has ended; the outcomes are kept, to tell what changes meanwhile."""
        self._connected = False
        self._close_reason = reason
        self._version = Version()
        self._identity = self._query_set = 0
        self._chunks, self._chunk_of = [], None
        for query in self._queries.values():
            query.holds = False

    def receive(self, text: str) -> set[int] | None:
        """Take a message in; returns the queries that a transition has changed, or None.

        Raises what ends the connection: `UnauthenticatedError` when the token was refused,
        `DeploymentError` when the server says that this client is wrong, `MalformedMessageError`
        when the server is.
        """
        message: ServerMessage | None = parse_server_message(text)
        if isinstance(message, TransitionChunk):
            message = self._assembled(message)
        if isinstance(message, Transition):
            return self._transition(message)
        if isinstance(message, AuthError) and not self._is_outdated(message):
            raise UnauthenticatedError(
                f"{self._url} does not accept the token: {message.message}", url=self._url
            )
        if isinstance(message, FatalError):
            raise DeploymentError(
                f"{self._url} ended the connection: {message.message}", url=self._url
            )
        return None

    def _is_outdated(self, error: AuthError) -> bool:
        """Whether it is about a token that another has followed already."""
        if error.base_version + 1 < self._identity:
            return True
        return not error.update_attempted and self._version.identity < self._identity

    def _assembled(self, chunk: TransitionChunk) -> ServerMessage | None:
        """The message whose last piece this is."""
        of = (chunk.transition_id, chunk.total)
        if self._chunk_of is None and chunk.part == 0:
            self._chunk_of = of
        if self._chunk_of != of or chunk.part != len(self._chunks):
            raise MalformedMessageError("the pieces of a transition are not in order")
        self._chunks.append(chunk.chunk)
        if len(self._chunks) < chunk.total:
            return None
        text = "".join(self._chunks)
        self._chunks, self._chunk_of = [], None
        message = parse_server_message(text)
        if not isinstance(message, Transition):
            raise MalformedMessageError("the pieces of a transition are none together")
        return message

    def _transition(self, transition: Transition) -> set[int]:
        if transition.start != self._version:
            raise MalformedMessageError(
                f"a transition from {transition.start} came to {self._version}"
            )
        self._version = transition.end
        self._max_observed = max(transition.end.ts, self._max_observed or 0)
        changed = set()
        for change in transition.modifications:
            # One that was let go meanwhile may still be told of.
            query = self._queries.get(getattr(change, "query_id", -1))
            if query is None or not isinstance(change, (QueryUpdated, QueryFailed)):
                continue
            before, query.outcome = query.outcome, self._outcome_of(query.path, change)
            query.holds = True
            if before is None or not _same(before, query.outcome):
                changed.add(query.id)
        return changed

    def _outcome_of(self, path: str, change: QueryUpdated | QueryFailed) -> Outcome:
        if isinstance(change, QueryUpdated):
            return Outcome(decode(change.value))
        data = None if change.error_data is NO_DATA else change.error_data
        return Outcome(error=failure(self._url, path, change.message, data))


def _same(one: Outcome, other: Outcome) -> bool:
    if one.error is None or other.error is None:
        return one.error is other.error and bool(one.value == other.value)
    return (type(one.error), str(one.error)) == (type(other.error), str(other.error))
