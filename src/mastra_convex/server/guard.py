"""What a browser may reach: the Host and the Origin of every request are checked.

Any web page can send requests to, and open WebSockets at, a server on the same machine; and a page
can make its own name mean 127.0.0.1. A token is needed in any case; this keeps pages of strangers
from even asking.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mastra_convex.protocol.requests import RefusedRequestError

_PREFLIGHT_SECONDS = 86_400
_METHODS = "GET, POST, OPTIONS"


class Guard:
    """Lets through what comes from no page, from this server's own pages or an allowed origin.

    Hosts that are addresses are allowed, as is localhost: they cannot be made to mean something
    else. Names are allowed if listed.
    """

    def __init__(self, app: ASGIApp, origins: Iterable[str], hosts: Iterable[str]) -> None:
        self._app = app
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self._hosts = frozenset({"localhost", *(host.lower() for host in hosts)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an ASGI request, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            return await self._app(scope, receive, send)
        origin = header(scope, b"origin")
        refused = self._refused(header(scope, b"host") or "", origin)
        if refused is not None:
            return await refuse(refused)(scope, receive, send)
        if scope["type"] == "websocket" or origin is None:
            return await self._app(scope, receive, send)
        allowed = _cors(origin)
        if scope["method"] == "OPTIONS":
            wanted = header(scope, b"access-control-request-headers") or ""
            preflight = {
                "Access-Control-Allow-Methods": _METHODS,
                "Access-Control-Allow-Headers": wanted,
                "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
            }
            return await Response(headers={**allowed, **preflight})(scope, receive, send)

        async def send_with_headers(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                added = [(name.lower().encode(), text.encode()) for name, text in allowed.items()]
                message["headers"] = [*message["headers"], *added]  # type: ignore[misc]
            await send(message)

        await self._app(scope, receive, send_with_headers)  # type: ignore[arg-type]

    def _refused(self, host: str, origin: str | None) -> RefusedRequestError | None:
        name = _host_name(host)
        if not (name in self._hosts or _is_address(name)):
            return RefusedRequestError(
                403, "HostNotAllowed", "the server does not know this Host; allow it: --allow-host"
            )
        if origin is None or origin.lower() in self._origins:
            return None
        if origin.lower() in {f"http://{host}".lower(), f"https://{host}".lower()}:
            return None
        return RefusedRequestError(
            403, "OriginNotAllowed", "pages of this origin may not ask; allow it: --allow-origin"
        )


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of that name, which is in small letters."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None


def refuse(refused: RefusedRequestError) -> Response:
    """The response that says so; for a WebSocket it is the answer to the handshake."""
    return Response(refused.body(), refused.status, media_type="application/json")


def _cors(origin: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Vary": "Origin",
    }


# A server is called by few names.
@lru_cache(maxsize=64)
def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


@lru_cache(maxsize=64)
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
