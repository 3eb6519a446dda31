"""A request's body as the calls that save its spans."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mastra_convex.otlp import json_text
from mastra_convex.otlp.answers import Encoding
from mastra_convex.otlp.mapping import document_of
from mastra_convex.otlp.span import BadSpanError, OtelSpan
from mastra_convex.otlp.wire import MalformedError
from mastra_convex.updates import in_batches

# As many reasons as one wants to read.
_MAX_REASONS = 3
_GZIP = 16 + zlib.MAX_WBITS


class TooLargeError(Exception):
    """A body is larger, once it is unpacked, than one may be."""


@dataclass(slots=True)
class Rejected:
    """The spans of a request that were not stored: how many, and for the first ones why."""

    count: int = 0
    reasons: list[str] = field(default_factory=list)

    def add(self, reason: str) -> None:
        """One more."""
        self.count += 1
        if len(self.reasons) < _MAX_REASONS:
            self.reasons.append(reason)

    def message(self) -> str:
        """What to tell the client."""
        more = self.count - len(self.reasons)
        return "; ".join([*self.reasons, f"and {more} more"] if more else self.reasons)


def unpacked(body: bytes, most: int) -> bytes:
    """A gzip body unpacked. Raises `TooLargeError` before it is larger, `MalformedError`."""
    found = bytearray()
    while body:
        member = zlib.decompressobj(_GZIP)
        try:
            while not member.eof:
                piece = member.decompress(body, most + 1 - len(found))
                found += piece
                if len(found) > most:
                    raise TooLargeError
                body = member.unconsumed_tail
                if not piece and not body and not member.eof:
                    raise MalformedError("the body breaks off inside its gzip")
        except zlib.error as error:
            raise MalformedError(f"the body is no gzip: {error}") from None
        body = member.unused_data
    return bytes(found)


def calls_of(body: bytes, encoding: Encoding, rejected: Rejected) -> Iterator[dict[str, Any]]:
    """The arguments of calls of `spans:save`, one after the other; what is left out is `rejected`.

    Raises `MalformedError` and `TooManySpansError` before the first: then there is nothing to save.
    """
    if encoding == "json":
        spans = json_text.read(body)
    else:
        from mastra_convex.otlp import protobuf

        spans = protobuf.read(body)
    return in_batches("spans", _documents(spans, rejected))


def _documents(
    spans: Iterable[OtelSpan | BadSpanError], rejected: Rejected
) -> Iterator[dict[str, Any]]:
    for number, span in enumerate(spans, 1):
        try:
            if isinstance(span, BadSpanError):
                raise span
            yield document_of(span)
        except BadSpanError as error:
            rejected.add(f"span {number}: {error}")
