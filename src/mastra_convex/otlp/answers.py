"""What an OTLP client is answered, in the encoding that it has used."""

from __future__ import annotations

import json
from typing import Literal

Encoding = Literal["protobuf", "json"]

MEDIA_TYPES: dict[Encoding, str] = {
    "protobuf": "application/x-protobuf",
    "json": "application/json",
}
_ENCODINGS: dict[str, Encoding] = {
    "application/x-protobuf": "protobuf",
    "application/protobuf": "protobuf",
    "application/json": "json",
}
# The codes of google.rpc.Status for statuses of HTTP.
_CODES = {400: 3, 401: 16, 403: 7, 413: 3, 415: 3, 429: 8, 503: 14}
_UNKNOWN = 2
_VARINT, _BYTES = 0, 2


def encoding_of(content_type: str) -> Encoding | None:
    """The encoding that a Content-Type names; None for one that is none of OTLP's."""
    return _ENCODINGS.get(content_type.partition(";")[0].strip().lower())


def success(encoding: Encoding, rejected: int, message: str) -> bytes:
    """An ExportTraceServiceResponse; with spans that were rejected, it says how many and why."""
    if not rejected:
        return b"{}" if encoding == "json" else b""
    if encoding == "json":
        told = {"rejectedSpans": str(rejected), "errorMessage": message}
        return json.dumps({"partialSuccess": told}).encode()
    return _text(1, _whole(1, rejected) + _text(2, message.encode("utf-8", "replace")))


def failure(encoding: Encoding, status: int, message: str) -> bytes:
    """A google.rpc.Status, for a status of HTTP."""
    code = _CODES.get(status, _UNKNOWN)
    if encoding == "json":
        return json.dumps({"code": code, "message": message}).encode()
    return _whole(1, code) + _text(2, message.encode("utf-8", "replace"))


def _whole(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value)


def _text(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
