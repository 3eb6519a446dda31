"""Bodies of HTTP calls: what is taken, in which format it is answered, what is refused."""

import json
import math
from typing import Any

import pytest

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.protocol.failures import Failure
from mastra_convex.protocol.requests import (
    HttpCall,
    RefusedRequestError,
    failed,
    parse_body,
    parse_call,
    parse_path,
    render_as,
    success,
)
from mastra_convex.values.encoding import Int64


@pytest.mark.parametrize(
    ("args", "found"),
    [({}, {}), ([], {}), ([{}], {}), ([{"n": {"$integer": "AQAAAAAAAAA="}}], {"n": Int64(1)})],
)
def test_arguments_come_as_an_object_or_in_an_array(args: Any, found: Any) -> None:
    call = parse_call({"path": "m.js:f", "args": args})
    assert (call.path, call.args, call.ts) == ("m:f", found, None)


def test_a_path_from_the_url_and_a_moment_from_the_body() -> None:
    call = parse_call({"args": {}, "ts": "AQAAAAAAAAA="}, "a:b", at=True)
    assert (call.path, call.ts) == ("a:b", 1)


@pytest.mark.parametrize("args", [[{}, {}], [5], 5, {"$x": 1}, {"a": "\ud800"}])
def test_arguments_that_are_none_are_an_error_of_the_call(args: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        parse_call({"path": "m:f", "args": args})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"path": "m:f"}, "BadJsonBody"),
        ({"args": {}}, "BadConvexFunctionIdentifier"),
        ({"path": "a b", "args": {}}, "BadConvexFunctionIdentifier"),
        ({"path": "m:f", "args": {}, "format": "export_json"}, "BadFormat"),
        ({"path": "m:f", "args": {}, "ts": 5}, "BadJsonBody"),
    ],
)
def test_what_is_refused(body: dict[str, Any], code: str) -> None:
    with pytest.raises(RefusedRequestError) as refused:
        parse_call(body, at=True)
    assert (refused.value.status, refused.value.code) == (400, code)
    told = json.loads(refused.value.body())
    assert told == {"code": code, "message": refused.value.message}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"a":NaN}'])
def test_what_is_no_body(content: bytes) -> None:
    with pytest.raises(RefusedRequestError, match="the body is no JSON"):
        parse_body(content)


def test_a_body_and_a_path() -> None:
    assert parse_body(b'{"a":1}') == {"a": 1}
    assert parse_path("a/b") == "a/b:default"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("convex_encoded_json", '{"n":{"$integer":"AQAAAAAAAAA="},"f":{"$float":"AAAAAAAA+H8="}}'),
        ("convex_json", '{"n":{"$integer":"AQAAAAAAAAA="},"f":{"$float":"AAAAAAAA+H8="}}'),
        ("json", '{"n":"1","f":"NaN"}'),
        ("convex_clean_json", '{"n":"1","f":"NaN"}'),
        (None, '{"n":"1","f":"NaN"}'),
    ],
)
def test_formats(name: str | None, text: str) -> None:
    assert render_as(name)({"n": Int64(1), "f": math.nan}) == text


def test_answers() -> None:
    assert json.loads(success("5")) == {"status": "success", "value": 5}
    clean = render_as("json")
    assert json.loads(failed(Failure("no"), clean)) == {"status": "error", "errorMessage": "no"}
    data = {"n": {"$integer": "AQAAAAAAAAA="}}
    assert json.loads(failed(Failure("no", data), clean))["errorData"] == {"n": "1"}
    encoded = render_as("convex_json")
    assert json.loads(failed(Failure("no", data), encoded))["errorData"] == data
    assert json.loads(failed(Failure("no", None), encoded))["errorData"] is None


def test_a_call_is_a_value() -> None:
    assert HttpCall("a:b", {}, success) == HttpCall("a:b", {}, success)
