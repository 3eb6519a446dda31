import json
from typing import Any

import pytest

from mastra_convex.errors import (
    ConflictError,
    ConvexStorageError,
    DeploymentError,
    FunctionNotFoundError,
    UnauthenticatedError,
    UnreachableError,
)
from mastra_convex.protocol.http import call_body, result_of

URL = "https://a.convex.cloud"


def result(answer: Any, status: int = 200) -> Any:
    return result_of(URL, "threads:get", status, json.dumps(answer).encode())


def test_a_call_asks_for_lossless_values() -> None:
    body = {"path": "threads:get", "args": {"id": "t"}, "format": "convex_encoded_json"}
    assert call_body("threads:get", {"id": "t"}) == body


@pytest.mark.parametrize("value", [None, False, {"id": "t"}, []])
def test_a_result(value: Any) -> None:
    assert result({"status": "success", "value": value, "logLines": []}) == value


def test_an_error_of_our_functions_comes_back_as_it_was_raised() -> None:
    wire = ConflictError("it is taken", id="t").to_wire()
    with pytest.raises(ConflictError, match="it is taken") as caught:
        result({"status": "error", "errorMessage": "Server Error", "errorData": wire})
    assert caught.value.data == {"id": "t"}


@pytest.mark.parametrize(
    ("status", "answer", "kind"),
    [
        (
            200,
            {
                "status": "error",
                "errorMessage": "Could not find public function for 'threads:get'.",
            },
            FunctionNotFoundError,
        ),
        (200, {"status": "error", "errorMessage": "[Request ID: 1] Server Error"}, DeploymentError),
        (
            200,
            {"status": "error", "errorMessage": "Uncaught ConvexError", "errorData": "theirs"},
            DeploymentError,
        ),
        (401, {"code": "NoAuthProvider", "message": "No auth provider"}, UnauthenticatedError),
        (400, {"code": "BadJsonBody", "message": "no"}, DeploymentError),
        (500, {"code": "InternalServerError", "message": "later"}, DeploymentError),
        (200, {"status": "success"}, UnreachableError),
        (500, {"status": "success", "value": 1}, UnreachableError),
        (200, "text", UnreachableError),
    ],
)
def test_other_answers(status: int, answer: Any, kind: type[ConvexStorageError]) -> None:
    with pytest.raises(kind) as caught:
        result(answer, status)
    assert type(caught.value) is kind
    assert caught.value.data["url"] == URL
    assert str(caught.value).startswith(URL)


def test_a_refusal_tells_its_reason() -> None:
    with pytest.raises(UnauthenticatedError) as caught:
        result({"code": "NoAuthProvider", "message": "none"}, 401)
    assert caught.value.data == {
        "url": URL,
        "reason": "NoAuthProvider",
        "said": "none",
        "status": 401,
    }


def test_a_long_text_is_cut() -> None:
    with pytest.raises(DeploymentError) as caught:
        result({"status": "error", "errorMessage": "x" * 60_000})
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_not_convex(body: bytes) -> None:
    with pytest.raises(UnreachableError, match="not as a Convex deployment"):
        result_of(URL, "threads:get", 200, body)
