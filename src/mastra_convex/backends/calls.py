"""Calls over HTTP, by httpx: every step of a call ends by its deadline.

Both faces make their calls on the loop of `loop_thread.py`. Requests go straight to a transport of
httpx, the one that is built on aiohttp: what `httpx.AsyncClient` and its own transport add takes
longer than all the rest of a call.
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
    import httpx
    from httpx_aiohttp import AiohttpTransport

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
        self._transport: AiohttpTransport | None = None
        self._headers = _HEADERS
        self._routes: dict[str, httpx.URL] = {}
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
        if self._transport is not None:
            await self._transport.aclose()

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
        if self._transport is None:
            self._open()
            assert self._transport is not None
        headers = self._headers
        if step.token:
            headers = {**headers, "Authorization": f"Bearer {step.token}"}
        content: bytes | AsyncIterator[bytes] = step.body
        if len(step.body) > _CHUNK_BYTES:
            headers = {**headers, "Content-Length": str(len(step.body))}
            content = _chunks(step.body)
        request = httpx.Request("POST", self._url(step.route), headers=headers, content=content)
        try:
            response = await self._transport.handle_async_request(request)
            try:
                return response.status_code, await response.aread()
            finally:
                await response.aclose()
        except (httpx.TransportError, aiohttp.ClientError) as error:
            # The transport calls it a time-out, whatever it was; aiohttp's own error tells.
            if isinstance(error.__cause__, _NOT_CONNECTED):
                raise NotConnectedError(_root(error)) from error
            raise LostError(str(error) or type(error).__name__) from error

    def _open(self) -> None:
        url = self.functions.url
        proxy, credentials = _proxy(url)
        if url.startswith("http:"):
            self._headers = {**_HEADERS, **credentials}
        self._transport = AiohttpTransport(
            verify=tls_context(url),
            limits=httpx.Limits(max_connections=_CONNECTIONS, keepalive_expiry=_IDLE_SECONDS),
            proxy=None if proxy is None else httpx.Proxy(proxy, headers=credentials),
        )

    def _url(self, route: str) -> httpx.URL:
        """The address of a route, taken apart once."""
        if route not in self._routes:
            self._routes[route] = httpx.URL(self.functions.url + route)
        return self._routes[route]


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


def _proxy(url: str) -> tuple[httpx.URL | None, dict[str, str]]:
    """What the environment says is to be gone through, and the header that opens it."""
    parts = urllib.parse.urlsplit(url)
    address = urllib.request.getproxies().get(parts.scheme)
    if address is None or urllib.request.proxy_bypass(parts.hostname or ""):
        return None, {}
    proxy = httpx.Proxy(address if "://" in address else f"http://{address}")
    if proxy.auth is None:
        return proxy.url, {}
    known = base64.b64encode(":".join(proxy.auth).encode()).decode()
    return proxy.url, {"Proxy-Authorization": f"Basic {known}"}


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
