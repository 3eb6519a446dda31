"""What the spans of one resource and scope share, and the limits of a request."""

from __future__ import annotations

from typing import Any

from mastra_convex.otlp.conventions import RESOURCE_IDS
from mastra_convex.otlp.span import BadSpanError, Origin, first_text
from mastra_convex.values.payload import encode_payload

# Exporters send 512 spans at a time, collectors 8,192.
MAX_SPANS = 65_536
# What spans share is stored with each of them.
MAX_ORIGIN_CHARACTERS = 65_536
# A span goes into one transaction, with what it is stored in beside its own bytes.
MAX_SPAN_BYTES = 6 * 1024 * 1024


def origin_of(
    attributes: dict[str, Any], resource: dict[str, Any], scope: dict[str, Any]
) -> Origin:
    """The origin of a resource with these attributes; members that are empty are left out.

    Raises `BadSpanError` for more of it than each span can have with it.
    """
    whole = {
        "resource": {"attributes": attributes, **_filled(resource)},
        "scope": _filled(scope),
    }
    text = encode_payload(whole)[1:-1]
    if len(text) > MAX_ORIGIN_CHARACTERS:
        raise BadSpanError(
            f"its resource and scope have {len(text)} characters, and {MAX_ORIGIN_CHARACTERS} is "
            "the most"
        )
    told = {field: first_text(attributes, names) for field, names in RESOURCE_IDS.items()}
    return Origin(_filled(told), text)


def _filled(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value}
