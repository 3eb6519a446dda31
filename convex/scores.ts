/** Scores: what a scorer has found of a run of an agent, a workflow or a step. */

import { v } from "convex/values";
import { owns, requireService, storageMutation, storageQuery } from "./lib/access.js";
import { listBy } from "./lib/paging.js";
import * as records from "./lib/records.js";
import { listArgs, page, record, saved, scoreFields } from "./validators.js";

const INDEXES = {
  by_scorer_source: ["scorerId", "source"],
  by_scorer: ["scorerId"],
  by_run: ["runId"],
  by_span: ["traceId", "spanId"],
  by_entity: ["entityId", "entityType"],
};
const TENANCY = ["organizationId", "projectId"];

/** The score, or null. */
export const get = storageQuery({
  args: { id: v.string() },
  returns: v.union(record(scoreFields), v.null()),
  handler: async (ctx, { id }) => {
    const score = await records.byKey(ctx, "scores", id);
    return score && owns(ctx, score.resourceId) ? records.read(ctx, score) : null;
  },
});

/**
 * A page of scores by `createdAt`, that meet all of the criteria given.
 *
 * The index is that of the scorer (and source), else the run, the span or the entity; for a
 * resource, that of its own scores.
 */
export const list = storageQuery({
  args: {
    scorerId: v.optional(v.string()),
    source: v.optional(scoreFields.source),
    runId: v.optional(v.string()),
    traceId: v.optional(v.string()),
    spanId: v.optional(v.string()),
    entityId: v.optional(v.string()),
    entityType: v.optional(v.string()),
    organizationId: v.optional(v.string()),
    projectId: v.optional(v.string()),
    ...listArgs,
  },
  returns: page(scoreFields),
  handler: async (ctx, args) => {
    if (ctx.principal.isService) return listBy(ctx, "scores", INDEXES, args, TENANCY);
    const { resourceId } = ctx.principal;
    const also = [...Object.values(INDEXES).flat(), ...TENANCY];
    return listBy(ctx, "scores", { by_resource: ["resourceId"] }, { ...args, resourceId }, also);
  },
});

/** Save a score by its id, replacing what was saved before. */
export const save = storageMutation({
  args: { score: saved(scoreFields) },
  returns: record(scoreFields),
  handler: async (ctx, { score }) => {
    requireService(ctx, "saving a score");
    const before = await records.byKey(ctx, "scores", score.id);
    const given = before ? score : { updatedAt: ctx.now, ...score };
    return records.save(ctx, "scores", before, given);
  },
});
