"""Cursors come back as they went out, to the query that made them and to no other."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mastra_convex.engine.cursor import decode_cursor, encode_cursor
from mastra_convex.errors import InvalidArgumentError

CHECKED = settings(max_examples=200, deadline=None, derandomize=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
values = st.none() | st.integers() | st.floats(allow_nan=False) | texts
keys = st.lists(values, max_size=4).map(tuple)
queries = st.tuples(texts, texts, st.lists(values, max_size=2), st.sampled_from(["asc", "desc"]))


@CHECKED
@given(queries, keys)
def test_a_cursor_comes_back(query: tuple[Any, ...], key: tuple[Any, ...]) -> None:
    cursor = encode_cursor(query, key)
    assert decode_cursor(query, cursor) == key
    assert re.fullmatch(r"[\w=-]+", cursor, re.ASCII)  # fit for a URL


@CHECKED
@given(queries, queries, keys)
def test_a_cursor_of_another_query_is_refused(
    query: tuple[Any, ...], other: tuple[Any, ...], key: tuple[Any, ...]
) -> None:
    if json.dumps(query) != json.dumps(other):
        with pytest.raises(InvalidArgumentError, match="belongs to another query"):
            decode_cursor(other, encode_cursor(query, key))


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "not a cursor!",
        "\u00fc\u00fc\u00fc\u00fc",
        "AAAA",
        encode_cursor(("q",), (1,))[:-6],
        encoded("[]"),
        encoded("7"),
        encoded("null"),
        encoded("[" * 100_000),
        encoded('"unfinished'),
    ],
)
def test_a_damaged_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidArgumentError, match="the cursor is damaged"):
        decode_cursor(("q",), cursor)


@given(st.text(max_size=40))
@CHECKED
def test_whatever_is_no_cursor_is_an_invalid_argument(text: str) -> None:
    with pytest.raises(InvalidArgumentError):
        decode_cursor(("q",), text)
    with pytest.raises(InvalidArgumentError):
        decode_cursor(("q",), encoded(json.dumps({"a": text})))
