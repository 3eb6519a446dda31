"""One connected client of the sync WebSocket, as the server sees it. Without I/O.

Texts of the client go in; work for the server comes out, to be done in its order. What the work
has brought goes in again and gives texts for the client. The session keeps the versions, so that
every transition begins where the last one ended; it knows no value of a query.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mastra_convex.errors import InvalidArgumentError, LimitExceededError
from mastra_convex.protocol.codec import (
    MalformedMessageError,
    encode_modification,
    encode_outcome,
    encode_server_message,
    parse_client_message,
    with_query_id,
)
from mastra_convex.protocol.failures import Failure, bounded, failure_of
from mastra_convex.protocol.messages import (
    Action,
    Add,
    Authenticate,
    AuthError,
    ClientMessage,
    Connect,
    FatalError,
    Modification,
    ModifyQuerySet,
    Mutation,
    MutationDone,
    QueryFailed,
    QueryRemoved,
    QueryUpdated,
    RequestFailed,
    Transition,
    TransitionChunk,
    Version,
)
from mastra_convex.protocol.paths import canonical_path
from mastra_convex.values.encoding import JsonText, decode, encode_text
from mastra_convex.values.journal import journal_of, pinned

MAX_QUERIES = 1000
MAX_MUTATIONS = 1000
# From this length on, those who understand it are sent a transition in pieces of this length.
CHUNK = 5_000_000

# Close codes (RFC 6455).
NORMAL = 1000
INTERNAL_ERROR = 1011
TRY_AGAIN_LATER = 1013

Args = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Send:
    """Send a text."""

    text: str


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection, when everything has been sent."""

    code: int = NORMAL
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Watch:
    """The client's live queries change: some go, then some come."""

    removed: tuple[int, ...]
    added: dict[int, tuple[str, Args]]


