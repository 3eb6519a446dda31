"""Channels: installations of agents on chat platforms, and what a platform needs as a whole.

Both hold secrets: they are for the service alone.
"""

from __future__ import annotations

from mastra_convex.engine.context import MutationCtx, QueryCtx
from mastra_convex.engine.query import RangeBuilder
from mastra_convex.functions.lib.access import (
    Args,
    Doc,
    require_service,
    storage_mutation,
    storage_query,
)
from mastra_convex.functions.lib.paging import page_of
from mastra_convex.functions.lib.records import by_key, public
from mastra_convex.functions.lib.records import remove as remove_record
from mastra_convex.functions.lib.records import save as save_record
from mastra_convex.functions.validators import (
    channel_config_fields,
    channel_installation_fields,
    list_args,
    page,
    record,
    saved,
)
from mastra_convex.values.validators import v

# Of several installations of an agent, the first of these is meant.
_STATUSES = ("active", "pending", "error")

_installation = v.union(record(channel_installation_fields), v.null())


@storage_mutation(
    args={"installation": saved(channel_installation_fields)},
    returns=record(channel_installation_fields),
)
def save_installation(ctx: MutationCtx, args: Args) -> Doc:
    """Save an installation by its id, replacing what was saved before."""
    require_service(ctx, "saving a channel")
    installation = args["installation"]
    before = by_key(ctx, "channelInstallations", installation["id"])
    if before is None:
        installation = {"updatedAt": ctx.now, **installation}
    return public(save_record(ctx, "channelInstallations", before, installation))


@storage_query(args={"id": v.string()}, returns=_installation)
def get_installation(ctx: QueryCtx, args: Args) -> Doc | None:
    """The installation, or null."""
    require_service(ctx, "reading a channel")
    found = by_key(ctx, "channelInstallations", args["id"])
    return public(found) if found else None


@storage_query(args={"platform": v.string(), "agentId": v.string()}, returns=_installation)
def get_installation_by_agent(ctx: QueryCtx, args: Args) -> Doc | None:
    """The agent's installation, or null: an active one, else one that is pending, else one."""
    require_service(ctx, "reading a channel")
    for status in _STATUSES:
        key = {"platform": args["platform"], "agentId": args["agentId"], "status": status}
        found = _first(ctx, "by_agent", key)
        if found is not None:
            return found
    return None


@storage_query(args={"webhookId": v.string()}, returns=_installation)
def get_installation_by_webhook_id(ctx: QueryCtx, args: Args) -> Doc | None:
    """The installation that a webhook belongs to, or null."""
    require_service(ctx, "reading a channel")
    return _first(ctx, "by_webhook", args)


@storage_query(
    args={"platform": v.string(), **list_args}, returns=page(channel_installation_fields)
)
def list_installations(ctx: QueryCtx, args: Args) -> Doc:
    """A page of a platform's installations by `createdAt`."""
    require_service(ctx, "listing channels")
    return page_of(ctx, "channelInstallations", "by_platform", (args["platform"],), args)


@storage_mutation(args={"id": v.string()}, returns=v.null())
def remove_installation(ctx: MutationCtx, args: Args) -> None:
    """Delete an installation. A missing one is fine."""
    require_service(ctx, "deleting a channel")
    found = by_key(ctx, "channelInstallations", args["id"])
    if found is not None:
        remove_record(ctx, "channelInstallations", found)


@storage_mutation(
    args={"config": saved(channel_config_fields)}, returns=record(channel_config_fields)
)
def save_config(ctx: MutationCtx, args: Args) -> Doc:
    """Save the configuration of a platform, which is its id, replacing what was saved before."""
    require_service(ctx, "saving a channel")
    config = args["config"]
    before = by_key(ctx, "channelConfigs", config["id"])
    if before is None:
        config = {"updatedAt": ctx.now, **config}
    return public(save_record(ctx, "channelConfigs", before, config))


@storage_query(args={"id": v.string()}, returns=v.union(record(channel_config_fields), v.null()))
def get_config(ctx: QueryCtx, args: Args) -> Doc | None:
    """The configuration of a platform, or null."""
    require_service(ctx, "reading a channel")
    found = by_key(ctx, "channelConfigs", args["id"])
    return public(found) if found else None


@storage_mutation(args={"id": v.string()}, returns=v.null())
def remove_config(ctx: MutationCtx, args: Args) -> None:
    """Delete the configuration of a platform. A missing one is fine."""
    require_service(ctx, "deleting a channel")
    found = by_key(ctx, "channelConfigs", args["id"])
    if found is not None:
        remove_record(ctx, "channelConfigs", found)


def _first(ctx: QueryCtx, index: str, values: Args) -> Doc | None:
    """The first installation with these values of an index, or None."""

    def inside(q: RangeBuilder) -> RangeBuilder:
        for field, value in values.items():
            q.eq(field, value)
        return q

    found = ctx.db.query("channelInstallations").with_index(index, inside).first()
    return public(found) if found else None
