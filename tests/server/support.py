"""A server without a port: the application over a file, and clients that speak as Convex's do."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from mastra_convex.backends.served import EmbeddedServedBackend
from mastra_convex.engine.registry import Kind
from mastra_convex.functions import registry
from mastra_convex.protocol.codec import decode_ts
from mastra_convex.server.app import create_app
from mastra_convex.server.auth import Keyring
from mastra_convex.tokens import Key

BASE = "http://127.0.0.1:3210"
SOCKETS = "ws://127.0.0.1:3210"
SESSION = "5f0d1b9e-0000-4000-8000-000000000000"
KEY = Key.generate()
PATIENCE = 10.0


@dataclass
class Served:
    """A running application: HTTP calls, and sockets."""

    client: TestClient
    backend: EmbeddedServedBackend
    keyring: Keyring

    def call(
        self, kind: str, path: str, args: Any, *, token: str | None = "", **more: Any
    ) -> dict[str, Any]:
        """One HTTP call as the service, or with another token; returns the answer."""
        answer = self.client.post(
            f"/api/{kind}",
            json={"path": path, "args": args, "format": "convex_encoded_json", **more},
            headers=bearer(KEY.service_token() if token == "" else token),
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def value(self, kind: str, path: str, args: Any, *, token: str | None = "") -> Any:
        """The value of a call that succeeds."""
        answer = self.call(kind, path, args, token=token)
        assert answer["status"] == "success", answer
        return answer["value"]

    @contextmanager
    def socket(
        self, *, token: str | None = "", session: str = SESSION, **connect: Any
    ) -> Iterator[Peer]:
        """A socket that has connected, and logged in unless the token is None."""
        with self.client.websocket_connect(f"{SOCKETS}/api/1.48.0/sync") as opened:
            peer = Peer(opened)
            peer.connect(session, **connect)
            if token is not None:
                peer.log_in(KEY.service_token() if token == "" else token)
            yield peer


class TextSocket(Protocol):
    """All that a peer needs of a socket."""

    def send_text(self, data: str) -> None:
        """Send a text."""

    def receive_text(self) -> str:
        """The next text."""


class Peer:
    """One client of the socket: it counts versions as clients must, and fails if they jump."""

    def __init__(self, socket: TextSocket) -> None:
        self.socket = socket
        self.identity = 0
        self.query_set = 0
        self.requests = 0
        self.version = {"querySet": 0, "identity": 0, "ts": "AAAAAAAAAAA="}
        self.values: dict[int, Any] = {}
        self.transitions = 0

    def send(self, **body: Any) -> None:
        """Send a message."""
        self.socket.send_text(json.dumps(body))

    def connect(self, session: str = SESSION, **more: Any) -> None:
        """Say who is there."""
        self.send(
            type="Connect",
            sessionId=session,
            connectionCount=0,
            lastCloseReason="InitialConnect",
            clientTs=0,
            **more,
        )

    def log_in(self, token: str) -> None:
        """Prove it."""
        self.send(type="Authenticate", baseVersion=self.identity, tokenType="User", value=token)
        self.identity += 1

    def watch(self, query_id: int, path: str, args: Any) -> None:
        """Watch a query."""
        self.modify(
            {"type": "Add", "queryId": query_id, "udfPath": path, "args": [args]},
        )

    def unwatch(self, query_id: int) -> None:
        """Watch it no longer."""
        self.modify({"type": "Remove", "queryId": query_id})

    def modify(self, *changes: dict[str, Any]) -> None:
        """Change the query set."""
        self.send(
            type="ModifyQuerySet",
            baseVersion=self.query_set,
            newVersion=self.query_set + 1,
            modifications=list(changes),
        )
        self.query_set += 1

    def mutate(self, path: str, args: Any, request_id: int | None = None) -> int:
        """Send a mutation; returns its number."""
        if request_id is None:
            request_id = self.requests
            self.requests += 1
        self.send(type="Mutation", requestId=request_id, udfPath=path, args=[args])
        return request_id

    def receive(self) -> dict[str, Any]:
        """The next message; transitions are checked and applied."""
        message: dict[str, Any] = json.loads(self.socket.receive_text())
        if message["type"] == "Transition":
            self.apply(message)
        return message

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Receive until such a message comes."""
        while True:
            message = self.receive()
            if wanted(message):
                return message

    def until_type(self, kind: str) -> dict[str, Any]:
        """Receive until a message of that type comes."""
        return self.until(lambda message: message["type"] == kind)

    def until_value(self, query_id: int, wanted: Callable[[Any], bool]) -> Any:
        """Receive until a query has such a value."""
        while query_id not in self.values or not wanted(self.values[query_id]):
            self.receive()
        return self.values[query_id]

    def result(self, path: str, args: Any) -> dict[str, Any]:
        """Run a mutation; returns its response, when the transition that covers it has come."""
        request_id = self.mutate(path, args)
        response = self.until(lambda message: message.get("requestId") == request_id)
        covering = self.until_type("Transition")
        if response["success"]:
            assert decode_ts(covering["endVersion"]["ts"]) >= decode_ts(response["ts"])
        return response

    def apply(self, message: dict[str, Any]) -> None:
        """Check a transition, and take its values."""
        assert message["startVersion"] == self.version, "a transition does not begin where one was"
        before, self.version = self.version, message["endVersion"]
        assert decode_ts(self.version["ts"]) >= decode_ts(before["ts"])
        self.transitions += 1
        for change in message["modifications"]:
            assert change["type"] == "QueryRemoved" or change["logLines"] == []
            if change["type"] == "QueryUpdated":
                self.values[change["queryId"]] = change["value"]
            elif change["type"] == "QueryFailed":
                self.values[change["queryId"]] = change
            else:
                self.values.pop(change["queryId"], None)


