"""Validators: what fits, what does not and where, and the form that Convex exports."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mastra_convex.errors import ConvexStorageError, InvalidArgumentError
from mastra_convex.values.validators import Validator, v


class Order(str, Enum):
    """Text of a kind of its own."""

    ASC = "asc"


book = v.object(
    {
        "id": v.string(),
        "pages": v.optional(v.number()),
        "authors": v.array(v.object({"name": v.string()})),
    }
)

FITS: list[tuple[str, Validator, list[Any]]] = [
    ("string", v.string(), ["", "a", "\u00fc\U0001f600", "\0", Order.ASC]),
    ("number", v.number(), [0, -1, 1.5, -0.0, 2**53, -(2**53), math.inf, -math.inf, 1e308]),
    ("boolean", v.boolean(), [True, False]),
    ("null", v.null(), [None]),
    ("any", v.any(), [None, 1, "x", b"x", object(), {1: 2}, math.nan]),
    ("literal text", v.literal("asc"), ["asc", Order.ASC]),
    ("literal number", v.literal(1.5), [1.5]),
    ("literal boolean", v.literal(True), [True]),
    ("array", v.array(v.number()), [[], [1], [1, 2.5]]),
    ("array of arrays", v.array(v.array(v.any())), [[], [[]], [[1], ["a", None]]]),
    ("object", v.object({}), [{}]),
    ("object with fields", book, [{"id": "a", "authors": []}]),
    ("object, all given", book, [{"id": "a", "pages": 3, "authors": [{"name": "b"}]}]),
    ("union", v.union(v.string(), v.null()), ["a", None]),
    ("union of unions", v.union(v.union(v.number(), v.null()), v.boolean()), [1, None, False]),
    ("optional", v.optional(v.string()), ["a"]),
]

NUMBER = "a number (not NaN, integers within 2^53)"
# validator, value, path below "arg", what is said after it
REFUSED: list[tuple[Validator, Any, str, str]] = [
    (v.string(), 1, "", "must be text, not int 1"),
    (v.string(), None, "", "must be text, not NoneType None"),
    (v.string(), b"a", "", "must be text, not bytes b'a'"),
    (v.string(), "a\ud800", "", "must be text without lone surrogates, not str 'a\\ud800'"),
    (v.number(), "1", "", f"must be {NUMBER}, not str '1'"),
    (v.number(), True, "", f"must be {NUMBER}, not bool True"),
    (v.number(), math.nan, "", f"must be {NUMBER}, not float nan"),
    (v.number(), 2**53 + 1, "", f"must be {NUMBER}, not int 9007199254740993"),
    (v.number(), -(2**53) - 1, "", f"must be {NUMBER}, not int -9007199254740993"),
    (v.boolean(), 1, "", "must be true or false, not int 1"),
    (v.null(), 0, "", "must be null, not int 0"),
    (v.literal("asc"), "desc", "", "must be 'asc', not str 'desc'"),
    (v.literal(1), True, "", "must be 1, not bool True"),
    (v.array(v.any()), (1,), "", "must be an array, not tuple (1,)"),
    (v.array(v.string()), ["a", 2], "[1]", "must be text, not int 2"),
    (v.array(v.array(v.null())), [[], [None, 0]], "[1][1]", "must be null, not int 0"),
    (book, [], "", "must be an object, not list []"),
    (book, {"authors": []}, ".id", "must be given: it is missing"),
    (
        book,
        {"id": "a", "authors": [], "isbn": 1},
        ".isbn",
        "must be left out: there is no such field",
    ),
    (book, {"id": "a", "authors": [], 1: 1}, ".1", "must be left out: there is no such field"),
    (book, {"id": 1, "authors": []}, ".id", "must be text, not int 1"),
    (
        book,
        {"id": "a", "authors": [], "pages": None},
        ".pages",
        f"must be {NUMBER}, not NoneType None",
    ),
    (
        book,
        {"id": "a", "authors": [{"name": "b"}, {"name": 3}]},
        ".authors[1].name",
        "must be text, not int 3",
    ),
    (v.union(v.string(), v.null()), 1, "", "must be one of string, null, not int 1"),
    (
        v.union(v.literal("asc"), v.literal("desc")),
        "up",
        "",
        "must be one of 'asc', 'desc', not str 'up'",
    ),
    (v.union(v.null(), book), {"id": "a"}, ".authors", "must be given: it is missing"),
    (v.optional(v.string()), 1, "", "must be text, not int 1"),
    (v.string(), ["x" * 100], "", "must be text, not list ['" + "x" * 55 + "..."),
]

# The exports of the same validators by the npm package `convex` 1.48.0 (`validator.json`).
EXPORTED: list[tuple[Validator, dict[str, Any]]] = [
    (v.string(), {"type": "string"}),
    (v.number(), {"type": "number"}),
    (v.boolean(), {"type": "boolean"}),
    (v.null(), {"type": "null"}),
    (v.any(), {"type": "any"}),
    (v.literal("a"), {"type": "literal", "value": "a"}),
    (v.literal(1.5), {"type": "literal", "value": 1.5}),
    (v.literal(True), {"type": "literal", "value": True}),
    (
        v.array(v.array(v.number())),
        {"type": "array", "value": {"type": "array", "value": {"type": "number"}}},
    ),
    (v.object({}), {"type": "object", "value": {}}),
    (v.union(), {"type": "union", "value": []}),
    (
        v.object(
            {
                "id": v.string(),
                "note": v.optional(v.union(v.string(), v.null())),
                "deep": v.object({"x": v.optional(v.array(v.any()))}),
            }
        ),
        {
            "type": "object",
            "value": {
                "id": {"fieldType": {"type": "string"}, "optional": False},
                "note": {
                    "fieldType": {"type": "union", "value": [{"type": "string"}, {"type": "null"}]},
                    "optional": True,
                },
                "deep": {
                    "fieldType": {
                        "type": "object",
                        "value": {
                            "x": {
                                "fieldType": {"type": "array", "value": {"type": "any"}},
                                "optional": True,
                            }
                        },
                    },
                    "optional": False,
                },
            },
        },
    ),
    (
        v.union(v.literal("asc"), v.literal("desc"), v.object({"n": v.number()})),
        {
            "type": "union",
            "value": [
                {"type": "literal", "value": "asc"},
                {"type": "literal", "value": "desc"},
                {
                    "type": "object",
                    "value": {"n": {"fieldType": {"type": "number"}, "optional": False}},
                },
            ],
        },
    ),
]


@pytest.mark.parametrize(("validator", "values"), [f[1:] for f in FITS], ids=[f[0] for f in FITS])
def test_what_fits_passes(validator: Validator, values: list[Any]) -> None:
    for value in values:
        validator.validate(value, "arg")


@pytest.mark.parametrize(("validator", "value", "path", "said"), REFUSED)
def test_what_does_not_fit_is_named(validator: Validator, value: Any, path: str, said: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        validator.validate(value, "arg")
    error = caught.value
    assert error.data == {"path": f"arg{path}"}
    assert str(error) == f"arg{path} {said}"
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_a_value_that_python_will_not_write_is_refused_by_its_type() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidArgumentError, match=r"^arg must be text, not list$"):
        v.string().validate(deep, "arg")
    with pytest.raises(InvalidArgumentError, match=r"^arg must be a number .*, not int$"):
        v.number().validate(10**5000, "arg")


def test_a_union_speaks_of_the_member_that_came_furthest() -> None:
    shape = v.union(
        v.object({"kind": v.literal("a"), "size": v.number()}),
        v.object({"kind": v.literal("b"), "deep": v.array(v.string())}),
    )
    with pytest.raises(InvalidArgumentError, match=r"^arg\.deep\[1\] must be text"):
        shape.validate({"kind": "b", "deep": ["x", 1]}, "arg")


def test_an_empty_union_fits_nothing() -> None:
    with pytest.raises(InvalidArgumentError, match=r"^arg must be one of"):
        v.union().validate(None, "arg")


def test_only_fields_of_objects_are_optional() -> None:
    assert v.optional(v.string()).optional
    assert not v.string().optional
    assert not v.union(v.string(), v.null()).optional


@pytest.mark.parametrize(("validator", "exported"), EXPORTED)
def test_the_description_is_what_convex_exports(
    validator: Validator, exported: dict[str, Any]
) -> None:
    assert validator.describe() == exported


def test_an_optional_field_is_described_by_its_object() -> None:
    assert v.optional(v.string()).describe() == {"type": "string"}


fields = st.dictionaries(st.sampled_from("abc"), st.none() | st.integers() | st.text(max_size=2))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(fields)
def test_an_object_fits_exactly_when_each_field_does(value: dict[str, Any]) -> None:
    shape = v.object({"a": v.string(), "b": v.optional(v.number())})
    fits = set(value) <= {"a", "b"} and type(value.get("a")) is str
    fits = fits and (type(value["b"]) is int and abs(value["b"]) <= 2**53 if "b" in value else True)
    try:
        shape.validate(value, "arg")
    except ConvexStorageError:
        assert not fits
    else:
        assert fits
