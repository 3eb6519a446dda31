/** Background tasks: tool calls that go on after the agent that made them has answered. */

import { v } from "convex/values";
import { owns, requireService, storageMutation, storageQuery } from "./lib/access.js";
import { checkBatch } from "./lib/batches.js";
import * as chunks from "./lib/chunks.js";
import * as counters from "./lib/counters.js";
import { conflict } from "./lib/errors.js";
import { listBy, nothing } from "./lib/paging.js";
import * as records from "./lib/records.js";
import type { Stored } from "./lib/tables.js";
import {
  backgroundTaskFields,
  listArgs,
  nullable,
  page,
  payload,
  record,
  saved,
  time,
} from "./validators.js";

const { status } = backgroundTaskFields;

const INDEXES = {
  by_tool_call: ["toolCallId"],
  by_run: ["runId"],
  by_thread: ["threadId"],
  by_resource: ["resourceId"],
  by_agent_status: ["agentId", "status"],
  by_agent: ["agentId"],
  by_tool: ["toolName"],
  by_status: ["status"],
  by_created: [],
};
const OWN = { by_resource: ["resourceId"] };
const ALSO = Object.values(INDEXES).flat();

/** The task, or null. */
export const get = storageQuery({
  args: { id: v.string() },
  returns: v.union(record(backgroundTaskFields), v.null()),
  handler: async (ctx, { id }) => {
    const task = await records.byKey(ctx, "backgroundTasks", id);
    return task && owns(ctx, task.resourceId) ? records.read(ctx, task) : null;
  },
});

/** A page of tasks by `createdAt`, that meet all of the criteria given. */
export const list = storageQuery({
  args: {
    toolCallId: v.optional(v.string()),
    runId: v.optional(v.string()),
    threadId: v.optional(v.string()),
    resourceId: v.optional(v.string()),
    agentId: v.optional(v.string()),
    toolName: v.optional(v.string()),
    status: v.optional(status),
    ...listArgs,
  },
  returns: page(backgroundTaskFields),
  handler: async (ctx, args) => {
    if (ctx.principal.isService) return listBy(ctx, "backgroundTasks", INDEXES, args);
    const own = { resourceId: ctx.principal.resourceId, ...args };
    if (!owns(ctx, own.resourceId)) return nothing<"backgroundTasks">(args);
    return listBy(ctx, "backgroundTasks", OWN, own, ALSO);
  },
});

/** How many tasks have the status, of all agents or of one. */
export const count = storageQuery({
  args: { status, agentId: v.optional(v.string()) },
  returns: v.number(),
  handler: async (ctx, { status, agentId }) => {
    requireService(ctx, "counting background tasks");
    const total = (index: string, ...values: string[]) =>
      counters.total(ctx, "backgroundTasks", index, values);
    const found =
      agentId === undefined
        ? total("by_status", status)
        : total("by_agent_status", agentId, status);
    return (await found) ?? 0;
  },
});

/** Add a task. The same one again is fine, another one of its id is a conflict. */
export const create = storageMutation({
  args: { task: saved(backgroundTaskFields) },
  returns: record(backgroundTaskFields),
  handler: async (ctx, { task }) => {
    requireService(ctx, "creating a background task");
    const before = await records.byKey(ctx, "backgroundTasks", task.id);
    if (!before) return records.insert(ctx, "backgroundTasks", { createdAt: ctx.now, ...task });
    const old = await records.read(ctx, before);
    if (!records.equal(old, { createdAt: old.createdAt, ...task })) {
      throw conflict(`task '${task.id}' exists already; update it, or choose another id`, {
        table: "backgroundTasks",
        id: task.id,
      });
    }
    return old;
  },
});

const updateFields = {
  status: v.optional(status),
  result: nullable(payload()),
  error: nullable(payload()),
  suspendPayload: nullable(payload()),
  startedAt: nullable(time()),
  suspendedAt: nullable(time()),
  completedAt: nullable(time()),
  retryCount: v.optional(v.number()),
  maxRetries: v.optional(v.number()),
  timeoutMs: v.optional(v.number()),
};

/**
 * Change a task, if it has the expected status. Null takes a field away.
 *
 * False, and nothing is written, if there is no such task or it has another status.
 */
export const update = storageMutation({
  args: { id: v.string(), update: v.object(updateFields), expectedStatus: v.optional(status) },
  returns: v.boolean(),
  handler: async (ctx, { id, update, expectedStatus }) => {
    requireService(ctx, "updating a background task");
    const before = await records.byKey(ctx, "backgroundTasks", id);
    if (!before || (expectedStatus ?? before.status) !== before.status) return false;
    const loaded = await chunks.load(ctx, before);
    const task = records.changed(loaded.record, update) as Stored<"backgroundTasks">;
    await records.replace(ctx, "backgroundTasks", loaded, task);
    return true;
  },
});

/** Delete tasks; one that is given with a status, only if it still has it. */
export const remove = storageMutation({
  args: { tasks: v.array(v.object({ id: v.string(), status: v.optional(status) })) },
  returns: v.null(),
  handler: async (ctx, { tasks }) => {
    requireService(ctx, "deleting background tasks");
    checkBatch(tasks.length, "tasks");
    for (const { id, status } of tasks) {
      const task = await records.byKey(ctx, "backgroundTasks", id);
      if (task && (status ?? task.status) === task.status) {
        await records.remove(ctx, "backgroundTasks", task);
      }
    }
    return null;
  },
});