@contextmanager
def served(
    path: Path | str = ":memory:",
    *,
    prefix: str = "",
    keyring: Keyring | None = None,
    **options: Any,
) -> Iterator[Served]:
    """An application over a file."""
    backend = EmbeddedServedBackend(str(path), durable=False, prefix=prefix)
    keyring = keyring or Keyring(lambda: [KEY])
    app = create_app(backend, keyring, version="0.0.0", **options)
    with TestClient(app, base_url=BASE) as client:
        yield Served(client, backend, keyring)


@contextmanager
def held(path: str, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A function that waits for the event, and then runs."""
    release = threading.Event()
    function = registry.find(path, kind)

    def waiting(ctx: Any, args: dict[str, Any]) -> Any:
        release.wait(PATIENCE)
        return function.handler(ctx, args)

    monkeypatch.setitem(registry.functions, path, dataclasses.replace(function, handler=waiting))
    try:
        yield release
    finally:
        release.set()


def bearer(token: str | None) -> dict[str, str]:
    """The header for a token."""
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def thread(thread_id: str, resource_id: str = "r", **fields: Any) -> dict[str, Any]:
    """Arguments of threads:save."""
    return {"thread": {"id": thread_id, "resourceId": resource_id, **fields}}


def message(message_id: str, thread_id: str, text: str = "hello") -> dict[str, Any]:
    """Arguments of messages:save."""
    content = json.dumps(text)
    one = {"id": message_id, "threadId": thread_id, "role": "user", "content": content}
    return {"messages": [one]}


def page(thread_id: str) -> dict[str, Any]:
    """Arguments of messages:list."""
    return {"threadId": thread_id, "order": "asc", "limit": 100}


def ids(value: Any) -> list[str]:
    """The ids of a page."""
    return [one["id"] for one in value["page"]]


def closed(peer: Peer, code: int) -> None:
    """The server ends the socket, with that code."""
    with pytest.raises(WebSocketDisconnect) as ended:
        peer.until(lambda _: False)
    assert ended.value.code == code


def soon(wanted: Callable[[], bool]) -> None:
    """Wait until something holds; fail if it does not."""
    deadline = time.monotonic() + PATIENCE
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.01)
