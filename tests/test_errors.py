"""The error tree: as drawn, with stable codes, and the same on both ends of a wire."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from mastra_convex import errors
from mastra_convex.errors import ConvexStorageError, error_from_wire

# Part of the interface: programs and other languages compare with these.
CODES = {
    "ConvexStorageError": "STORAGE_ERROR",
    "InvalidArgumentError": "INVALID_ARGUMENT",
    "InvalidPayloadError": "INVALID_PAYLOAD",
    "NotFoundError": "NOT_FOUND",
    "ConflictError": "CONFLICT",
    "LimitExceededError": "LIMIT_EXCEEDED",
    "UnauthenticatedError": "UNAUTHENTICATED",
    "FunctionNotFoundError": "FUNCTION_NOT_FOUND",
    "UnsupportedDomainError": "UNSUPPORTED_DOMAIN",
    "StorageClosedError": "STORAGE_CLOSED",
    "StorageFileError": "STORAGE_FILE",
    "FileUnavailableError": "FILE_UNAVAILABLE",
    "CorruptFileError": "FILE_CORRUPT",
    "ForeignFileError": "FILE_FOREIGN",
    "NewerFormatError": "FILE_NEWER",
    "FileBusyError": "FILE_BUSY",
    "DeploymentError": "DEPLOYMENT",
    "UnreachableError": "UNREACHABLE",
    "DeadlineError": "DEADLINE",
    "OlderFunctionsError": "FUNCTIONS_OLDER",
    "NewerFunctionsError": "FUNCTIONS_NEWER",
    "ProjectError": "PROJECT",
    "MissingExtraError": "MISSING_EXTRA",
}


def tree(root: type[ConvexStorageError], depth: int = 0) -> Iterator[tuple[int, str, str]]:
    yield depth, root.__name__, root.code
    for child in root.__subclasses__():
        yield from tree(child, depth + 1)


def test_the_codes_are_stable() -> None:
    assert {name: code for _, name, code in tree(ConvexStorageError)} == CODES


def test_no_two_errors_share_a_code() -> None:
    assert len(set(CODES.values())) == len(CODES)


def test_the_tree_is_drawn_as_it_is() -> None:
    drawn = [
        (match.start(1) // 4 - 1, match[1], match[2])
        for line in (errors.__doc__ or "").splitlines()
        if (match := re.search(r"\b(\w+Error) +([A-Z_]+)\b", line))
    ]
    assert drawn == list(tree(ConvexStorageError))


def test_everything_is_exported() -> None:
    assert set(errors.__all__) == {*CODES, "error_from_wire"}
    assert list(errors.__all__) == sorted(errors.__all__)


@pytest.mark.parametrize("name", CODES)
def test_an_error_crosses_a_wire(name: str) -> None:
    kind: type[ConvexStorageError] = getattr(errors, name)
    sent = kind("the thread 'a' is not there", table="threads", limit=3)
    wire = json.loads(json.dumps(sent.to_wire()))
    assert wire == {
        "code": CODES[name],
        "message": "the thread 'a' is not there",
        "data": {"table": "threads", "limit": 3},
    }
    received = error_from_wire(wire)
    assert type(received) is kind
    assert received.message == sent.message
    assert received.data == sent.data
    assert str(received) == str(sent)


@pytest.mark.parametrize(
    "wire",
    [
        {},
        {"code": "FROM_A_LATER_VERSION", "message": "m", "data": {"a": 1}},
        {"code": "NOT_FOUND", "message": "m", "data": None},
        {"code": "NOT_FOUND", "message": "m"},
    ],
)
def test_a_wire_that_says_little_still_gives_an_error(wire: dict[str, object]) -> None:
    error = error_from_wire(wire)
    assert isinstance(error, ConvexStorageError)
    assert error.message == wire.get("message", "")
    assert error.data == (wire.get("data") or {})


def test_the_operation_leads_the_text() -> None:
    error = ConvexStorageError("the disk is full")
    assert str(error) == "the disk is full"
    error.operation = "save_thread"
    assert str(error) == "save_thread: the disk is full"
    assert error.message == "the disk is full"
    assert error.to_wire()["message"] == "the disk is full"


def test_a_bad_argument_is_a_value_error() -> None:
    value_errors = {name for name in CODES if issubclass(getattr(errors, name), ValueError)}
    assert value_errors == {"InvalidArgumentError", "InvalidPayloadError"}
