"""Calls over HTTP, by aiohttp: every step of a call ends by its deadline.

Both faces make their calls on the loop of `loop_thread.py`.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from mastra_convex._version import __version__
from mastra_convex.backends.attempts import (
    Functions,
    Kind,
    LostError,
    NotConnectedError,
    PostStep,
    Program,
    ProxyRefusedError,
    TokenStep,
)
from mastra_convex.backends.base import Args
from mastra_convex.backends.credentials import Credentials
from mastra_convex.backends.loop_thread import in_thread
from mastra_convex.errors import InvalidArgumentError
from mastra_convex.extras import needs_extra

with needs_extra("remote", "talking to a deployment or a server"):
    import aiohttp

T = TypeVar("T")

CLIENT = f"mastra-convex-{__version__}"
_NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError)
_HEADERS = {
    "Accept-Encoding": "gzip, deflate",
    "Content-Type": "application/json",
    "Convex-Client": CLIENT,
    "User-Agent": CLIENT,
}
# Connections that nobody has used for so long are closed; servers and what is before them do so
# after a minute.
_IDLE_SECONDS = 55.0
# What is sent at once, so that a large body lets other calls in between.
_CHUNK_BYTES = 256 * 1024
# As many as there are calls at once, within reason; more calls wait for one.
_CONNECTIONS = 100


class Calls:
    """Calls the functions at one address. All methods run on one event loop."""

    def __init__(self, functions: Functions, credentials: Credentials) -> None:
        self.functions = functions
        self.credentials = credentials
        self._session: aiohttp.ClientSession | None = None
        self._headers = _HEADERS
        self._proxy: str | None = None
        self._proxy_headers: dict[str, str] = {}
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
        if self._session is not None:
            await self._session.close()

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
        session = self._session or self._open()
        headers = self._headers
        if step.token:
            headers = {**headers, "Authorization": f"Bearer {step.token}"}
        body: bytes | AsyncIterator[bytes] = step.body
        if len(step.body) > _CHUNK_BYTES:
            headers = {**headers, "Content-Length": str(len(step.body))}
            body = _chunks(step.body)
        try:
            async with session.post(
                self.functions.url + step.route,
                data=body,
                headers=headers,
                allow_redirects=False,
                proxy=self._proxy,
                proxy_headers=self._proxy_headers,
            ) as response:
                return response.status, await response.read()
        except _NOT_CONNECTED as error:
            raise NotConnectedError(_root(error)) from error
        except aiohttp.ClientError as error:
            raise LostError(str(error) or type(error).__name__) from error

    def _open(self) -> aiohttp.ClientSession:
        url = self.functions.url
        self._proxy, credentials = _proxy(url)
        if url.startswith("https:"):
            self._proxy_headers = credentials
        else:
            self._headers = {**_HEADERS, **credentials}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=_CONNECTIONS, keepalive_timeout=_IDLE_SECONDS, ssl=tls_context(url)
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Deadlines are those of calls.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        )
        return self._session


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


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _CHUNK_BYTES):
        yield body[start : start + _CHUNK_BYTES]


def _proxy(url: str) -> tuple[str | None, dict[str, str]]:
    """What the environment says is to be gone through, and the header that opens it."""
    parts = urllib.parse.urlsplit(url)
    address = urllib.request.getproxies().get(parts.scheme)
    if address is None or urllib.request.proxy_bypass(parts.hostname or ""):
        return None, {}
    proxy = urllib.parse.urlsplit(address if "://" in address else f"http://{address}")
    user, at, host = proxy.netloc.rpartition("@")
    if not at:
        return proxy.geturl(), {}
    name, _, password = (urllib.parse.unquote_to_bytes(part) for part in user.partition(":"))
    known = base64.b64encode(name + b":" + password).decode()
    return proxy._replace(netloc=host).geturl(), {"Proxy-Authorization": f"Basic {known}"}


def _root(error: BaseException) -> Exception:
    """What the system has said, below the libraries."""
    said = error
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, aiohttp.ClientHttpProxyError):
            refused = ProxyRefusedError if below.status < 500 else RuntimeError
            return refused(f"{below.status} {below.message}")
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
