"""What lists show of an input."""

import json

import pytest

from mastra_convex.preview import preview_of

USER = {"role": "user", "content": "Where to?"}
PARTS = {
    "role": "user",
    "content": [{"type": "text", "text": "a"}, {"type": "image"}, "b", {"type": "text", "text": 5}],
}
# As OpenTelemetry's conventions have them.
GEN_AI = {
    "role": "user",
    "parts": [{"type": "text", "content": "c"}, {"type": "blob", "content": "d"}, {"type": "text"}],
}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        ("", None),
        ("  \n", None),
        (" Hello ", " Hello "),
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 100 + "…"),
        (5, "5"),
        (True, "true"),
        ({"q": "é"}, '{"q":"é"}'),
        ({"messages": 5}, '{"messages":5}'),
        ([USER, {"role": "assistant", "content": "Rome"}, PARTS, 7], "Where to? | a b"),
        ([GEN_AI, {**USER, "parts": GEN_AI["parts"]}], "c | Where to?"),
        ({"messages": [USER]}, "Where to?"),
        (json.dumps([USER]), "Where to?"),
        (json.dumps({"messages": [PARTS]}, indent=1), "a b"),
        (json.dumps("quoted"), "quoted"),
        ('"not closed', '"not closed'),
        ("{not json", None),
        ("[not json", None),
        ([{"role": "assistant", "content": "Rome"}], None),
        ([], None),
        ({}, "{}"),
        ("a\ud800b", "a?b"),
        ("[" * 100_000, None),
    ],
)
def test_a_preview(value: object, shown: str | None) -> None:
    assert preview_of(json.dumps(value, ensure_ascii=False, separators=(",", ":"))) == shown
