"""Payloads come back exactly as they went in, or are refused by the place that JSON cannot say."""

from __future__ import annotations

import datetime
import math
import re
import sys
from collections import OrderedDict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mastra_convex.errors import InvalidArgumentError, InvalidPayloadError
from mastra_convex.values.payload import decode_payload, encode_payload

CHECKED = settings(max_examples=300, deadline=None, derandomize=True)
SPLIT_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")

# `characters()` makes lone surrogates too; two that JSON would join are refused, and not made here.
any_text = st.text(st.characters(), max_size=8).filter(lambda text: not SPLIT_PAIR.search(text))
awkward_text = st.sampled_from(
    [
        *("", "$schema", "$ref", "_id", "__proto__", "a.b", "[0]", '"', "\\", "\n\t\r"),
        *("\0", "a\0b", "\ud800", "\udfff", "\udc00\ud800"),
        *("\u00fc", "\u65e5\u672c", "\U0001f600", "\u2028", "\ufeff"),
    ]
)
texts = any_text | awkward_text
big_integers = st.integers(0, 400).flatmap(lambda digits: st.integers(-(10**digits), 10**digits))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | big_integers
    | st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 2**64, 10**400, 0.0, -0.0, 5e-324, 1e308])
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
payloads = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def same(one: Any, other: Any) -> bool:
    """Equal, of the same types all the way down, keys in the same order, zeros of the same sign."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        pairs = zip(one.items(), other.items())
        return len(one) == len(other) and all(same(k, m) and same(x, y) for (k, x), (m, y) in pairs)
    if isinstance(one, list):
        return len(one) == len(other) and all(same(x, y) for x, y in zip(one, other))
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)


@CHECKED
@given(payloads)
@example([True, 1, 1.0, -0.0, 10**300, "1", None])
@example({"$schema": {"$ref": "#"}, "_id": 1, "": {"": [""]}, "\ud800": "\0"})
def test_a_payload_comes_back_as_it_went_in(value: Any) -> None:
    text = encode_payload(value)
    assert same(decode_payload(text), value)
    text.encode()  # a string that SQLite and JSON can carry


def nested(depth: int, leaf: Any, *, maps: bool) -> Any:
    for _ in range(depth):
        leaf = {"in": leaf} if maps else [leaf]
    return leaf


@pytest.mark.parametrize("maps", [True, False])
def test_a_hundred_levels_come_back(maps: bool) -> None:
    value = nested(100, "\u00fc", maps=maps)
    assert decode_payload(encode_payload(value)) == value


def test_twenty_thousand_items_come_back() -> None:
    value = [{"n": position, "t": "\u00fc"} for position in range(20_000)]
    assert same(decode_payload(encode_payload(value)), value)


def test_integers_of_as_many_digits_as_python_reads_come_back() -> None:
    limit = sys.get_int_max_str_digits()
    value = [10 ** (limit - 1), -(10**limit) + 1]
    assert same(decode_payload(encode_payload(value)), value)


def test_text_is_kept_short_where_utf_8_can_say_it() -> None:
    assert (
        encode_payload({"\u00fc": ["\u65e5\u672c", 1, None]})
        == '{"\u00fc":["\u65e5\u672c",1,null]}'
    )
    assert encode_payload("\ud800\u00fc") == '"\\ud800\\u00fc"'


def test_tuples_count_as_arrays() -> None:
    assert decode_payload(encode_payload((1, ("a", ())))) == [1, ["a", []]]
    value = ({"1": (1.5, True, None), "b": {}}, 2**70, "\u00fc")
    assert decode_payload(encode_payload(value)) == [
        {"1": [1.5, True, None], "b": {}},
        2**70,
        "\u00fc",
    ]


@pytest.mark.parametrize(
    ("raised", "wanted"),
    [(ValueError("not now"), ValueError), (RecursionError("not now"), InvalidPayloadError)],
)
def test_an_error_of_the_value_itself_is_not_hidden(
    raised: Exception, wanted: type[Exception]
) -> None:
    class Once(dict[str, int]):
        """Fails when it is first asked."""

        def items(self) -> Any:
            if self.pop("first", None):
                raise raised
            return super().items()

    with pytest.raises(wanted, match=r"not now|nested too deeply"):
        encode_payload([Once(first=1, a=2)])


def test_an_ordered_map_is_a_map_and_a_part_may_occur_twice() -> None:
    part = ["shared"]
    value = OrderedDict(b=part, a=part)
    assert same(decode_payload(encode_payload(value)), {"b": ["shared"], "a": ["shared"]})


def test_a_payload_from_another_writer_may_be_spaced() -> None:
    assert decode_payload(' {"a" : [ 1 ]}\n') == {"a": [1]}


def test_what_follows_a_payload_is_no_part_of_it() -> None:
    with pytest.raises(ValueError, match="Extra data"):
        decode_payload('{"a":1}{"b":2}')


class Plain:
    """An object that JSON knows nothing of."""


FAULTS: dict[str, Callable[[], Any]] = {
    "NaN": lambda: math.nan,
    "infinity": lambda: math.inf,
    "minus infinity": lambda: -math.inf,
    "bytes": lambda: b"x",
    "bytearray": lambda: bytearray(b"x"),
    "datetime": lambda: datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc),
    "date": lambda: datetime.date(2025, 1, 1),
    "set": lambda: {1},
    "frozenset": frozenset,
    "decimal": lambda: Decimal(1),
    "complex": lambda: 1j,
    "iterator": lambda: iter([]),
    "object": Plain,
    "class": lambda: Plain,
    "integer of 5000 digits": lambda: 10**5000,
    "split pair": lambda: "a\ud83d\ude00b",
    "integer key": lambda: {1: "one"},
    "float key": lambda: {"a": 0, 1.5: "x"},
    "boolean key": lambda: {True: 1},
    "negative key": lambda: {-7: 1},
    "exponent key": lambda: {1e22: 1},
    "infinite key": lambda: {-math.inf: 1},
    "NaN key": lambda: {math.nan: 1},
    "null key": lambda: {None: 1},
    "tuple key": lambda: {(1, 2): 1},
    "bytes key": lambda: {b"k": 1},
}


def path_of(steps: list[str | int]) -> str:
    """The path that an error gives to what lies behind `steps`."""
    return "payload" + "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps)


def behind(steps: list[str | int], leaf: Any) -> Any:
    """`leaf` at `steps`, with sound neighbours on both sides."""
    for step in reversed(steps):
        if isinstance(step, int):
            leaf = [*[None] * step, leaf, "after"]
        else:
            leaf = {"before": [1], step: leaf, "after": ()}
    return leaf


@pytest.mark.parametrize("fault", FAULTS)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(0, 3) | texts.filter(lambda t: t not in {"before", "after"}), max_size=5)
)
def test_a_fault_is_named_by_its_path(fault: str, steps: list[str | int]) -> None:
    with pytest.raises(InvalidPayloadError) as caught:
        encode_payload(behind(steps, FAULTS[fault]()))
    error = caught.value
    assert error.data["path"] == path_of(steps)
    assert str(error).startswith(path_of(steps) + " ")
    assert error.code == "INVALID_PAYLOAD"


def test_the_name_of_the_payload_begins_the_path() -> None:
    with pytest.raises(InvalidPayloadError, match=r"^content\.parts\[1\] is nan") as caught:
        encode_payload({"parts": [1, math.nan]}, "content")
    assert caught.value.data["path"] == "content.parts[1]"


def test_a_split_pair_in_a_key_is_named() -> None:
    with pytest.raises(InvalidPayloadError) as caught:
        encode_payload({"a": {"\ud83d\ude00": 1}})
    assert caught.value.data["path"] == "a key of payload.a"


@CHECKED
@given(st.text(st.sampled_from("a\u00fc\0\ud83d\ude00\U0001f600"), max_size=6))
def test_surrogates_are_refused_exactly_when_json_would_join_them(text: str) -> None:
    if SPLIT_PAIR.search(text):
        with pytest.raises(InvalidPayloadError):
            encode_payload([text])
    else:
        assert decode_payload(encode_payload([text])) == [text]


def test_cycles_are_named_by_their_path() -> None:
    around: dict[str, Any] = {"a": [1, {}]}
    around["a"][1]["b"] = around
    with pytest.raises(InvalidPayloadError, match="contains itself") as caught:
        encode_payload(around)
    assert caught.value.data["path"] == "payload.a[1].b"
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidPayloadError, match="contains itself") as caught:
        encode_payload(endless)
    assert caught.value.data["path"] == "payload[0]"


@pytest.mark.parametrize("maps", [True, False])
def test_extreme_nesting_is_refused(maps: bool) -> None:
    with pytest.raises(InvalidPayloadError, match="nested too deeply") as caught:
        encode_payload(nested(200_000, 1, maps=maps))
    assert caught.value.data["path"] == "payload"


@pytest.mark.parametrize("maps", [True, False])
def test_what_is_accepted_can_be_read_back_from_where_it_was_written(maps: bool) -> None:
    limit = sys.getrecursionlimit()
    for depth in range(limit - 150, limit + 20):
        value = nested(depth, 1, maps=maps)
        try:
            text = encode_payload(value)
        except InvalidPayloadError:
            continue
        assert decode_payload(text) is not None


@pytest.mark.parametrize("fault", ["NaN", "bytes", "split pair", "integer key"])
@pytest.mark.parametrize("maps", [True, False])
def test_a_fault_at_any_depth_is_refused_with_our_error(fault: str, maps: bool) -> None:
    """Also where the encoder reaches deeper than the search for the fault."""
    limit = sys.getrecursionlimit()
    for depth in (*range(limit - 120, limit + 20), 3 * limit):
        with pytest.raises(InvalidPayloadError):
            encode_payload(nested(depth, FAULTS[fault](), maps=maps))


def test_a_refusal_is_an_invalid_argument_and_a_value_error() -> None:
    with pytest.raises(InvalidArgumentError):
        encode_payload(math.inf)
    with pytest.raises(ValueError, match="is inf"):
        encode_payload(math.inf)
