"""Subscriptions over the sync WebSocket: one connection that is made again whenever it breaks.

A subscriber keeps the last value while there is no connection, and hears of nothing but changes
afterwards. It is told an error when that says something that waiting does not mend (the token is
refused, the functions are of another version), and when there is no first value in time. Trying
goes on in any case.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from contextlib import suppress

from mastra_convex.backends.attempts import pause_after, unreachable
from mastra_convex.backends.calls import CLIENT, Calls, tls_context
from mastra_convex.errors import (
    ConvexStorageError,
    DeploymentError,
    UnauthenticatedError,
    UnreachableError,
)
from mastra_convex.extras import needs_extra
from mastra_convex.protocol.client_session import ClientSession
from mastra_convex.protocol.codec import MalformedMessageError, encode_client_message
from mastra_convex.protocol.live_reads import LiveRead, LiveReads
from mastra_convex.values.outcome import Outcome

with needs_extra("remote", "talking to a deployment or a server"):
    from websockets.asyncio.client import ClientConnection, connect
    from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

logger = logging.getLogger("mastra_convex")

ROUTE = "/api/sync"

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 16.0
# How often a connection is asked whether it is there, and how long it may take to say so.
_PING_SECONDS, _PONG_SECONDS = 15.0, 15.0
# Results are bounded (16 MiB each), not what a transition holds of them.
_LARGEST_MESSAGE = 256 * 1024 * 1024
# How long a connection may take to say goodbye.
_CLOSE_SECONDS = 1.0


class Subscriptions:
    """All subscriptions of one storage. All methods run on one event loop."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        functions = calls.functions
        self._url, self._timeout = functions.url, functions.timeout
        self._session = ClientSession(str(uuid.uuid4()), functions.url)
        self._reads = LiveReads(self._session, functions.prefix)
        self._socket: ClientConnection | None = None
        self._sending = asyncio.Lock()
        self._flushing = False
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        # The token that the connection was last told, and the last one that was refused.
        self._sent: str | None = None
        self._refused: str | None = None
        # What all have been told since a connection was last good.
        self._told: ConvexStorageError | None = None
        self._last_failure: UnreachableError | None = None

    def add(self, read: LiveRead) -> None:
        """Deliver the value of a read now and after each change."""
        if not read.active:
            return
        self._reads.add(read)
        self._wanted.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._serve())
        asyncio.get_running_loop().call_later(self._timeout, self._overdue, read)
        self._flush_soon()

    def remove(self, read: LiveRead) -> None:
        """End a subscription."""
        self._reads.remove(read)
        if not len(self._reads):
            self._wanted.clear()
        self._flush_soon()

    def end(self, error: Exception) -> None:
        """Tell all that there will be nothing more."""
        self._reads.tell_all(error)

    def _overdue(self, read: LiveRead) -> None:
        if read.active and not read.answered:
            error = self._last_failure or UnreachableError(
                f"{self._url} has sent no value within {self._timeout:g} seconds", url=self._url
            )
            read.tell(Outcome(error=error))

    async def _serve(self) -> None:
        while True:
            await self._wanted.wait()
            try:
                reason = await self._connection()
            except UnreachableError as error:
                self._last_failure = error
                reason = error.code
            except ConvexStorageError as error:
                self._tell_once(error)
                reason = error.code
            except MalformedMessageError as error:
                logger.warning("%s: %s; connecting again", self._url, error)
                reason = "MalformedMessage"
            except Exception:
                # A mistake of ours must not end all subscriptions without a word.
                logger.exception("%s: the connection failed; connecting again", self._url)
                reason = "ClientError"
            self._session.disconnected(reason)
            self._failures += 1
            await asyncio.sleep(pause_after(self._failures, _FIRST_PAUSE, _LONGEST_PAUSE))

    def _tell_once(self, error: ConvexStorageError) -> None:
        """Tell all of an error; when it comes again, those that have come since."""
        again = self._told is not None and self._told.code == error.code
        self._told = error
        self._reads.tell_all(error, unanswered=again)

    async def _connection(self) -> str:
        """Connect and serve until the connection ends; returns why it did."""
        deadline = self._calls.functions.deadline()
        try:
            socket, token = await asyncio.wait_for(self._connect(deadline), self._timeout)
        except (asyncio.TimeoutError, TimeoutError) as error:
            raise UnreachableError(
                f"{self._url} does not answer within {self._timeout:g} seconds", url=self._url
            ) from error
        except InvalidStatus as error:
            status = error.response.status_code
            kind = DeploymentError if 400 <= status < 500 else UnreachableError
            text = f"{self._url} refuses subscriptions (status {status})"
            raise kind(text, url=self._url, status=status) from error
        except (InvalidHandshake, OSError) as error:
            raise unreachable(self._url, error) from error
        self._socket = socket
        try:
            return await self._served(socket, token)
        except ConnectionClosed as error:
            return (
                error.rcvd.reason or f"closed with code {error.rcvd.code}" if error.rcvd else "lost"
            )
        finally:
            self._socket = None
            await socket.close()

    async def _connect(self, deadline: float) -> tuple[ClientConnection, str]:
        """An open socket, and the token for it."""
        calls = self._calls
        await calls.run(calls.functions.require_compatible(deadline), deadline)
        token = await calls.token(self._refused, deadline)
        socket = await connect(
            f"ws{self._url.removeprefix('http')}{ROUTE}",
            ssl=tls_context(self._url) if self._url.startswith("https://") else None,
            additional_headers={"Convex-Client": CLIENT},
            user_agent_header=None,
            compression=None,
            max_size=_LARGEST_MESSAGE,
            ping_interval=_PING_SECONDS,
            ping_timeout=_PONG_SECONDS,
            close_timeout=_CLOSE_SECONDS,
            open_timeout=None,
        )
        return socket, token

    async def _served(self, socket: ClientConnection, token: str) -> str:
        self._sent = token
        for message in self._session.opening(token, int(time.time() * 1000)):
            await socket.send(encode_client_message(message))
        renewing = asyncio.get_running_loop().create_task(self._renew(socket))
        try:
            while True:
                text = await socket.recv(decode=True)
                changed = self._session.receive(text)
                if changed is None:
                    continue
                if self._session.settled:
                    self._failures = 0
                    self._refused = self._told = self._last_failure = None
                self._reads.moved(changed)
                await self._flush()
        except UnauthenticatedError:
            # A token may be refused once: keys are exchanged, and machines sleep.
            again, self._refused = self._refused is not None, self._sent
            if again:
                raise
            return "AuthError"
        finally:
            renewing.cancel()

    async def _renew(self, socket: ClientConnection) -> None:
        """Say who we are anew, each time before the token expires."""
        credentials = self._calls.credentials
        while True:
            await asyncio.sleep(credentials.fresh_for())
            token = await self._calls.token(None, self._calls.functions.deadline())
            async with self._sending:
                self._sent = token
                with suppress(ConnectionClosed):
                    await socket.send(encode_client_message(self._session.authenticate(token)))

    def _flush_soon(self) -> None:
        """Say what has changed in the set of queries, once for all changes of this turn."""
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        self._flushing = False
        async with self._sending:
            if self._socket is not None:
                for message in self._session.changes():
                    # That the connection has ended is found out by who receives.
                    with suppress(ConnectionClosed):
                        await self._socket.send(encode_client_message(message))
