"""The HTTP API: `/api/query` and its kin."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from mastra_convex.backends.base import Caller, OutOfRetentionError, ServedBackend
from mastra_convex.errors import ConvexStorageError, FunctionNotFoundError
from mastra_convex.protocol.clients import client_of
from mastra_convex.protocol.codec import encode_ts
from mastra_convex.protocol.failures import bounded, failure_of, is_outage
from mastra_convex.protocol.paths import path_of_url
from mastra_convex.protocol.requests import (
    MAX_BODY_BYTES,
    MAX_SECONDS,
    HttpCall,
    RefusedRequestError,
    Render,
    failed,
    parse_body,
    parse_call,
    render_as,
    success,
)
from mastra_convex.server.auth import Keyring, RefusedHeaderError, identify_header
from mastra_convex.server.guard import header, refuse
from mastra_convex.values.encoding import parse_json, to_json

logger = logging.getLogger("mastra_convex")

_MAX_BATCH = 100
Run = Callable[[HttpCall, Caller], Awaitable[str]]


class Calls:
    """The routes of the HTTP API over a backend."""

    def __init__(self, backend: ServedBackend, keyring: Keyring, version: str) -> None:
        self._backend = backend
        self._keyring = keyring
        self._version = version

    def routes(self) -> list[Route]:
        """For `Starlette(routes=...)`."""
        return [
            # Looked at in this order: first what is asked all the time.
            Route("/api/query", _Endpoint(self._query), methods=["GET", "POST"]),
            Route("/api/mutation", _Endpoint(self._mutation), methods=["POST"]),
            Route("/", _told("This is a mastra-convex server. Give its address to a client.")),
            Route("/version", _told(self._version)),
            Route("/instance_version", _told(self._version)),
            Route("/instance_name", _told("mastra-convex")),
            Route("/api/query_ts", _Endpoint(self._timestamp), methods=["POST"]),
            Route("/api/query_at_ts", _Endpoint(self._query_at), methods=["POST"]),
            Route("/api/query_batch", _Endpoint(self._batch), methods=["POST"]),
            Route("/api/action", _Endpoint(self._action), methods=["POST"]),
            Route("/api/function", _Endpoint(self._function), methods=["POST"]),
            Route("/api/run/{path:path}", _Endpoint(self._run), methods=["POST"]),
        ]

    async def _query(self, request: Request) -> str:
        caller = self._caller(request)
        return await self._answer(await _body_of(request), caller, self._run_query)

    async def _query_at(self, request: Request) -> str:
        caller = self._caller(request)
        return await self._answer(await _body_of(request), caller, self._run_query, at=True)

    async def _timestamp(self, _request: Request) -> str:
        return to_json({"ts": encode_ts(await self._backend.timestamp())})

    async def _batch(self, request: Request) -> str:
        caller = self._caller(request)
        queries = (await _body_of(request)).get("queries")
        if not isinstance(queries, list) or not all(isinstance(each, dict) for each in queries):
            raise RefusedRequestError(400, "BadJsonBody", "queries is a list of calls")
        if len(queries) > _MAX_BATCH:
            raise RefusedRequestError(
                400, "TooManyQueries", f"a batch has {_MAX_BATCH} queries at the most"
            )
        ts = encode_ts(await self._backend.timestamp())
        answers = [
            await self._answer({**each, "ts": ts}, caller, self._run_query, at=True)
            for each in queries
        ]
        return f'{{"results":[{",".join(answers)}]}}'

    async def _mutation(self, request: Request) -> str:
        caller = self._caller(request)
        return await self._answer(await _body_of(request), caller, self._run_mutation)

    async def _action(self, request: Request) -> str:
        caller = self._caller(request)
        return await self._answer(await _body_of(request), caller, self._run_action)

    async def _function(self, request: Request) -> str:
        caller = self._caller(request)
        if not caller.operator:
            raise RefusedRequestError(
                403, "BadDeployKey", "running any function takes the admin key"
            )
        return await self._answer(await _body_of(request), caller, self._run_any)

    async def _run(self, request: Request) -> str:
        caller = self._caller(request)
        path = path_of_url(request.path_params["path"])
        if path is None:
            raise RefusedRequestError(
                400, "MissingIdentifier", "the address is /api/run/module/function"
            )
        body = await _body_of(request)
        return await self._answer(body, caller, self._run_any, path=path)

    async def _run_query(self, call: HttpCall, caller: Caller) -> str:
        def render(value: Any) -> str:
            return bounded(call.render(value))

        return await self._backend.query(call.path, call.args, caller, render, call.ts)

    async def _run_mutation(self, call: HttpCall, caller: Caller) -> str:
        return call.render((await self._backend.mutation(call.path, call.args, caller)).value)

    async def _run_any(self, call: HttpCall, caller: Caller) -> str:
        try:
            return await self._run_query(call, caller)
        except FunctionNotFoundError as error:
            if error.data.get("kind") != "mutation":
                raise
        return await self._run_mutation(call, caller)

    async def _run_action(self, call: HttpCall, caller: Caller) -> str:
        try:
            await self._backend.query(call.path, {}, caller, call.render)
        except FunctionNotFoundError as error:
            raise FunctionNotFoundError(
                error.message, **{**error.data, "wanted": "action"}
            ) from None
        except ConvexStorageError:
            pass
        raise FunctionNotFoundError(
            f"{call.path!r} is a query", path=call.path, kind="query", wanted="action"
        )

    async def _answer(
        self,
        body: dict[str, Any],
        caller: Caller,
        run: Run,
        *,
        path: str | None = None,
        at: bool = False,
    ) -> str:
        """The answer to one call: its value, or the error of the function."""
        render = render_as(body.get("format"))
        try:
            return success(await run(parse_call(body, path, at=at), caller))
        except OutOfRetentionError:
            raise RefusedRequestError(
                503, "OutOfRetention", "this moment can no longer be read; ask for a new timestamp"
            ) from None
        except RefusedRequestError:
            raise
        except Exception as error:
            return self._failure(error, render)

    def _failure(self, error: Exception, render: Render) -> str:
        if is_outage(error):
            logger.error("a call could not be answered: %s", error)
            raise RefusedRequestError(
                503, "StorageUnavailable", "the server cannot use its file at present; try again"
            ) from None
        if not isinstance(error, ConvexStorageError):
            logger.error("a function has failed", exc_info=error)
        return failed(failure_of(error, secrets.token_hex(8)), render)

    def _caller(self, request: Request) -> Caller:
        try:
            return identify_header(header(request.scope, b"authorization"), self._keyring).caller
        except RefusedHeaderError as refused:
            raise RefusedRequestError(refused.status, refused.code, refused.message) from None


class _Endpoint:
    """What answers under a route: an application of ASGI.

    Starlette lays two layers of its own around a function, which take a tenth of a call.
    """

    def __init__(self, handle: Callable[[Request], Awaitable[str]]) -> None:
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            client_of(header(scope, b"convex-client"))
            text = await _in_time(self._handle(Request(scope, receive)))
            response = Response(text, media_type="application/json")
        except RefusedRequestError as refused:
            response = refuse(refused)
        except ClientDisconnect:
            response = Response(status_code=408)
        await response(scope, receive, send)


async def _in_time(answer: Awaitable[str]) -> str:
    """The answer. Raises `RefusedRequestError` when it takes too long.

    A function cannot be stopped, so a mutation may still happen; that is what the caller is told.
    """
    task, late = asyncio.current_task(), False
    assert task is not None

    def give_up() -> None:
        nonlocal late
        late = True
        task.cancel()

    # Not `wait_for`: before Python 3.12 it makes a task of each call.
    timer = asyncio.get_running_loop().call_later(MAX_SECONDS, give_up)
    try:
        return await answer
    except asyncio.CancelledError:
        if not late:
            raise
        raise RefusedRequestError(
            503,
            "RequestTimedOut",
            f"the call has taken {MAX_SECONDS:g} seconds; whether a mutation was done, or will be, "
            "is not known",
        ) from None
    finally:
        timer.cancel()


def _told(text: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_request: Request) -> Response:
        return PlainTextResponse(text)

    return endpoint


async def _body_of(request: Request) -> dict[str, Any]:
    """The object in the body, or of the query string. Raises `RefusedRequestError`."""
    if request.method == "GET":
        given = dict(request.query_params)
        if "args" in given:
            try:
                return {**given, "args": parse_json(given["args"])}
            except ValueError:
                raise RefusedRequestError(400, "BadJsonBody", "args is JSON text") from None
        return dict(given)
    kind = (header(request.scope, b"content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise RefusedRequestError(400, "BadJsonBody", "the Content-Type is application/json")
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BODY_BYTES:
            raise RefusedRequestError(
                413, "RequestTooLarge", f"a body has {MAX_BODY_BYTES} bytes at the most"
            )
        pieces.append(piece)
    return parse_body(b"".join(pieces))
