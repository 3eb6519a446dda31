"""Errors as clients of Convex are told them: a text, and the data of a `ConvexError`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mastra_convex.errors import (
    ConvexStorageError,
    FunctionNotFoundError,
    InvalidArgumentError,
    LimitExceededError,
    StorageClosedError,
    StorageFileError,
)
from mastra_convex.protocol.messages import NO_DATA
from mastra_convex.values.encoding import encode, to_json

# Of arguments, and of results.
MAX_VALUE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Failure:
    """What a function has raised. `data` is encoded JSON, or `NO_DATA`."""

    message: str
    data: Any = NO_DATA


def is_outage(error: Exception) -> bool:
    """Whether not the function has failed but the store below it; then trying again may help."""
    return isinstance(error, (StorageFileError, StorageClosedError))


def failure_of(error: Exception, request_id: str = "") -> Failure:
    """What a caller is told of an error. One that is not ours has no text that is safe to tell."""
    head = f"[Request ID: {request_id}] Server Error" if request_id else "Server Error"
    if isinstance(error, FunctionNotFoundError):
        return Failure(f"{head}\n{_not_found(error)}")
    if isinstance(error, ConvexStorageError) and not is_outage(error):
        data = _data_of(error)
        return Failure(f"{head}\nUncaught ConvexError: {to_json(data)}", data)
    return Failure(head)


def _not_found(error: FunctionNotFoundError) -> str:
    path, kind, wanted = (error.data.get(name) for name in ("path", "kind", "wanted"))
    if kind is None:
        return (
            f"Could not find public function for '{path}'. Is it spelt right, "
            "and does the server have the --function-prefix of the client?"
        )
    module, _, export = str(path).partition(":")
    return (
        f"Trying to execute {module}.js:{export} as {str(wanted).capitalize()}, "
        f"but it is defined as {str(kind).capitalize()}."
    )


def _data_of(error: ConvexStorageError) -> Any:
    wire = error.to_wire()
    try:
        return encode(wire)
    except InvalidArgumentError:
        # What is in it is of the caller's making, and need not be a value of Convex.
        message = error.message.encode("ascii", "backslashreplace").decode("ascii")
        return {"code": error.code, "message": message, "data": {}}


def bounded(text: str) -> str:
    """The text of a query's result. Raises `LimitExceededError` over 16 MiB.

    That of a mutation is not bounded but by what it was given: it has happened.
    """
    # A character has four bytes at the most.
    if len(text) * 4 > MAX_VALUE_BYTES:
        size = len(text.encode())
        if size > MAX_VALUE_BYTES:
            raise LimitExceededError(
                f"the result has {size} bytes and {MAX_VALUE_BYTES} can be sent; ask for fewer "
                "records at a time",
                limit=MAX_VALUE_BYTES,
                size=size,
            )
    return text
