"""Page cursors: where a page ended, bound to the query that made it.

A cursor is the index key of the last document of the page, as base64 of JSON, with a fingerprint
of table, index, range and order. Used with another query it is refused, as Convex refuses it.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any

from mastra_convex.errors import InvalidArgumentError


def encode_cursor(query: tuple[Any, ...], key: tuple[Any, ...]) -> str:
    """The cursor after `key`; `query` is anything that tells the query from others."""
    text = json.dumps([_fingerprint(query), *key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode()


def decode_cursor(query: tuple[Any, ...], cursor: str) -> tuple[Any, ...]:
    """The key inside `cursor`. Raises `InvalidArgumentError` if another query made it."""
    try:
        fingerprint, *key = json.loads(base64.b64decode(cursor, b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise damaged() from None
    if fingerprint != _fingerprint(query):
        raise InvalidArgumentError(
            "the cursor belongs to another query; use it with the arguments that made it"
        )
    return tuple(key)


def damaged() -> InvalidArgumentError:
    """The error for a cursor that no page has ended with."""
    return InvalidArgumentError("the cursor is damaged; start from the first page")


def _fingerprint(query: tuple[Any, ...]) -> int:
    # Guards against mistakes, not against forgery: a reader can only ever reach its own range,
    # because the range of the query is applied as well as the cursor.
    return zlib.crc32(json.dumps(query).encode())
