"""Every message of the sync WebSocket, of clients and of servers; `codec.py` has their text.

Values, arguments and `errorData` are encoded JSON (`values/encoding.py`) and stay so here; what has
been encoded once for many receivers is `JsonText`. Timestamps are nanoseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mastra_convex.values.encoding import JsonText

# What clients send.


@dataclass(frozen=True, slots=True)
class Connect:
    """The first message. `max_observed` is the newest timestamp that the client has seen."""

    session_id: str
    connection_count: int = 0
    last_close_reason: str | None = "InitialConnect"
    max_observed: int | None = None
    client_ts: int = 0


@dataclass(frozen=True, slots=True)
class Add:
    """Watch a query from now on."""

    query_id: int
    path: str
    args: Any
    journal: str | None = None
    component: str | None = None


@dataclass(frozen=True, slots=True)
class Remove:
    """Watch a query no longer."""

    query_id: int


@dataclass(frozen=True, slots=True)
class ModifyQuerySet:
    """The queries that are watched change, from one version of the set to the next."""

    base_version: int
    new_version: int
    modifications: tuple[Add | Remove, ...] = ()


@dataclass(frozen=True, slots=True)
class Mutation:
    """Run a mutation. `request_id` is the client's own; it comes back with the answer."""

    request_id: int
    path: str
    args: Any
    component: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """Run an action."""

    request_id: int
    path: str
    args: Any
    component: str | None = None


@dataclass(frozen=True, slots=True)
class Authenticate:
    """From now on the client is who the token says; "None" takes that back."""

    base_version: int
    token_type: Literal["None", "User", "Admin"]
    value: str = field(default="", repr=False)
    acting_as: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something for the server's statistics; servers may ignore it."""

    event_type: str
    event: Any = None


ClientMessage = Connect | ModifyQuerySet | Mutation | Action | Authenticate | Event


# What servers send.


@dataclass(frozen=True, slots=True)
class Version:
    """What one connection has been told: query set, number of logins, and the moment of it all."""

    query_set: int = 0
    identity: int = 0
    ts: int = 0


@dataclass(frozen=True, slots=True)
class QueryUpdated:
    """A query's result."""

    query_id: int
    value: Any
    log_lines: Sequence[str] = ()
    journal: str | None = None


# `error_data` of an error that has none: null is data.
NO_DATA: Any = type("NoData", (), {"__repr__": lambda self: "NO_DATA"})()


@dataclass(frozen=True, slots=True)
class QueryFailed:
    """A query's error; it stays watched."""

    query_id: int
    message: str
    error_data: Any = NO_DATA
    log_lines: Sequence[str] = ()
    journal: str | None = None


@dataclass(frozen=True, slots=True)
class QueryRemoved:
    """A query is watched no longer."""

    query_id: int


Modification = QueryUpdated | QueryFailed | QueryRemoved


@dataclass(frozen=True, slots=True)
class Transition:
    """All watched queries hold at `end.ts`; those that are left out are as they were."""

    start: Version
    end: Version
    modifications: Sequence[Modification | JsonText] = ()
    server_ts: int | None = None


@dataclass(frozen=True, slots=True)
class TransitionChunk:
    """A piece of the text of a large transition; the parts come in order."""

    chunk: str
    part: int
    total: int
    transition_id: str


@dataclass(frozen=True, slots=True)
class MutationDone:
    """A mutation was committed at `ts`."""

    request_id: int
    value: Any
    ts: int
    log_lines: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ActionDone:
    """An action has returned."""

    request_id: int
    value: Any
    log_lines: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """A mutation or an action has raised; nothing of a mutation has happened."""

    kind: Literal["Mutation", "Action"]
    request_id: int
    message: str
    error_data: Any = NO_DATA
    log_lines: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class AuthError:
    """The client is not, or no longer, who it says; the connection ends."""

    message: str
    base_version: int
    update_attempted: bool


@dataclass(frozen=True, slots=True)
class FatalError:
    """The client broke the protocol; the connection ends, and clients do not come back."""

    message: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Nothing; the server is there."""


ServerMessage = (
    Transition
    | TransitionChunk
    | MutationDone
    | ActionDone
    | RequestFailed
    | AuthError
    | FatalError
    | Ping
)
