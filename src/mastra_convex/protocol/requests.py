"""Calls over Convex's HTTP API, as a server sees them: bodies, formats, answers, refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mastra_convex.protocol.codec import MalformedMessageError, decode_ts
from mastra_convex.protocol.failures import Failure
from mastra_convex.protocol.messages import NO_DATA
from mastra_convex.protocol.paths import canonical_path
from mastra_convex.protocol.server_session import arguments
from mastra_convex.values.encoding import (
    decode,
    encode_clean,
    encode_text,
    parse_json,
    to_json,
)

# 16 MiB of arguments, and what stands around them.
MAX_BODY_BYTES = 16 * 1024 * 1024 + 2000
# From a call's arrival, its body included, to its answer; Convex gives a mutation as long.
MAX_SECONDS = 60.0

Render = Callable[[Any], str]


class RefusedRequestError(Exception):
    """The request is not for a function to answer: a status, a stable code, a text."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self) -> str:
        """What the client is answered."""
        return to_json({"code": self.code, "message": self.message})


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One call: what to run, how to write its value, and for `query_at_ts` the moment."""

    path: str
    args: dict[str, Any]
    render: Render
    ts: int | None = None


def parse_body(content: bytes) -> dict[str, Any]:
    """The object in a request's body. Raises `RefusedRequestError`."""
    try:
        body = parse_json(content)
    except ValueError as error:
        raise RefusedRequestError(400, "BadJsonBody", f"the body is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise RefusedRequestError(400, "BadJsonBody", "the body is no JSON object")
    return body


def parse_call(body: dict[str, Any], path: str | None = None, *, at: bool = False) -> HttpCall:
    """The call in a body; `path` comes from the URL, if it does. Raises `RefusedRequestError`.

    With `at` the body tells the moment, too. Arguments that are no values of Convex raise
    `InvalidArgumentError`: that is an answer, not a refusal.
    """
    if path is None:
        path = parse_path(body.get("path"))
    if "args" not in body:
        raise RefusedRequestError(400, "BadJsonBody", "the body has no args")
    render = render_as(body.get("format"))
    try:
        ts = decode_ts(body.get("ts")) if at else None
    except MalformedMessageError as error:
        raise RefusedRequestError(400, "BadJsonBody", str(error)) from None
    return HttpCall(path, arguments(body["args"]), render, ts)


def parse_path(text: Any) -> str:
    """The canonical path in a body or a URL. Raises `RefusedRequestError`."""
    path = canonical_path(text) if isinstance(text, str) else None
    if path is None:
        raise RefusedRequestError(
            400,
            "BadConvexFunctionIdentifier",
            f"{str(text)[:200]!r} is not a valid path to a Convex function; "
            "it is written module:function",
        )
    return path


def render_as(name: Any) -> Render:
    """How values are written in the format of that name. Raises `RefusedRequestError`."""
    if name in {"convex_encoded_json", "convex_json"}:
        return lambda value: encode_text(value).text
    if name in {None, "json", "convex_clean_json"}:
        return lambda value: to_json(encode_clean(value))
    raise RefusedRequestError(
        400, "BadFormat", f"there is no format {str(name)[:50]!r}; use json or convex_encoded_json"
    )


def success(value: str) -> str:
    """The answer that has a value."""
    return f'{{"status":"success","value":{value}}}'


def failed(failure: Failure, render: Render) -> str:
    """The answer that has an error of the function."""
    data = ""
    if failure.data is not NO_DATA:
        data = f',"errorData":{render(decode(failure.data))}'
    return f'{{"status":"error","errorMessage":{to_json(failure.message)}{data}}}'