@dataclass(frozen=True, slots=True)
class Identify:
    """Find out who this is; then call `identified`, or `refuse`."""

    token_type: Literal["None", "User", "Admin"]
    value: str = field(default="", repr=False)
    acting_as: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Run a mutation, after those before it; then call `mutation_done` or `mutation_failed`.

    `request` names it for good, or is None if the client has not told its session.
    """

    request_id: int
    path: str
    args: Args
    request: tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class Refuse:
    """A mutation that cannot be run: call `mutation_failed`, after those before it."""

    request_id: int
    failure: Failure


Work = Send | Close | Watch | Identify | Run | Refuse


class ServerSession:
    """One connection. `chunks` says whether the client understands transitions in pieces."""

    def __init__(self, *, chunks: bool) -> None:
        self._chunks = chunks
        self._session_id: str | None = None
        self._max_observed = 0
        self._told = Version()
        self._query_set = 0
        self._identity = 0
        self._queries: set[int] = set()
        # Those of them that were not even tried.
        self._refused: set[int] = set()
        # What the next transition says besides the outcomes: queries that are gone or never ran.
        self._news: dict[int, Modification] = {}
        self._mutations = 0
        self._transitions = 0
        self._ended = False

    @property
    def is_ahead(self) -> bool:
        """Whether the client has changed more of its queries than it has been told of.

        Nothing is to be received then until there has been a transition.
        """
        return len(self._news) > MAX_QUERIES

    def receive(self, text: str) -> list[Work]:
        """What to do about a text of the client. After a `Close` there is nothing more to do."""
        if self._ended:
            return []
        try:
            return self._handle(parse_client_message(text))
        except MalformedMessageError as error:
            return self._fatal(f"WSMessageInvalidJson: {error}")

    def identified(self) -> None:
        """The client's identity has changed; the next transition tells."""
        self._identity += 1

    def refuse(self, message: str, *, attempted: bool) -> list[Work]:
        """The client is not who it says, or (not `attempted`) is so no longer."""
        return self._end(AuthError(message, self._identity, attempted), NORMAL)

    def mutation_done(self, request_id: int, value: Any, ts: int) -> str:
        """The text that tells of a mutation's success; a transition at `ts` or later must follow.

        However large the value is: it has happened.
        """
        self._mutations -= 1
        return encode_server_message(MutationDone(request_id, encode_text(value), ts))

    def mutation_failed(self, request_id: int, failure: Failure) -> str:
        """The text that tells of a mutation's failure; a transition must follow."""
        self._mutations -= 1
        return encode_server_message(
            RequestFailed("Mutation", request_id, failure.message, failure.data)
        )

    def error_id(self, request_id: int) -> str:
        """By what an error text names a request: the same for the same request of a session."""
        name = f"{self._session_id or ''}|{request_id}"
        return hashlib.sha256(name.encode()).hexdigest()[:16]

    def transition(self, ts: int, outcomes: Mapping[int, str]) -> list[Work]:
        """What tells that everything holds at `ts`; `outcomes` are texts of `outcome_text`."""
        if ts < self._max_observed:
            # The client has seen a future that this file has not: its file is another one.
            self._ended = True
            return [Close(INTERNAL_ERROR, "InternalServerError")]
        told = [JsonText(with_query_id(text, query_id)) for query_id, text in outcomes.items()]
        news = [JsonText(encode_modification(change)) for change in self._news.values()]
        self._news = {}
        start, self._told = self._told, Version(self._query_set, self._identity, ts)
        text = encode_server_message(Transition(start, self._told, [*news, *told]))
        self._transitions += 1
        if not self._chunks or len(text) <= CHUNK:
            return [Send(text)]
        pieces = [text[at : at + CHUNK] for at in range(0, len(text), CHUNK)]
        name = str(self._transitions)
        return [
            Send(encode_server_message(TransitionChunk(piece, number, len(pieces), name)))
            for number, piece in enumerate(pieces)
        ]

    def _handle(self, message: ClientMessage) -> list[Work]:
        match message:
            case Connect():
                self._session_id = message.session_id
                self._max_observed = message.max_observed or 0
            case ModifyQuerySet():
                return self._modify(message)
            case Authenticate():
                if message.base_version != self._identity:
                    return self._internal_error()
                return [Identify(message.token_type, message.value, message.acting_as)]
            case Mutation():
                return self._mutate(message)
            case Action():
                failure = RequestFailed(
                    "Action",
                    message.request_id,
                    f"Trying to execute {message.path} as Action, but this server has only "
                    "queries and mutations.",
                )
                return [Send(encode_server_message(failure))]
        return []

    def _modify(self, message: ModifyQuerySet) -> list[Work]:
        if message.base_version != self._query_set:
            return self._fatal(
                f"BaseVersionMismatch: the query set has version {self._query_set}, "
                f"not {message.base_version}"
            )
        if message.new_version <= message.base_version:
            return self._fatal("BaseVersionMismatch: the version of the query set must grow")
        removed: list[int] = []
        added: dict[int, tuple[str, Args]] = {}
        for change in message.modifications:
            query_id = change.query_id
            if isinstance(change, Add):
                if query_id in self._queries:
                    return self._internal_error()
                self._queries.add(query_id)
                self._news.pop(query_id, None)
                try:
                    added[query_id] = self._query_of(change)
                except (InvalidArgumentError, LimitExceededError) as error:
                    failure = failure_of(error)
                    self._news[query_id] = QueryFailed(query_id, failure.message, failure.data)
                    self._refused.add(query_id)
            else:
                if query_id not in self._queries:
                    return self._internal_error()
                self._queries.remove(query_id)
                if query_id in self._refused:
                    self._refused.remove(query_id)
                elif added.pop(query_id, None) is None:
                    removed.append(query_id)
                self._news[query_id] = QueryRemoved(query_id)
        self._query_set = message.new_version
        return [Watch(tuple(removed), added)]

    def _query_of(self, change: Add) -> tuple[str, Args]:
        if len(self._queries) > MAX_QUERIES:
            raise LimitExceededError(
                f"a connection can watch {MAX_QUERIES} queries; end some first, or connect again",
                limit=MAX_QUERIES,
            )
        return _path(change.path), pinned(arguments(change.args), change.journal)

    def _mutate(self, message: Mutation) -> list[Work]:
        if self._mutations >= MAX_MUTATIONS:
            self._ended = True
            return [Close(TRY_AGAIN_LATER, "TooManyConcurrentMutations")]
        self._mutations += 1
        try:
            args = arguments(message.args)
        except InvalidArgumentError as error:
            failure = failure_of(error, self.error_id(message.request_id))
            return [Refuse(message.request_id, failure)]
        session = self._session_id
        request = None if session is None else (session, message.request_id)
        return [Run(message.request_id, _path(message.path), args, request)]

    def _fatal(self, message: str) -> list[Work]:
        return self._end(FatalError(message), NORMAL)

    def _internal_error(self) -> list[Work]:
        self._ended = True
        return [Close(INTERNAL_ERROR, "InternalServerError")]

    def _end(self, message: FatalError | AuthError, code: int) -> list[Work]:
        self._ended = True
        return [Send(encode_server_message(message)), Close(code)]


def arguments(args: Any) -> Args:
    """A call's arguments: an object, or an array of one. Raises `InvalidArgumentError`."""
    if isinstance(args, list):
        if len(args) > 1:
            raise InvalidArgumentError("functions take one object of arguments, not several")
        args = args[0] if args else {}
    found = decode(args)
    if not isinstance(found, dict):
        raise InvalidArgumentError("functions take one object of arguments")
    return found


def _path(text: str) -> str:
    # What is no path stays as it is; there is no function of that name.
    return canonical_path(text) or text


def outcome_text(value: Any, error: Exception | None) -> str:
    """The outcome of a query as the beginning of a modification; its end is the query's id.

    So it is encoded once for all who watch the query.
    """
    change: QueryUpdated | QueryFailed
    try:
        text = JsonText(bounded(encode_text(value).text))
        told = QueryUpdated(0, text, journal=journal_of(value))
        change = told if error is None else _failed(error)
    except (InvalidArgumentError, LimitExceededError) as refused:
        change = _failed(refused)
    return encode_outcome(change)


def _failed(error: Exception) -> QueryFailed:
    failure = failure_of(error)
    return QueryFailed(0, failure.message, failure.data)
