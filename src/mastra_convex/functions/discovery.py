"""Discovery: what entities, services, environments, tags and labels there are to filter by."""

from __future__ import annotations

from mastra_convex.engine.context import QueryCtx
from mastra_convex.errors import InvalidArgumentError
from mastra_convex.functions.lib.access import Args, require_service, storage_query
from mastra_convex.functions.lib.facets import FIELDS, values_after
from mastra_convex.functions.lib.paging import limit_of
from mastra_convex.values.validators import v


@storage_query(
    args={
        "path": v.array(v.string()),
        "prefix": v.string(),
        "after": v.optional(v.string()),
        "limit": v.number(),
    },
    returns=v.array(v.string()),
)
def list_(ctx: QueryCtx, args: Args) -> list[str]:
    """The next values below `path` that begin with `prefix`, each once, in order, after `after`.

    A path is a kind (`entity`, `serviceName`, `environment`, `tag`, `label`), then what it is of
    (a type of entity for `entity` and `tag`, a metric for `label`), then the key of a label; empty
    where there is no such thing. Each value costs one look into the index.
    """
    require_service(ctx, "discovery")
    if not 1 <= len(args["path"]) < len(FIELDS):
        raise InvalidArgumentError(f"path has 1 to {len(FIELDS) - 1} texts, a kind first")
    return values_after(ctx, args["path"], args.get("after"), args["prefix"], limit_of(args))
