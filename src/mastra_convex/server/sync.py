"""The sync WebSocket: what moves between a socket, its session and its live queries."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from starlette.types import Receive, Scope
from starlette.types import Send as AsgiSend

from mastra_convex.backends.base import Committed, LiveSet, Rendered, ServedBackend
from mastra_convex.errors import ConvexStorageError, UnauthenticatedError
from mastra_convex.protocol.clients import Client, client_of
from mastra_convex.protocol.codec import encode_server_message
from mastra_convex.protocol.failures import Failure, failure_of, is_outage
from mastra_convex.protocol.messages import Ping
from mastra_convex.protocol.requests import MAX_SECONDS, RefusedRequestError
from mastra_convex.protocol.server_session import (
    INTERNAL_ERROR,
    Close,
    Identify,
    Refuse,
    Run,
    Send,
    ServerSession,
    Watch,
    Work,
    outcome_text,
)
from mastra_convex.server.auth import ANONYMOUS, Identity, Keyring
from mastra_convex.server.guard import refuse

if TYPE_CHECKING:
    from mastra_convex.values.outcome import Outcome

logger = logging.getLogger("mastra_convex")

PING_SECONDS = 15.0
_SWEEP_SECONDS = 1.0
# A client that has this much under way is read no further until some of it is done.
_MAX_RUNNING = 128
_MAX_BYTES = 16 * 1024 * 1024
_PATH = re.compile(r"/api/(?:(?P<version>[^/]+)/)?sync\Z")


class Sync:
    """All sockets of a server."""

    def __init__(self, backend: ServedBackend, keyring: Keyring) -> None:
        self.backend = backend
        self.keyring = keyring
        self._sockets: set[_Socket] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: AsgiSend) -> None:
        """Serve one socket (ASGI)."""
        try:
            chunks = _client(scope).understands_chunks
        except RefusedRequestError as refused:
            return await refuse(refused)(scope, receive, send)
        socket = _Socket(self, receive, send, chunks=chunks)
        self._sockets.add(socket)
        try:
            await socket.serve()
        finally:
            self._sockets.discard(socket)

    async def sweep(self) -> None:
        """For ever: ping who has heard nothing for long, and end who may be here no longer."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = time.monotonic()
            for socket in list(self._sockets):
                socket.look(now)


class _Running(NamedTuple):
    """A mutation on its way, the size of what it was given, and since when."""

    request_id: int
    future: asyncio.Future[Committed]
    size: int
    begun: float


