"""Reading channels."""

from __future__ import annotations

from typing import Any

from mastra_convex.models_jobs import ChannelConfig, ChannelInstallation
from mastra_convex.reads.listing import Doc, Read, Window, listing, named
from mastra_convex.values.names import camel_case

_EVERYTHING = Window(0, False, include_total=False)


def installation(installation_id: str) -> Read[ChannelInstallation | None]:
    """One installation, or None."""
    args = {"id": named(installation_id, "installation_id")}
    return (yield from _found("channels:getInstallation", args))


def installation_by(**names: Any) -> Read[ChannelInstallation | None]:
    """The installation of an agent on a platform, or of a webhook, or None."""
    args = {camel_case(name): named(value, name) for name, value in names.items()}
    what = "ByWebhookId" if "webhook_id" in names else "ByAgent"
    return (yield from _found(f"channels:getInstallation{what}", args))


def installations(platform: str) -> Read[list[ChannelInstallation]]:
    """All installations on a platform, oldest first."""
    args = {"platform": named(platform, "platform"), "order": "asc"}
    found = yield from listing("channels:listInstallations", args, _EVERYTHING)
    return [ChannelInstallation.of(document) for document in found.documents]


def config(platform: str) -> Read[ChannelConfig | None]:
    """The configuration of a platform, or None."""
    found = yield "channels:getConfig", {"id": named(platform, "platform")}
    return None if found is None else ChannelConfig.of(found)


def _found(path: str, args: Doc) -> Read[ChannelInstallation | None]:
    found = yield path, args
    return None if found is None else ChannelInstallation.of(found)
