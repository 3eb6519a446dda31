"""Merging payloads inside a transaction."""

import pytest
from hypothesis import given

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions.lib.payloads import merge, merge_content
from mastra_convex.values.payload import decode_payload, encode_payload
from tests.contract.records import Doc, exactly, json_objects


@pytest.mark.parametrize(
    ("before", "update", "merged"),
    [
        (None, '{"a":1}', '{"a":1}'),
        ("", '{"a":1}', '{"a":1}'),
        ("{}", "{}", "{}"),
        ('{"a":1,"b":2}', '{"b":3,"c":4}', '{"a":1,"b":3,"c":4}'),
        ('{"a":{"x":1}}', '{"a":{"y":2}}', '{"a":{"y":2}}'),
        ('{"a":1}', '{"a":null}', '{"a":null}'),
        # Anything but two maps is replaced.
        ("[1]", '{"a":1}', '{"a":1}'),
        ('{"a":1}', "[1]", "[1]"),
        ('{"a":1}', "null", "null"),
        # Numbers and text stay as they are.
        ('{"n":123456789012345678901}', '{"f":1.0}', '{"n":123456789012345678901,"f":1.0}'),
        ('{"s":"\\ud800"}', '{"é":"\\u0000"}', '{"s":"\\ud800","\\u00e9":"\\u0000"}'),
    ],
)
def test_merge(before: str | None, update: str, merged: str) -> None:
    assert merge(before, update) == merged


@pytest.mark.parametrize(
    ("before", "update", "merged"),
    [
        ('{"parts":[1],"x":1}', '{"parts":[2]}', '{"parts":[2],"x":1}'),
        ('{"metadata":{"a":1}}', '{"metadata":{"b":2}}', '{"metadata":{"a":1,"b":2}}'),
        ('{"metadata":{"a":{"x":1}}}', '{"metadata":{"a":{}}}', '{"metadata":{"a":{}}}'),
        ('{"metadata":{"a":1}}', '{"metadata":null}', '{"metadata":null}'),
        ('{"metadata":null}', '{"metadata":{"b":2}}', '{"metadata":{"b":2}}'),
        ('{"metadata":[1]}', '{"metadata":{"b":2}}', '{"metadata":{"b":2}}'),
        ('{"parts":[]}', '{"metadata":{"b":2}}', '{"parts":[],"metadata":{"b":2}}'),
        ('"text"', '{"parts":[]}', '{"parts":[]}'),
        ('{"parts":[]}', '"text"', '"text"'),
    ],
)
def test_merge_content(before: str, update: str, merged: str) -> None:
    assert merge_content(before, update) == merged


@given(json_objects, json_objects)
def test_merging_is_laying_over(before: Doc, update: Doc) -> None:
    merged = decode_payload(merge(encode_payload(before), encode_payload(update)))
    assert exactly(merged, {**before, **update})


@pytest.mark.parametrize(
    "text", ["{", '{"a":', '{"a":1', "{]", "[" * 100_000, '{"a"' + ':{"a"' * 99_999]
)
def test_what_is_no_json_is_refused(text: str) -> None:
    for lay in (merge, merge_content):
        with pytest.raises(InvalidArgumentError, match="a payload is no JSON text"):
            lay("{}", text)
        with pytest.raises(InvalidArgumentError, match="a payload is no JSON text"):
            lay(text, "{}")
