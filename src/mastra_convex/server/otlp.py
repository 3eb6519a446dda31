"""OTLP over HTTP: `/v1/traces` takes the spans of any program that has OpenTelemetry."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from mastra_convex.backends.base import Caller, ServedBackend
from mastra_convex.errors import ConvexStorageError
from mastra_convex.otlp.answers import MEDIA_TYPES, Encoding, encoding_of, failure, success
from mastra_convex.otlp.intake import Rejected, TooLargeError, calls_of, unpacked
from mastra_convex.otlp.wire import MalformedError, TooManySpansError
from mastra_convex.protocol.failures import is_outage
from mastra_convex.protocol.requests import MAX_BODY_BYTES
from mastra_convex.server.auth import Keyring, RefusedHeaderError, identify_header

logger = logging.getLogger("mastra_convex")

# Of all requests that have not been answered: more than that has to be sent again.
_MAX_WAITING_BYTES = 4 * MAX_BODY_BYTES
# Requests that are unpacked and stored at a time; the others wait as they came.
_AT_ONCE = 2
_RETRY_SECONDS = 1


class _RefusedError(Exception):
    """A request that is answered with a status, and a text that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Intake:
    """The route of OTLP over a backend. Decoding has a thread of its own."""

    def __init__(self, backend: ServedBackend, keyring: Keyring) -> None:
        self._backend = backend
        self._keyring = keyring
        self._waiting = 0
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._decoder = ThreadPoolExecutor(1, thread_name_prefix="mastra-convex-otlp")

    def routes(self) -> list[Route]:
        """For `Starlette(routes=...)`."""
        return [Route("/v1/traces", self._traces, methods=["POST"])]

    def close(self) -> None:
        """Let go of the thread."""
        self._decoder.shutdown(wait=False)

    async def _traces(self, request: Request) -> Response:
        encoding = encoding_of(request.headers.get("content-type", ""))
        headers = {}
        try:
            if encoding is None:
                raise _RefusedError(
                    415, "the Content-Type is application/x-protobuf or application/json"
                )
            rejected = await self._take(request, encoding)
            body, status = success(encoding, rejected.count, rejected.message()), 200
        except _RefusedError as refused:
            encoding = encoding or "json"
            body, status = failure(encoding, refused.status, refused.message), refused.status
            if status in {429, 503}:
                headers["Retry-After"] = str(_RETRY_SECONDS)
        except ClientDisconnect:
            return Response(status_code=408)
        return Response(body, status, headers, MEDIA_TYPES[encoding])

    async def _take(self, request: Request, encoding: Encoding) -> Rejected:
        """Store the spans of a request; returns those that were not. Raises `_RefusedError`."""
        caller = self._caller(request)
        packing = request.headers.get("content-encoding", "identity").strip().lower()
        if packing not in {"", "identity", "gzip"}:
            raise _RefusedError(415, f"the Content-Encoding is gzip or none, not {packing[:60]}")
        rejected = Rejected()
        taken = 0
        try:
            pieces = []
            async for piece in request.stream():
                taken += len(piece)
                self._waiting += len(piece)
                if taken > MAX_BODY_BYTES:
                    raise TooLargeError
                if self._waiting > _MAX_WAITING_BYTES:
                    raise _RefusedError(429, "too much is waiting to be stored; send it again")
                pieces.append(piece)
            body = b"".join(pieces)
            pieces.clear()
            async with self._turns:
                calls = await self._decode(_begin, body, packing == "gzip", encoding, rejected)
                del body
                while (call := await self._decode(next, calls, None)) is not None:
                    await self._save(call, caller, rejected)
        except TooLargeError:
            raise _RefusedError(
                413, f"a body has {MAX_BODY_BYTES} bytes at the most; send smaller batches"
            ) from None
        except TooManySpansError:
            raise _RefusedError(413, "a request has too many spans; send smaller batches") from None
        except MalformedError as error:
            raise _RefusedError(400, str(error)) from None
        finally:
            self._waiting -= taken
        return rejected

    async def _save(self, call: dict[str, Any], caller: Caller, rejected: Rejected) -> None:
        """Save some spans together; or each by itself, if that is what fails."""
        path = f"{self._backend.prefix}spans:save"
        try:
            await self._backend.mutation(path, call, caller)
        except Exception as error:
            if is_outage(error):
                logger.error("spans could not be stored: %s", error)
                raise _RefusedError(
                    503, "the server cannot use its file at present; send it again"
                ) from None
            spans = call["spans"]
            if len(spans) == 1:
                if not isinstance(error, ConvexStorageError):
                    logger.error("a span could not be stored", exc_info=error)
                rejected.add(f"span {spans[0]['spanId']}: {_told(error)}")
                return
            for span in spans:
                await self._save({"spans": [span]}, caller, rejected)

    async def _decode(self, work: Any, *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._decoder, work, *args)

    def _caller(self, request: Request) -> Caller:
        """Who is sending. Raises `_RefusedError` for anybody but the service."""
        try:
            caller = identify_header(request.headers.get("authorization"), self._keyring).caller
        except RefusedHeaderError as refused:
            raise _RefusedError(refused.status, refused.message) from None
        if caller.resource_id is not None:
            raise _RefusedError(403, "storing spans is for the service; a resource's token cannot")
        if not caller.service:
            raise _RefusedError(401, "the Authorization header has to name the service")
        return caller


def _begin(
    body: bytes, packed: bool, encoding: Encoding, rejected: Rejected
) -> Iterator[dict[str, Any]]:
    return calls_of(unpacked(body, MAX_BODY_BYTES) if packed else body, encoding, rejected)


def _told(error: Exception) -> str:
    """What a client may know of an error: the text of one that is not ours is in the log alone."""
    return error.message if isinstance(error, ConvexStorageError) else "Server Error"
