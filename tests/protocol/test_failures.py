"""What callers are told of errors, and what not."""

import pytest

from mastra_convex.errors import (
    ConflictError,
    FileUnavailableError,
    FunctionNotFoundError,
    LimitExceededError,
    StorageClosedError,
)
from mastra_convex.protocol import failures
from mastra_convex.protocol.failures import Failure, bounded, failure_of, is_outage
from mastra_convex.protocol.messages import NO_DATA


def test_our_errors_travel_whole() -> None:
    failure = failure_of(ConflictError("it is there", id="t"), "abc")
    wire = {"code": "CONFLICT", "message": "it is there", "data": {"id": "t"}}
    assert failure.data == wire
    assert failure.message.startswith(
        '[Request ID: abc] Server Error\nUncaught ConvexError: {"code":"CONFLICT"'
    )


def test_data_that_convex_cannot_say_is_left_out() -> None:
    failure = failure_of(ConflictError("about \ud800", number=2**60))
    assert failure.data == {"code": "CONFLICT", "message": "about \\ud800", "data": {}}


def test_other_errors_are_not_told() -> None:
    assert failure_of(KeyError("/srv/secret")) == Failure("Server Error")
    assert failure_of(FileUnavailableError("/srv/secret"), "r") == Failure(
        "[Request ID: r] Server Error"
    )


def test_missing_functions_are_told_in_convexs_words() -> None:
    missing = failure_of(FunctionNotFoundError("", path="m:f"))
    assert "Could not find public function for 'm:f'." in missing.message
    assert missing.data is NO_DATA
    wrong = failure_of(FunctionNotFoundError("", path="m:f", kind="mutation", wanted="query"))
    assert wrong.message == (
        "Server Error\nTrying to execute m.js:f as Query, but it is defined as Mutation."
    )


def test_what_is_an_outage() -> None:
    assert is_outage(FileUnavailableError(""))
    assert is_outage(StorageClosedError(""))
    assert not is_outage(ConflictError(""))
    assert not is_outage(ValueError())


def test_results_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "MAX_VALUE_BYTES", 20)
    for fits in ("x" * 20, "\u00fc" * 10):
        assert bounded(fits) == fits
    for value in ("x" * 21, "\u00fc" * 11):
        with pytest.raises(LimitExceededError, match="20 can be sent"):
            bounded(value)
