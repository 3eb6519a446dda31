/** Resources: the working memory and metadata of a user or another owner. */

import { v } from "convex/values";
import { owns, type Reader, storageMutation, storageQuery } from "./lib/access.js";
import { load } from "./lib/chunks.js";
import { unauthenticated } from "./lib/errors.js";
import { merge } from "./lib/payloads.js";
import * as records from "./lib/records.js";
import { payload, record, resourceFields, saved } from "./validators.js";

function requireOwner(ctx: Reader, resourceId: string): void {
  if (owns(ctx, resourceId)) return;
  throw unauthenticated(
    `resource '${resourceId}' is not the one this token is for; use its own token`,
  );
}

/** The resource, or null. */
export const get = storageQuery({
  args: { id: v.string() },
  returns: v.union(record(resourceFields), v.null()),
  handler: async (ctx, args) => {
    const resource = owns(ctx, args.id) ? await records.byKey(ctx, "resources", args.id) : null;
    return resource && records.read(ctx, resource);
  },
});

/** Save a resource by its id, replacing what was saved before. */
export const save = storageMutation({
  args: { resource: saved(resourceFields) },
  returns: record(resourceFields),
  handler: async (ctx, { resource }) => {
    requireOwner(ctx, resource.id);
    const before = await records.byKey(ctx, "resources", resource.id);
    if (before) return records.save(ctx, "resources", before, resource);
    const created = resource.createdAt ?? ctx.now;
    const times = { createdAt: created, updatedAt: created };
    return records.save(ctx, "resources", null, { ...times, ...resource });
  },
});

/**
 * Change working memory and metadata; a missing resource is created.
 *
 * With `expected`, only if the working memory is still that, to the letter; null is none.
 */
export const update = storageMutation({
  args: {
    id: v.string(),
    workingMemory: v.optional(payload()),
    metadata: v.optional(payload()),
    expected: v.optional(v.object({ workingMemory: v.union(payload(), v.null()) })),
  },
  returns: record(resourceFields),
  handler: async (ctx, { expected, ...args }) => {
    requireOwner(ctx, args.id);
    const resource = await records.byKey(ctx, "resources", args.id);
    if (!resource) {
      records.requireExpected({ id: args.id }, expected, "resources");
      const times = { createdAt: ctx.now, updatedAt: ctx.now };
      return records.insert(ctx, "resources", { metadata: "{}", ...args, ...times });
    }
    const before = await load(ctx, resource);
    records.requireExpected(before.record, expected, "resources");
    const { workingMemory, metadata } = args;
    return records.patch(ctx, "resources", before, {
      updatedAt: records.later(ctx, resource),
      ...(workingMemory !== undefined && { workingMemory }),
      ...(metadata !== undefined && { metadata: merge(before.record.metadata, metadata) }),
    });
  },
});
