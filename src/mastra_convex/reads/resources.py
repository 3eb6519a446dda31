"""Reading resources."""

from __future__ import annotations

from mastra_convex.models import Resource
from mastra_convex.reads.listing import Read, named


def resource(resource_id: str) -> Read[Resource | None]:
    """One resource, or None."""
    found = yield "resources:get", {"id": named(resource_id, "resource_id")}
    return None if found is None else Resource.of(found)
