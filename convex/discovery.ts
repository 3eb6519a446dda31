/** Discovery: what entities, services, environments, tags and labels there are to filter by. */

import { v } from "convex/values";
import { requireService, storageQuery } from "./lib/access.js";
import { invalidArgument } from "./lib/errors.js";
import { FIELDS, valuesAfter } from "./lib/facets.js";
import { limitOf } from "./lib/paging.js";

/**
 * The next values below `path` that begin with `prefix`, each once, in order, after `after`.
 *
 * A path is a kind (`entity`, `serviceName`, `environment`, `tag`, `label`), then what it is of (a
 * type of entity for `entity` and `tag`, a metric for `label`), then the key of a label; empty where
 * there is no such thing. Each value costs one look into the index.
 */
export const list = storageQuery({
  args: {
    path: v.array(v.string()),
    prefix: v.string(),
    after: v.optional(v.string()),
    limit: v.number(),
  },
  returns: v.array(v.string()),
  handler: async (ctx, { path, prefix, after, limit }) => {
    requireService(ctx, "discovery");
    if (path.length < 1 || path.length >= FIELDS.length) {
      throw invalidArgument(`path has 1 to ${FIELDS.length - 1} texts, a kind first`);
    }
    return valuesAfter(ctx, path, after, prefix, limitOf(limit));
  },
});
