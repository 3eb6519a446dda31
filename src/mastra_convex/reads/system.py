"""Reading what the store holds."""

from __future__ import annotations

from mastra_convex.models import TableStatistics
from mastra_convex.reads.listing import Read


def statistics() -> Read[list[TableStatistics]]:
    """Records and bytes of each table."""
    rows = yield "system:statistics", {}
    return [TableStatistics(r["table"], int(r["records"]), int(r["bytes"])) for r in rows]


def format_version() -> Read[int]:
    """The format of what is stored."""
    version = yield "system:version", {}
    return int(version["format"])
