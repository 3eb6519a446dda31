/** Workflow runs: the state of a run of a workflow, by workflow name and run id together. */

import { v } from "convex/values";
import {
  owns,
  type Reader,
  requireService,
  storageMutation,
  storageQuery,
  type Writer,
} from "./lib/access.js";
import * as chunks from "./lib/chunks.js";
import { listBy, nothing } from "./lib/paging.js";
import * as records from "./lib/records.js";
import { emptySnapshot, statusOf, withState, withStepResult } from "./lib/snapshots.js";
import type { Row } from "./lib/tables.js";
import { listArgs, page, payload, record, saved, time, workflowRunFields } from "./validators.js";

// Runs of other workflows with the same id, and other owners, that a resource may have to look past.
const SAME_ID = 100;

const INDEXES = {
  by_resource: ["resourceId"],
  by_workflow_status: ["workflowName", "stateType"],
  by_workflow: ["workflowName"],
  by_status: ["stateType"],
  by_created: [],
};

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
 * A page of runs by `createdAt`, that meet all of the criteria given.
 *
 * The index is that of the resource, else the workflow (and state), else the state, else all.
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
    const own = ctx.principal.isService ? undefined : ctx.principal.resourceId;
    const asked = own === undefined ? args : { resourceId: own, ...args };
    if (!owns(ctx, asked.resourceId)) return nothing<"workflowRuns">(args);
    return listBy(ctx, "workflowRuns", INDEXES, asked);
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

const snapshotFields = {
  id: v.string(),
  workflowName: v.string(),
  resourceId: v.optional(v.string()),
  stateType: v.optional(v.string()),
  state: payload(),
  createdAt: v.optional(time()),
  updatedAt: v.optional(time()),
};

/** Save the snapshot of a run, whole. What else the run has stays, its owner too. */
export const persist = storageMutation({
  args: { run: v.object(snapshotFields) },
  returns: v.null(),
  handler: async (ctx, { run }) => {
    requireService(ctx, "persisting a snapshot");
    const before = await find(ctx, run);
    if (before) {
      const { stateType: _, updatedAt: __, ...kept } = before.record;
      await records.saveOver(ctx, "workflowRuns", before, { ...kept, ...run });
    } else await records.save(ctx, "workflowRuns", null, { updatedAt: ctx.now, ...run });
    return null;
  },
});

/**
 * Merge the result of one step into the snapshot of a run; returns the context, whole.
 *
 * A run that is missing begins with it, so that no result is lost.
 */
export const updateResults = storageMutation({
  args: {
    id: v.string(),
    workflowName: v.string(),
    stepId: v.string(),
    result: payload(),
    requestContext: payload(),
  },
  returns: payload(),
  handler: async (ctx, args) => {
    requireService(ctx, "updating the results of a workflow run");
    const before = await find(ctx, args);
    const run = withSnapshot(ctx, before, args);
    const merged = withStepResult(run, args.stepId, args.result, args.requestContext);
    await saveMerged(ctx, before, { ...run, state: merged.state });
    return merged.context;
  },
});

/**
 * Lay `state` over the snapshot of a run; returns the snapshot.
 *
 * Null, and nothing is written, if there is no such run or its status is not an expected one.
 */
export const updateState = storageMutation({
  args: {
    id: v.string(),
    workflowName: v.string(),
    state: payload(),
    expectedStatus: v.optional(v.array(v.string())),
  },
  returns: v.union(payload(), v.null()),
  handler: async (ctx, args) => {
    requireService(ctx, "updating the state of a workflow run");
    const before = await find(ctx, args);
    if (!before) return null;
    const run = withSnapshot(ctx, before, args);
    const state = withState(run, args.state, args.expectedStatus);
    if (state === null) return null;
    await saveMerged(ctx, before, { ...run, state, ...statusOf(args.state) });
    return state;
  },
});

/** Delete a run. A missing one is fine. */
export const remove = storageMutation({
  args: { id: v.string(), workflowName: v.string() },
  returns: v.null(),
  handler: async (ctx, { id, workflowName }) => {
    requireService(ctx, "deleting a workflow run");
    const run = await records.byKey(ctx, "workflowRuns", workflowName, id);
    if (run) await records.remove(ctx, "workflowRuns", run);
    return null;
  },
});

type Key = { id: string; workflowName: string };
type Run = Key & { state: string };

/** The run with all its text. */
async function find(ctx: Writer, { id, workflowName }: Key) {
  const row = await records.byKey(ctx, "workflowRuns", workflowName, id);
  return row && chunks.load(ctx, row);
}

/** The run with a snapshot to merge into, and without `updatedAt`, which moves on. */
function withSnapshot(ctx: Writer, before: Found, { id, workflowName }: Key): Run {
  const { updatedAt: _, ...kept } = before?.record ?? { updatedAt: 0 };
  const run = { ...kept, id, workflowName, ...(!before && { updatedAt: ctx.now }) };
  if ("state" in run && run.state !== undefined && run.state !== "null") return run as Run;
  const state = emptySnapshot(id, ctx.now);
  return { ...statusOf(state), ...run, state };
}

type Found = Awaited<ReturnType<typeof find>>;

function saveMerged(ctx: Writer, before: Found, run: Run) {
  return before
    ? records.saveOver(ctx, "workflowRuns", before, run)
    : records.save(ctx, "workflowRuns", null, run);
}
