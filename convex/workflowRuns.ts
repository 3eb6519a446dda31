/** Workflow runs: the state of a run of a workflow, by workflow name and run id together. */

import { v } from "convex/values";
import { owns, type Reader, requireService, storageMutation, storageQuery } from "./lib/access.js";
import { nothing, pageOf } from "./lib/paging.js";
import * as records from "./lib/records.js";
import type { Row } from "./lib/tables.js";
import { listArgs, page, record, saved, workflowRunFields } from "./validators.js";

// Runs of other workflows with the same id, and other owners, that a resource may have to look past.
const SAME_ID = 100;

/** The run, or null; without the workflow's name, the newest run of that id. */
export const get = storageQuery({
  args: { id: v.string(), workflowName: v.optional(v.string()) },
  returns: v.union(record(workflowRunFields), v.null()),
  handler: async (ctx, { id, workflowName }) => {
    const run =
      workflowName === undefined
        ? await newest(ctx, id)
        : await records.byKey(ctx, "workflowRuns", workflowName, id);
    return run && owns(ctx, run.resourceId) ? records.read(ctx, run) : null;
  },
});

async function newest(ctx: Reader, id: string): Promise<Row<"workflowRuns"> | undefined> {
  const runs = await ctx.db
    .query("workflowRuns")
    .withIndex("by_run", (q) => q.eq("id", id))
    .order("desc")
    .take(ctx.principal.isService ? 1 : SAME_ID);
  return runs.find((run) => owns(ctx, run.resourceId));
}

/**
 * A page of runs by `createdAt`.
 *
 * Of one resource, else one workflow (and state), else one state, else all.
 */
export const list = storageQuery({
  args: {
    workflowName: v.optional(v.string()),
    resourceId: v.optional(v.string()),
    stateType: v.optional(v.string()),
    ...listArgs,
  },
  returns: page(workflowRunFields),
  handler: async (ctx, args) => {
    const { workflowName: name, stateType: state } = args;
    const own = ctx.principal.isService ? undefined : ctx.principal.resourceId;
    const resourceId = args.resourceId ?? own;
    const runs = (index: string, ...values: string[]) =>
      pageOf(ctx, "workflowRuns", index, values, args);
    if (!owns(ctx, resourceId)) return nothing<"workflowRuns">(args);
    if (resourceId !== undefined) return runs("by_resource", resourceId);
    if (name !== undefined && state !== undefined) return runs("by_workflow_status", name, state);
    if (name !== undefined) return runs("by_workflow", name);
    if (state !== undefined) return runs("by_status", state);
    return runs("by_created");
  },
});

/**
 * Save a run by its workflow's name and its id, replacing what was saved before.
 *
 * The owner of a run stays when the new record names none.
 */
export const save = storageMutation({
  args: { run: saved(workflowRunFields) },
  returns: record(workflowRunFields),
  handler: async (ctx, { run }) => {
    requireService(ctx, "saving a workflow run");
    const before = await records.byKey(ctx, "workflowRuns", run.workflowName, run.id);
    if (!before) {
      const updatedAt = run.createdAt ?? ctx.now;
      return records.save(ctx, "workflowRuns", null, { updatedAt, ...run });
    }
    const owner = before.resourceId === undefined ? {} : { resourceId: before.resourceId };
    return records.save(ctx, "workflowRuns", before, { ...owner, ...run });
  },
});
