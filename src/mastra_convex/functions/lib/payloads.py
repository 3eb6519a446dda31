"""Merging payloads inside the transaction that needs it; elsewhere they stay closed text."""

from __future__ import annotations

from typing import Any

from mastra_convex.errors import InvalidArgumentError
from mastra_convex.values.payload import decode_payload, encode_payload


def merge(before: str | None, update: str) -> str:
    """`update` laid over `before`, member by member; anything but two maps is replaced."""
    old, new = decoded(before or "{}"), decoded(update)
    if isinstance(old, dict) and isinstance(new, dict):
        return encode_payload({**old, **new})
    return update


def merge_deep(before: str, update: str) -> str:
    """As `merge`, and so on in maps that both have under the same key."""
    return encode_payload(_laid_over(decoded(before), decoded(update)))


def _laid_over(old: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    common = {key: _laid_over(old[key], new[key]) for key in old.keys() & new.keys()}
    return {**old, **new, **common}


def merge_content(before: str, update: str) -> str:
    """As `merge`, for a message's content: its `metadata`, if both have one, is merged too."""
    old, new = decoded(before), decoded(update)
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return update
    merged = {**old, **new}
    if isinstance(old.get("metadata"), dict) and isinstance(new.get("metadata"), dict):
        merged["metadata"] = {**old["metadata"], **new["metadata"]}
    return encode_payload(merged)


def decoded(text: str) -> Any:
    """The value of a payload. Raises `InvalidArgumentError` for what is no JSON text."""
    try:
        return decode_payload(text)
    except ValueError as error:
        raise InvalidArgumentError(f"a payload is no JSON text: {error}") from None
    except RecursionError:
        raise InvalidArgumentError(
            "a payload is no JSON text that can be merged: it is nested too deeply; flatten it"
        ) from None
