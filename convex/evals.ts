/** Evals: how well an agent did, in a test or live. */

import { v } from "convex/values";
import { requireService, storageMutation, storageQuery } from "./lib/access.js";
import { nothing, pageOf } from "./lib/paging.js";
import * as records from "./lib/records.js";
import { evalFields, listArgs, page, record, saved } from "./validators.js";

/** The eval, or null. */
export const get = storageQuery({
  args: { id: v.string() },
  returns: v.union(record(evalFields), v.null()),
  handler: async (ctx, args) => {
    const found = await records.byKey(ctx, "evals", args.id);
    const visible = found && (await records.threadVisible(ctx, found.threadId));
    return visible ? records.read(ctx, found) : null;
  },
});

/** A page of evals by `createdAt`, of one thread, else one agent (and type), else one type. */
export const list = storageQuery({
  args: {
    threadId: v.optional(v.string()),
    agentName: v.optional(v.string()),
    type: v.optional(v.string()),
    ...listArgs,
  },
  returns: page(evalFields),
  handler: async (ctx, args) => {
    const { threadId, agentName, type } = args;
    if (!(await records.threadVisible(ctx, threadId))) return nothing<"evals">(args);
    if (threadId !== undefined) return pageOf(ctx, "evals", "by_thread", [threadId], args);
    if (agentName !== undefined && type !== undefined) {
      return pageOf(ctx, "evals", "by_agent_type", [agentName, type], args);
    }
    if (agentName !== undefined) return pageOf(ctx, "evals", "by_agent", [agentName], args);
    if (type !== undefined) return pageOf(ctx, "evals", "by_type", [type], args);
    return pageOf(ctx, "evals", "by_created", [], args);
  },
});

/** Save an eval by its id, replacing what was saved before. */
export const save = storageMutation({
  args: { eval: saved(evalFields) },
  returns: record(evalFields),
  handler: async (ctx, args) => {
    requireService(ctx, "saving an eval");
    const before = await records.byKey(ctx, "evals", args.eval.id);
    return records.save(ctx, "evals", before, args.eval);
  },
});
