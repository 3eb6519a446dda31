"""Opaque payloads as exact JSON text.

A payload (message content, metadata, a snapshot, working memory) travels and rests as JSON text,
because a Convex value cannot hold `$ref` as a key, non-ASCII keys, more than 8,192 items, deep
nesting or integers beyond 2^53, and tool calls contain all of these.
"""

from __future__ import annotations

import json
import json.encoder
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from mastra_convex.errors import InvalidPayloadError


def json_encoder(
    *, ensure_ascii: bool, allow_nan: bool = True, separators: tuple[str, str] = (",", ":")
) -> Callable[[Any], str]:
    """`JSONEncoder.encode` without the cost of preparing itself; a cycle is a RecursionError.

    It builds the C encoder anew for each value, which takes longer than encoding a message does.
    """
    plain = json.JSONEncoder(ensure_ascii=ensure_ascii, allow_nan=allow_nan, separators=separators)
    quote = json.encoder.encode_basestring_ascii if ensure_ascii else json.encoder.encode_basestring
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # pragma: no cover - an interpreter without the C accelerator
        return plain.encode
    item, key = separators
    chunks = make(None, plain.default, quote, None, key, item, False, False, allow_nan)
    return lambda value: "".join(chunks(value, 0))


# The log writes infinite numbers with it; payloads have been through the other one first.
encode_json = json_encoder(ensure_ascii=True)
_encode_utf8 = json_encoder(ensure_ascii=False, allow_nan=False)
# What json makes of a key that is no text: only then, and with surrogates, can it alter a value
# without a word. Keys of text may look so too. Most quotes have something else behind them, which
# the first character tells in half of the time.
_DOUBTFUL_KEY = re.compile(r'"[-0-9tfn](?:rue|alse|ull|[-+.0-9e]*)":')
# Two characters that JSON would give back as one.
_SPLIT_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_decode = json.JSONDecoder().decode
_raw_decode = json.JSONDecoder().raw_decode


def decode_json(text: str) -> Any:
    """The value of JSON text that begins and ends without white space, as ours does."""
    return _raw_decode(text)[0]


def encode_payload(value: Any, *name: str) -> str:
    """JSON text from which `decode_payload` gives back a value equal to `value`.

    Tuples count as arrays. `name` is what the value is called, from the outside in. Raises
    `InvalidPayloadError`, with the path below `name`, for what JSON cannot say: NaN, infinities,
    bytes, datetimes, keys that are not strings, integers over Python's digit limit, two surrogates
    that JSON would join, nesting beyond the interpreter's recursion limit, cycles.
    """
    try:
        text = _encode_utf8(value)
        if not text.isascii() and not _is_utf8(text):
            text = encode_json(value)
        elif not _DOUBTFUL_KEY.search(text):
            return text
        # Reading the text back costs less than walking the value in Python, and proves the promise.
        if decode_json(text) == value:
            return text
    except (TypeError, ValueError):
        _refuse(value, name)
        raise
    except RecursionError:
        _refuse(value, name)
        raise _too_deep(name) from None
    _refuse(value, name)
    return text


def decode_payload(text: str) -> Any:
    """The value whose JSON text `encode_payload` made, or another writer, with white space."""
    try:
        value, end = _raw_decode(text)
    except json.JSONDecodeError:
        return _decode(text)
    return value if end == len(text) else _decode(text)


def open_payload(text: str) -> Any:
    """As `decode_payload`; what is no JSON text, which other clients can store, is itself.

    So is what is nested more deeply than this interpreter follows.
    """
    try:
        return decode_payload(text)
    except (ValueError, RecursionError):
        return text


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse(value: Any, name: tuple[str, ...]) -> None:
    """Raise for the first part of `value` that JSON cannot say; return if there is none."""
    try:
        for path, reason in _faults(value, _joined(name), set()):
            raise InvalidPayloadError(f"{path} {reason}", path=path)
    except RecursionError:
        raise _too_deep(name) from None


def _too_deep(name: tuple[str, ...]) -> InvalidPayloadError:
    path = _joined(name)
    return InvalidPayloadError(f"{path} is nested too deeply for JSON; flatten it", path=path)


def _joined(name: tuple[str, ...]) -> str:
    return ": ".join(name) or "payload"


def _faults(value: Any, path: str, above: set[int]) -> Iterator[tuple[str, str]]:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        if _SPLIT_PAIR.search(value):
            yield path, "has a surrogate pair as two characters; write it as the one it stands for"
    elif isinstance(value, int):
        try:
            str(value)
        except ValueError:
            yield path, "is an integer with more digits than Python reads back; pass it as text"
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield path, f"is {value}, which JSON cannot say; pass null or text"
    elif isinstance(value, (dict, list, tuple)):
        if id(value) in above:
            yield path, "contains itself; JSON cannot say that"
            return  # pragma: no cover - nobody asks for a second fault
        above.add(id(value))
        if isinstance(value, dict):
            for key, item in value.items():
                if isinstance(key, str):
                    yield from _faults(key, f"a key of {path}", above)
                    yield from _faults(item, f"{path}.{key}", above)
                else:
                    yield path, f"has the key {key!r}; JSON keys are strings"
        else:
            for position, item in enumerate(value):
                yield from _faults(item, f"{path}[{position}]", above)
        above.discard(id(value))
    else:
        kind = type(value).__name__
        yield path, f"is of type {kind}, which JSON cannot say; convert it to text or numbers"
