"""The beginning of a span's input, as lists show it (interface, section 6.4)."""

from __future__ import annotations

from typing import Any

from mastra_convex.values.payload import decode_payload

_LENGTH = 100


def preview_of(text: str) -> str | None:
    """A short text for an input, which is given as its JSON text; None for an empty one.

    Of messages it is what the user says in them; otherwise the text itself, or the JSON.
    """
    shown = _shown(text)
    if not shown:
        return None
    short = f"{shown[:_LENGTH]}…" if len(shown) > _LENGTH else shown
    # A field of text, unlike a payload, holds no lone surrogates.
    return short.encode("utf-8", "replace").decode()


def _shown(text: str) -> str:
    value: Any = text
    if text.startswith('"'):
        value = decode_payload(text)
        text = value.strip()
        if text.startswith(("{", "[", '"')):
            try:
                value = decode_payload(text)
            except (ValueError, RecursionError):
                return "" if text[0] != '"' else value
        elif not text:
            return ""
        if isinstance(value, str):
            return value
    # Only these can hold messages: others need not be decoded.
    elif text.startswith("[") or (text.startswith("{") and '"messages"' in text):
        value = decode_payload(text)
    messages = value.get("messages") if isinstance(value, dict) else value
    if not isinstance(messages, list):
        return "" if text == "null" else text
    said = (
        _text_of(each.get("content", each.get("parts")))
        for each in messages
        if isinstance(each, dict) and each.get("role") == "user"
    )
    return " | ".join(filter(None, said))


def _text_of(content: Any) -> str:
    """The text of a message's content: a text, or a list of parts.

    Parts of Mastra's messages have a `text`; those of OpenTelemetry's, in `parts`, a `content`.
    """
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = (_part_text(part) if isinstance(part, dict) else part for part in parts)
    return " ".join(text for text in texts if isinstance(text, str) and text)


def _part_text(part: dict[str, Any]) -> Any:
    return part.get("text", part.get("content")) if part.get("type") == "text" else None
