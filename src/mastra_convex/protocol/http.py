"""Calls over Convex's HTTP API: what is sent, and what an answer means."""

from __future__ import annotations

from typing import Any

from mastra_convex.errors import (
    ConvexStorageError,
    DeploymentError,
    FunctionNotFoundError,
    UnauthenticatedError,
    UnreachableError,
    error_from_wire,
)
from mastra_convex.values.encoding import decode, parse_json

QUERY = "/api/query"
MUTATION = "/api/mutation"

# What a deployment says of functions it has not, and of those it hides. One in production says
# nothing but "Server Error".
_NOT_FOUND = "Could not find public function"
_SHOWN = 500


def call_body(path: str, args: dict[str, Any]) -> dict[str, Any]:
    """The body of a call."""
    return {"path": path, "args": args, "format": "convex_encoded_json"}


def result_of(url: str, path: str, status: int, body: bytes) -> Any:
    """The result in an answer to a call of `path` at `url`; raises the error in it.

    Errors of our functions come back as they were raised; those of Convex have `url` in `data`, and
    are `FunctionNotFoundError`, `UnauthenticatedError` (the token), `UnreachableError` (this is not
    Convex) or `DeploymentError`.
    """
    try:
        answer = parse_json(body)
    except ValueError:
        answer = None
    match answer:
        case {"status": "success", "value": value} if status == 200:
            # Special values are rare, and looking for them in each result is not free.
            return decode(value) if b'"$' in body else value
        case {"status": "error", "errorMessage": str(text)}:
            raise failure(url, path, text, answer.get("errorData"))
        case {"code": str(code), "message": str(text)}:
            kind = UnauthenticatedError if status == 401 else DeploymentError
            text = text[:_SHOWN]
            raise kind(f"{url}: {text}", url=url, reason=code, said=text, status=status)
    raise UnreachableError(
        f"{url} answers (status {status}), but not as a Convex deployment does",
        url=url,
        status=status,
    )


def failure(url: str, path: str, text: str, data: Any) -> ConvexStorageError:
    """What a function at `url` has raised, given the message and the errorData in the answer."""
    match data:
        case {"code": str(), "message": str()}:
            return error_from_wire(data)
    if _NOT_FOUND in text:
        return FunctionNotFoundError(f"{url} has no function {path}", url=url, path=path)
    return DeploymentError(f"{url}: {path} failed: {text[:_SHOWN]}", url=url, path=path)
