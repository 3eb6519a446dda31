"""Convex values as JSON, and back: the encoding that its clients, servers and exports share.

    null, true, text    themselves
    float64             a number; NaN, the infinities and -0 as {"$float": base64 of 8 bytes}
    int64               {"$integer": base64 of 8 bytes}
    bytes               {"$bytes": base64}
    array, object       themselves; no key begins with "$"

Every JSON number is a float64. Here a whole one within 2^53 is an `int`, whichever way it was
written, because 5 and 5.0 are the same number to Convex and functions count with it. An int64 is an
`Int64`. What Convex refuses (other keys, deeper nesting, longer arrays) is refused both ways.
"""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.values.payload import json_encoder

MAX_DEPTH = 64
MAX_ITEMS = 8192
MAX_FIELDS = 1024
_MAX_KEY = 1024
_EXACT = 2**53

_KEY = re.compile(r"(?!\$)[ -~]*\Z")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\Z")
_to_text = json_encoder(ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, slots=True)
class Int64:
    """A Convex int64, which is another value than the number that looks the same."""

    value: int

    def __post_init__(self) -> None:
        if not -(2**63) <= self.value < 2**63:
            raise InvalidArgumentError("an int64 has 64 bits; store a larger integer as text")


@dataclass(frozen=True, slots=True)
class JsonText:
    """JSON that is text already, to be put into other JSON as it is."""

    text: str

    def __len__(self) -> int:
        return len(self.text)


def parse_json(text: str | bytes) -> Any:
    """The value of strict JSON text, numbers as this module has them.

    Raises `ValueError`: also for NaN, for a number beyond float64, and for nesting that the
    interpreter cannot follow.
    """
    try:
        return _decoder.decode(text if isinstance(text, str) else text.decode("utf-8"))
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def to_json(value: Any) -> str:
    """JSON text, without white space, of a JSON value. Raises `ValueError` for lone surrogates."""
    return _to_text(value)


def encode(value: Any) -> Any:
    """The JSON value for a Convex value; tuples count as arrays.

    Raises `InvalidArgumentError`, which names the place, for what is no Convex value.
    """
    return value if _is_plain(value, _is_special) else _walk(value, _encode_leaf)


def encode_text(value: Any) -> JsonText:
    """`encode`, as text."""
    return JsonText(_to_text(encode(value)))


def encode_clean(value: Any) -> Any:
    """Plain JSON, which does not lead back: int64 as decimal text, bytes as base64, NaN as text."""
    return value if _is_plain(value, _is_special) else _walk(value, _clean_leaf)


def decode(value: Any) -> Any:
    """The Convex value that `encode` made this JSON value of.

    Raises `InvalidArgumentError`, which names the place, for what Convex refuses.
    """
    return (
        value if _is_plain(value, _is_to_be_whole) else _walk(value, _decode_leaf, _decode_special)
    )


# Keys that were found to be fine: there are few, and they come all the time.
_known_keys: set[str] = set()
_MAX_KNOWN = 4096


def _is_plain(value: Any, changes: Callable[[float], bool], depth: int = 0) -> bool:
    """Whether a value is itself in both forms; anything in doubt is not.

    Most are, and this look at them takes a fraction of what rebuilding them would. `changes` says
    whether a float becomes something else.
    """
    items: Collection[Any]
    if type(value) is dict:
        items = value.values()
        for key in value:
            if key not in _known_keys and not _is_known(key):
                return False
        limit = MAX_FIELDS
    elif type(value) is list:
        items, limit = value, MAX_ITEMS
    elif depth == 0:
        items, limit = (value,), 1
    else:
        return False
    if depth >= MAX_DEPTH or len(items) > limit:
        return False
    for item in items:
        kind = type(item)
        if kind is str:
            if not item.isascii() and not is_text(item):
                return False
        elif kind is int:
            if not -_EXACT <= item <= _EXACT:
                return False
        elif kind is float:
            if changes(item):
                return False
        elif item is not None and kind is not bool and not _is_plain(item, changes, depth + 1):
            return False
    return True


def _is_special(number: float) -> bool:
    return not math.isfinite(number) or _is_negative_zero(number)


def _is_to_be_whole(number: float) -> bool:
    return not math.isfinite(number) or number.is_integer()


def is_text(text: str) -> bool:
    """Whether it can be sent: it has no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_known(key: Any) -> bool:
    fine = type(key) is str and len(key) <= _MAX_KEY and _KEY.match(key) is not None
    if fine and len(_known_keys) < _MAX_KNOWN:
        _known_keys.add(key)
    return fine


class _Refused(Exception):
    """What is wrong; the path is collected on the way up."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.path: list[str] = []


