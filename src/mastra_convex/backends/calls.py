"""Calls over HTTP, by httpx: every step of a call ends by its deadline.

Both faces make their calls on the loop of `loop_thread.py`.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import urllib.parse
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from mastra_convex._version import __version__
from mastra_convex.backends.attempts import (
    Functions,
    Kind,
    LostError,
    NotConnectedError,
    PostStep,
    Program,
    TokenStep,
)
from mastra_convex.backends.base import Args
from mastra_convex.backends.credentials import Credentials
from mastra_convex.backends.loop_thread import in_thread
from mastra_convex.errors import InvalidArgumentError
from mastra_convex.extras import needs_extra

with needs_extra("remote", "talking to a deployment or a server"):
    import httpx

T = TypeVar("T")

CLIENT = f"mastra-convex-{__version__}"
# Connections that nobody has used for so long are closed; servers and what is before them do so
# after a minute.
_IDLE_SECONDS = 55.0
# httpx looks through all its connections and waiting calls for each call: with more of them, many
# calls at once are slower, not faster.
_CONNECTIONS = 16


class Calls:
    """Calls the functions at one address. All methods run on one event loop."""

    def __init__(self, functions: Functions, credentials: Credentials) -> None:
        self.functions = functions
        self.credentials = credentials
        self._client: httpx.AsyncClient | None = None
        self._slots: asyncio.Semaphore | None = None
        self._renewing: asyncio.Lock | None = None

    async def call(self, kind: Kind, path: str, args: Args) -> Any:
        """The result of a function; see `Functions.call`."""
        deadline = self.functions.deadline()
        return await self.run(self.functions.call(kind, path, args, deadline), deadline)

    async def run(self, program: Program, deadline: float) -> Any:
        """The result of a program."""
        try:
            step = next(program)
            while True:
                try:
                    result: Any = None
                    if isinstance(step, TokenStep):
                        result = await self.token(step.refused, deadline)
                    elif isinstance(step, PostStep):
                        result = await _within(deadline, self._post, step)
                    else:
                        await asyncio.sleep(step.seconds)
                except asyncio.TimeoutError as error:
                    step = program.throw(TimeoutError(str(error)))
                except (LostError, NotConnectedError) as error:
                    step = program.throw(error)
                else:
                    step = program.send(result)
        except StopIteration as stop:
            return stop.value
        finally:
            program.close()

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.aclose()

    async def token(self, refused: str | None, deadline: float) -> str:
        """A token that is good for a while, and not the one that was `refused`."""
        token = self.credentials.present(refused)
        if token is None:
            token = await _within(deadline, self._renewed, refused)
        return token

    async def _renewed(self, refused: str | None) -> str:
        self._renewing = self._renewing or asyncio.Lock()
        async with self._renewing:
            token = self.credentials.present(refused)
            if token is None:
                token = await in_thread(lambda: self.credentials.renew(refused))
            return token

    async def _post(self, step: PostStep) -> tuple[int, bytes]:
        self._client = self._client or _client(self.functions.url)
        self._slots = self._slots or asyncio.Semaphore(_CONNECTIONS)
        headers = {"Authorization": f"Bearer {step.token}"} if step.token else None
        url = self.functions.url + step.route
        async with self._slots:
            try:
                response = await self._client.post(url, content=step.body, headers=headers)
            except (httpx.ConnectError, httpx.ProxyError, httpx.UnsupportedProtocol) as error:
                raise NotConnectedError(_root(error)) from error
            except httpx.HTTPError as error:
                raise LostError(str(error) or type(error).__name__) from error
        return response.status_code, response.content


def address_of(url: str) -> str:
    """The address without a slash at its end. Raises `InvalidArgumentError`, which does not quote
    it, if it is none.
    """
    parts = urllib.parse.urlsplit(url)
    try:
        good = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or parts.username is not None:
        raise InvalidArgumentError(
            "the address of a deployment is https://HOST or http://HOST:PORT, and nothing more"
        )
    return url.rstrip("/")


def tls_context(url: str) -> ssl.SSLContext:
    """Certificates are checked against those that the system trusts.

    Loading these takes longer than a call, and is left out where no TLS is spoken; a context
    without any trusts nobody.
    """
    if url.startswith("https://"):
        return ssl.create_default_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        headers={
            "Convex-Client": CLIENT,
            "Content-Type": "application/json",
            "User-Agent": CLIENT,
        },
        limits=httpx.Limits(
            max_connections=_CONNECTIONS,
            max_keepalive_connections=_CONNECTIONS,
            keepalive_expiry=_IDLE_SECONDS,
        ),
        # The whole call has a deadline.
        timeout=None,
        verify=tls_context(url),
    )


def _root(error: BaseException) -> Exception:
    """What the system has said, below the libraries."""
    said = error
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, OSError):
            said = below
        several = getattr(below, "exceptions", None)
        below = several[0] if several else below.__cause__ or below.__context__
    return said if isinstance(said, Exception) else RuntimeError(str(said))


async def _within(deadline: float, work: Callable[..., Awaitable[T]], *args: Any) -> T:
    """The result of what ends by the deadline; raises `asyncio.TimeoutError`."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise asyncio.TimeoutError
    return await asyncio.wait_for(work(*args), left)
