"""Values as Convex's JSON: they come back as they were, and what Convex refuses is refused."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.values.encoding import (
    MAX_DEPTH,
    MAX_FIELDS,
    MAX_ITEMS,
    Int64,
    JsonText,
    decode,
    encode,
    encode_clean,
    encode_text,
    parse_json,
    to_json,
)

CHECKED = settings(max_examples=100, deadline=None, derandomize=True)

keys = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8).filter(
    lambda key: not key.startswith("$")
)
texts = st.text(st.characters(codec="utf-8"), max_size=8)
numbers = st.integers(-(2**53), 2**53) | st.floats()
scalars = (
    st.none()
    | st.booleans()
    | numbers
    | texts
    | st.binary(max_size=9)
    | st.integers(-(2**63), 2**63 - 1).map(Int64)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=12
)


def same(left: Any, right: Any) -> bool:
    """Equal, where 5 and 5.0 are one number, NaN is NaN, and -0 is not 0."""
    if isinstance(left, (int, float)) and not isinstance(left, bool):
        if isinstance(right, bool) or not isinstance(right, (int, float)):
            return False
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


@CHECKED
@given(values)
@example({"a": [float("nan"), -0.0, float("inf"), Int64(-1), b"\xff", 2**53]})
def test_values_come_back(value: Any) -> None:
    text = encode_text(value).text
    assert same(decode(parse_json(text)), value)
    assert same(decode(json.loads(text)), value)
    assert to_json(encode(value)) == text


@CHECKED
@given(values)
def test_clean_json_is_plain_json(value: Any) -> None:
    clean = encode_clean(value)
    assert json.loads(json.dumps(clean, allow_nan=False)) == clean


@pytest.mark.parametrize(
    ("value", "encoded", "clean"),
    [
        (5, "5", 5),
        (5.0, "5.0", 5),
        (1.5, "1.5", 1.5),
        (-0.0, '{"$float":"AAAAAAAAAIA="}', -0.0),
        (math.inf, '{"$float":"AAAAAAAA8H8="}', "Infinity"),
        (-math.inf, '{"$float":"AAAAAAAA8P8="}', "-Infinity"),
        (math.nan, '{"$float":"AAAAAAAA+H8="}', "NaN"),
        (Int64(-2), '{"$integer":"/v////////8="}', "-2"),
        (b"\x00\x01", '{"$bytes":"AAE="}', "AAE="),
        ((1, "ü"), '[1,"ü"]', [1, "ü"]),
    ],
)
def test_each_kind_has_its_form(value: Any, encoded: str, clean: Any) -> None:
    assert encode_text(value) == JsonText(encoded)
    assert encode_clean(value) == clean


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5.0", 5),
        ("-0", -0.0),
        ("0", 0),
        ('{"$float":"AAAAAAAAAAA="}', 0),
        ("9007199254740993", 2**53),
        ("123456789012345678901234567890", 123456789012345678901234567890.0),
        ("1e3", 1000),
        ("1e300", 1e300),
        ('{"$integer":"AQAAAAAAAAA="}', Int64(1)),
        ('{"a":1,"$b":2}', None),
    ],
)
def test_numbers_are_floats_and_whole_ones_integers(text: str, value: Any) -> None:
    if value is None:
        with pytest.raises(InvalidArgumentError, match="has a key"):
            decode(parse_json(text))
    else:
        found = decode(parse_json(text))
        assert same(found, value)
        assert type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"$set": [1]}, r"value has the key '\$set'"),
        ({"a": {"$integer": 5}}, r"value\.a has a \$integer that is not base64"),
        ({"a": [{"$bytes": "a"}]}, r"value\.a\[0\] has a \$bytes that is not base64"),
        ({"$integer": "AAAA"}, "of 3 bytes, not 8"),
        ({"$float": "AAAAAAAA8D8="}, "should be a plain number"),
        ({"$bytes": "AA=A"}, "not base64"),
        ({"ü": 1}, r"value\.ü has a key"),
        ({"k" * 1025: 1}, "has a key"),
        ("\ud800", "value is text with a lone surrogate"),
        (["\ud800"], r"value\[0\] is text"),
        (10**400, "beyond float64"),
        (math.nan, "no JSON value but float"),
        (Int64(1), "no JSON value but Int64"),
        ([0] * (MAX_ITEMS + 1), "has 8193 items"),
        ({str(n): n for n in range(MAX_FIELDS + 1)}, "has 1025 fields"),
    ],
)
def test_what_convex_refuses_is_not_decoded(value: Any, told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=told):
        decode(value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (2**53 + 1, "value is an integer beyond 2"),
        ({"a": {1, 2}}, r"value\.a is of type set"),
        ({1: 2}, r"value\.1 has a key"),
        ({"$ref": 1}, r"value\.\$ref has a key"),
        (["a", "\udfff"], r"value\[1\] is text with a lone surrogate"),
    ],
)
def test_what_convex_has_not_is_not_encoded(value: Any, told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=told):
        encode(value)
    with pytest.raises(InvalidArgumentError, match=told):
        encode_clean(value)


def nested(levels: int, of: str) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value] if of == "list" else {"a": value}
    return value


@pytest.mark.parametrize("of", ["list", "dict"])
def test_nesting_is_limited(of: str) -> None:
    assert decode(nested(MAX_DEPTH, of)) == nested(MAX_DEPTH, of)
    with pytest.raises(InvalidArgumentError, match="nested more than 64"):
        decode(nested(MAX_DEPTH + 1, of))


@pytest.mark.parametrize(
    "text",
    ["", "{", "NaN", "Infinity", "1e999", "9" * 400, "[" * 100_000, b"\xff", "{'a':1}", '"\n"'],
)
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text is Python's
        parse_json(text)


def test_the_text_of_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="lone surrogate"):
        decode(parse_json(r'"\ud800"'))
    assert decode(parse_json(r'"\ud83d\ude00"')) == "\U0001f600"


def test_an_int64_has_64_bits() -> None:
    with pytest.raises(InvalidArgumentError, match="64 bits"):
        Int64(2**63)
    assert len(JsonText("[1]")) == 3