def _walk(
    value: Any,
    leaf: Callable[[Any], Any],
    special: Callable[[str, Any], Any] | None = None,
) -> Any:
    try:
        return _mapped(value, leaf, 0, special)
    except _Refused as refused:
        path = "value" + "".join(reversed(refused.path))
        raise InvalidArgumentError(f"{path} {refused}", path=path) from None


def _mapped(
    value: Any, leaf: Callable[[Any], Any], depth: int, special: Callable[[str, Any], Any] | None
) -> Any:
    kind = type(value)
    if kind is dict:
        if special is not None and len(value) == 1:
            ((key, item),) = value.items()
            if key[:1] == "$":
                return special(key, item)
        if depth >= MAX_DEPTH:
            raise _Refused(f"is nested more than {MAX_DEPTH} levels deep")
        if len(value) > MAX_FIELDS:
            raise _Refused(f"has {len(value)} fields; an object holds {MAX_FIELDS}")
        found, key = {}, ""
        try:
            for key, item in value.items():
                _check_key(key)
                found[key] = _mapped(item, leaf, depth + 1, special)
        except _Refused as refused:
            refused.path.append(f".{key}")
            raise
        return found
    if kind is list or kind is tuple:
        if depth >= MAX_DEPTH:
            raise _Refused(f"is nested more than {MAX_DEPTH} levels deep")
        if len(value) > MAX_ITEMS:
            raise _Refused(f"has {len(value)} items; an array holds {MAX_ITEMS}")
        items: list[Any] = []
        try:
            for item in value:
                items.append(_mapped(item, leaf, depth + 1, special))
        except _Refused as refused:
            refused.path.append(f"[{len(items)}]")
            raise
        return items
    if isinstance(value, str):  # of whatever kind: an enumeration's members, say
        if not value.isascii() and not is_text(value):
            raise _Refused("is text with a lone surrogate")
        return value
    if value is None or kind is bool:
        return value
    return leaf(value)


def _check_key(key: Any) -> None:
    if not _is_known(key):
        raise _Refused(
            'has a key that is not up to 1,024 printable ASCII characters without a leading "$"'
        )


def _encode_leaf(value: Any) -> Any:
    kind = type(value)
    if kind is int:
        if -_EXACT <= value <= _EXACT:
            return value
        raise _Refused("is an integer beyond 2^53; pass it as text")
    if kind is float:
        if _is_special(value):
            return {"$float": _base64(struct.pack("<d", value))}
        return value
    if kind is Int64:
        return {"$integer": _base64(struct.pack("<q", value.value))}
    if kind is bytes:
        return {"$bytes": _base64(value)}
    raise _Refused(f"is of type {kind.__name__}, which Convex has not")


def _clean_leaf(value: Any) -> Any:
    kind = type(value)
    if kind is float and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if kind is float:
        return value
    if kind is Int64:
        return str(value.value)
    if kind is bytes:
        return _base64(value)
    return _encode_leaf(value)


def _decode_leaf(value: Any) -> Any:
    """A number, however the JSON was parsed."""
    kind = type(value)
    if kind is int and -_EXACT <= value <= _EXACT:
        return value
    if kind is int or (kind is float and math.isfinite(value)):
        try:
            return _number(float(value))
        except OverflowError:
            raise _Refused("is a number beyond float64") from None
    raise _Refused(f"is no JSON value but {kind.__name__}")


def _number(value: float) -> int | float:
    """A float64 as functions get it; -0 has no integer."""
    whole = value.is_integer() and abs(value) <= _EXACT and not _is_negative_zero(value)
    return int(value) if whole else value


def _is_negative_zero(value: float) -> bool:
    return value == 0 and math.copysign(1, value) < 0


def _decode_special(key: str, item: Any) -> Any:
    if key not in {"$integer", "$float", "$bytes"}:
        raise _Refused(f'has the key {key!r}; keys that begin with "$" are Convex\'s own')
    if type(item) is not str or not _BASE64.match(item):
        raise _Refused(f"has a {key} that is not base64")
    content = base64.b64decode(item)
    if key == "$bytes":
        return content
    if len(content) != 8:
        raise _Refused(f"has a {key} of {len(content)} bytes, not 8")
    if key == "$integer":
        return Int64(struct.unpack("<q", content)[0])
    number: float = struct.unpack("<d", content)[0]
    if math.isfinite(number) and number != 0:
        raise _Refused("has a $float that should be a plain number")
    return number if number or _is_negative_zero(number) else 0


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _whole(text: str) -> int | float:
    """An integer of JSON text: a float64 like every number, so one beyond 2^53 loses digits."""
    return int(text) if len(text) < 16 and text != "-0" else _real(text)


def _real(text: str) -> int | float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("the JSON has a number beyond float64")
    return _number(number)


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_int=_whole, parse_float=_real, parse_constant=_constant)