class _Socket:
    """One client."""

    def __init__(self, sync: Sync, receive: Receive, send: AsgiSend, *, chunks: bool) -> None:
        self._sync = sync
        self._receive = receive
        self._send = send
        self._session = ServerSession(chunks=chunks)
        self._live: LiveSet | None = None
        self._identity: Identity = ANONYMOUS
        self._sent_at = time.monotonic()
        # Texts that cannot be made again; transitions are made when there is room for one.
        self._outbox: list[str] = []
        self._close: Close | None = None
        self._gone = False
        self._sender: asyncio.Task[None] | None = None
        # Mutations in the order in which they came.
        self._running: list[_Running] = []
        self._bytes = 0
        self._room: asyncio.Future[None] | None = None

    async def serve(self) -> None:
        """Serve until either side ends it; mutations that were accepted are finished."""
        message = await self._receive()
        assert message["type"] == "websocket.connect"
        self._live = await self._sync.backend.live(render, self._wake)
        await self._send({"type": "websocket.accept"})
        try:
            while True:
                if self._is_full():
                    self._room = asyncio.get_running_loop().create_future()
                    await self._room
                message = await self._receive()
                if message["type"] == "websocket.disconnect":
                    break
                if self._close is None:
                    self._take(message.get("text"))
        finally:
            self._close, self._gone = Close(), True
            self._live.close()
            if self._sender is not None:
                self._sender.cancel()
            if self._running:
                await asyncio.wait([each.future for each in self._running])

    def look(self, now: float) -> None:
        """See whether it is time for something."""
        if self._close is not None:
            return
        try:
            self._sync.keyring.require(self._identity)
        except UnauthenticatedError as error:
            self._do(self._session.refuse(error.message, attempted=False))
            return
        if self._running and now - self._running[0].begun >= MAX_SECONDS:
            # The client sends it again when it comes back; then it is known whether it happened.
            logger.error("a mutation has taken %g seconds", MAX_SECONDS)
            self._do([Close(INTERNAL_ERROR, "InternalServerError")])
            return
        if self._sender is None and now - self._sent_at >= PING_SECONDS:
            self._say(encode_server_message(Ping()))

    def _take(self, text: str | None) -> None:
        if text is None:
            self._do([Close(1003, "BinaryNotAllowed")])
            return
        try:
            self._sync.keyring.require(self._identity)
        except UnauthenticatedError as error:
            self._do(self._session.refuse(error.message, attempted=False))
            return
        self._do(self._session.receive(text), len(text))

    def _do(self, todo: list[Work], size: int = 0) -> None:
        assert self._live is not None
        for work in todo:
            match work:
                case Send(text):
                    self._say(text)
                case Close():
                    self._close = work
                    self._measure()
                    self._wake()
                case Watch(removed, added):
                    self._live.remove(removed)
                    self._live.add(added)
                case Identify():
                    self._identify(work)
                case Run(request_id, path, args, request):
                    caller = self._identity.caller
                    done = self._sync.backend.mutation(path, args, caller, request)
                    self._start(request_id, done, size)
                case Refuse(request_id, failure):
                    refused = asyncio.get_running_loop().create_future()
                    refused.set_exception(_RefusedError(failure))
                    self._start(request_id, refused, size)

    def _identify(self, work: Identify) -> None:
        assert self._live is not None
        keyring = self._sync.keyring
        try:
            if work.token_type == "User":
                self._identity = keyring.verify(work.value)
            elif work.token_type == "Admin":
                self._identity = keyring.verify_admin(work.value, work.acting_as)
            else:
                self._identity = ANONYMOUS
        except UnauthenticatedError as error:
            self._do(self._session.refuse(error.message, attempted=True))
            return
        self._session.identified()
        self._live.identify(self._identity.caller)

    def _start(self, request_id: int, future: asyncio.Future[Committed], size: int) -> None:
        self._running.append(_Running(request_id, future, size, time.monotonic()))
        self._bytes += size
        future.add_done_callback(self._finish)
        self._measure()

    def _finish(self, _done: asyncio.Future[Committed] | None = None) -> None:
        """Tell of what is done, in the order in which it came."""
        assert self._live is not None
        while self._running and self._running[0].future.done():
            done = self._running.pop(0)
            self._bytes -= done.size
            if self._close is None:
                self._answer(done.request_id, done.future)
            else:
                done.future.exception()  # It is nobody's any longer.
        self._measure()

    def _answer(self, request_id: int, future: asyncio.Future[Committed]) -> None:
        assert self._live is not None
        session, ts = self._session, 0
        try:
            committed = future.result()
            ts = committed.ts
            text = session.mutation_done(request_id, committed.value, ts)
        except _RefusedError as refused:
            text = session.mutation_failed(request_id, refused.failure)
        except Exception as error:
            if is_outage(error):
                # The client comes back and sends it again; then it is known whether it happened.
                logger.error("a mutation could not be committed: %s", error)
                self._do([Close(INTERNAL_ERROR, "InternalServerError")])
                return
            _log_unknown(error)
            failure = failure_of(error, session.error_id(request_id))
            text = session.mutation_failed(request_id, failure)
        self._live.expect(ts)
        self._say(text)

    def _say(self, text: str) -> None:
        self._outbox.append(text)
        self._bytes += len(text)
        self._measure()
        self._wake()

    def _is_full(self) -> bool:
        full = (
            self._bytes > _MAX_BYTES or len(self._running) >= _MAX_RUNNING or self._session.is_ahead
        )
        return full and self._close is None

    def _measure(self) -> None:
        """Go on reading if there is room."""
        if self._room is not None and not self._is_full():
            if not self._room.done():
                self._room.set_result(None)
            self._room = None

    def _wake(self) -> None:
        if self._sender is None and not self._gone:
            self._sender = asyncio.ensure_future(self._send_all())

    async def _send_all(self) -> None:
        """Send what there is. While the socket is full, this waits, and all else is only noted."""
        assert self._live is not None
        try:
            while True:
                # Before a transition that may have what they did; their own callbacks come later.
                self._finish()
                if self._outbox:
                    text = self._outbox.pop(0)
                    self._bytes -= len(text)
                    self._measure()
                    await self._send({"type": "websocket.send", "text": text})
                    self._sent_at = time.monotonic()
                elif self._close is not None:
                    close = self._close
                    await self._send(
                        {"type": "websocket.close", "code": close.code, "reason": close.reason}
                    )
                    return  # and stay the sender: nothing is sent after that
                elif moment := self._live.take():
                    outcomes = {number: each.text for number, each in moment.changes.items()}
                    for work in self._session.transition(moment.ts, outcomes):
                        match work:
                            case Send(text):
                                self._outbox.append(text)
                                self._bytes += len(text)
                            case Close():
                                self._close = work
                    self._measure()
                else:
                    break
        except OSError:
            # The client is gone; the receiving end learns it too, and must not wait for room.
            self._close = Close()
            self._measure()
            return
        self._sender = None


class _RefusedError(Exception):
    """A mutation that was not even tried."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def render(outcome: Outcome) -> Rendered:
    """The text of a live query's outcome, for all who watch it."""
    if outcome.error is not None:
        _log_unknown(outcome.error)
    text = outcome_text(outcome.value, outcome.error)
    content = text.encode()
    return Rendered(text, hashlib.blake2b(content, digest_size=16).digest(), len(content))


def _log_unknown(error: Exception) -> None:
    if not isinstance(error, ConvexStorageError):
        logger.error("a function has failed", exc_info=error)


def _client(scope: Scope) -> Client:
    """Who opens a socket. Raises `RefusedRequestError` for another path, and as `client_of`."""
    path = _PATH.match(scope["path"])
    if path is None:
        raise RefusedRequestError(404, "NotFound", "the WebSocket is at /api/sync")
    header = dict(scope["headers"]).get(b"convex-client", b"").decode("latin-1")
    return client_of(header, path["version"])
