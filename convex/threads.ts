/** Threads: a conversation, its owner and its metadata. */

import { v } from "convex/values";
import { owns, storageMutation, storageQuery, storageStep, type Writer } from "./lib/access.js";
import { checkBatch } from "./lib/batches.js";
import * as cascade from "./lib/cascade.js";
import { load } from "./lib/chunks.js";
import { copyingOf } from "./lib/copying.js";
import { conflict, notFound } from "./lib/errors.js";
import { requireSettled } from "./lib/ownership.js";
import { arrivalsOf, nothing, pageOf } from "./lib/paging.js";
import { merge } from "./lib/payloads.js";
import * as records from "./lib/records.js";
import type { Row } from "./lib/tables.js";
import {
  arrivals,
  arrivalsArgs,
  listArgs,
  page,
  payload,
  record,
  saved,
  threadFields,
  time,
} from "./validators.js";

/** The thread, or null. */
export const get = storageQuery({
  args: { id: v.string() },
  returns: v.union(record(threadFields), v.null()),
  handler: async (ctx, args) => {
    const thread = await records.visibleThread(ctx, args.id);
    return thread && records.read(ctx, thread);
  },
});

/** A page of the threads of one resource, or of all. */
export const list = storageQuery({
  args: {
    resourceId: v.optional(v.string()),
    orderBy: v.union(v.literal("createdAt"), v.literal("updatedAt")),
    ...listArgs,
  },
  returns: page(threadFields),
  handler: async (ctx, args) => {
    const own = ctx.principal.isService ? undefined : ctx.principal.resourceId;
    const resourceId = args.resourceId ?? own;
    if (!owns(ctx, resourceId)) return nothing<"threads">(args);
    const updated = args.orderBy === "updatedAt";
    if (resourceId === undefined) {
      return pageOf(ctx, "threads", updated ? "by_updated" : "by_created", [], args);
    }
    const index = updated ? "by_resource_updated" : "by_resource_created";
    return pageOf(ctx, "threads", index, [resourceId], args);
  },
});

/** Threads in the order in which they arrived, whoever they belong to. */
export const listArrived = storageQuery({
  args: arrivalsArgs,
  returns: arrivals(threadFields),
  handler: (ctx, args) => arrivalsOf(ctx, "threads", args),
});

/** Save a thread by its id, replacing what was saved before; its messages stay. */
export const save = storageMutation({
  args: { thread: saved(threadFields) },
  returns: record(threadFields),
  handler: async (ctx, { thread }) => {
    const before = await records.byKey(ctx, "threads", thread.id);
    requireOwner(ctx, thread, before);
    if (before) {
      if (before.resourceId !== thread.resourceId) requireSettled(before);
      return records.save(ctx, "threads", before, thread);
    }
    await cascade.requireFree(ctx, thread.id);
    const created = thread.createdAt ?? ctx.now;
    const fresh = { createdAt: created, updatedAt: created, messageCount: 0, lastSeq: 0 };
    return records.save(ctx, "threads", null, { ...fresh, ...thread });
  },
});

/**
 * Change title and metadata; metadata is laid over the old, member by member.
 *
 * With `expected`, only if owner and metadata are still those, to the letter.
 */
export const update = storageMutation({
  args: {
    id: v.string(),
    title: v.optional(v.string()),
    metadata: v.optional(payload()),
    expected: v.optional(
      v.object({ resourceId: v.string(), metadata: v.union(payload(), v.null()) }),
    ),
  },
  returns: record(threadFields),
  handler: async (ctx, args) => {
    const thread = await existing(ctx, args.id);
    const before = await load(ctx, thread);
    records.requireExpected(before.record, args.expected, "threads");
    const { title, metadata } = args;
    return records.patch(ctx, "threads", before, {
      updatedAt: records.later(ctx, thread),
      ...(title !== undefined && { title }),
      ...(metadata !== undefined && { metadata: merge(before.record.metadata, metadata) }),
    });
  },
});

/** Give a thread to another owner, and all of its messages with it, whoever had them. */
export const updateResourceId = storageMutation({
  args: { id: v.string(), resourceId: v.string() },
  returns: record(threadFields),
  handler: async (ctx, { id, resourceId }) => {
    const thread = await existing(ctx, id);
    if (thread.resourceId === resourceId) return records.read(ctx, thread);
    requireOwner(ctx, { id, resourceId }, thread);
    requireSettled(thread);
    return cascade.changeOwner(ctx, thread, resourceId);
  },
});

/** Delete a thread with its messages. A missing one is fine. */
export const remove = storageMutation({
  args: { id: v.string() },
  returns: v.null(),
  handler: async (ctx, args) => {
    const thread = await records.byKey(ctx, "threads", args.id);
    if (thread) {
      if (owns(ctx, thread.resourceId)) await cascade.removeThread(ctx, thread);
      return null;
    }
    const job = await cascade.jobOf(ctx, args.id);
    if (job && owns(ctx, job.clone?.thread.resourceId)) await cascade.abandon(ctx, job);
    return null;
  },
});

/**
 * Copy a thread and its messages, or those in a range of time, with given ids, the newest `limit`.
 *
 * The id of a copy follows from the new thread's id and the message's.
 */
export const clone = storageMutation({
  args: {
    id: v.string(),
    thread: v.object({
      id: v.string(),
      resourceId: v.optional(v.string()),
      title: v.optional(v.string()),
      metadata: v.optional(payload()),
    }),
    from: v.optional(time()),
    to: v.optional(time()),
    messageIds: v.optional(v.array(v.string())),
    limit: v.optional(v.number()),
  },
  returns: record(threadFields),
  handler: async (ctx, args) => {
    checkBatch(args.messageIds?.length ?? 0, "ids");
    const source = await existing(ctx, args.id);
    const { id, resourceId = source.resourceId } = args.thread;
    const before = await records.byKey(ctx, "threads", id);
    requireOwner(ctx, { id, resourceId }, before);
    if (before) {
      throw conflict(`thread '${id}' is there already; choose another id for the copy`, {
        table: "threads",
        id,
      });
    }
    await cascade.requireFree(ctx, id);
    return cascade.cloneThread(ctx, await copyingOf(ctx, source, args));
  },
});

/** A step of deleting, copying or giving away a thread. */
export const work = storageStep({
  args: { job: v.id("jobs"), step: v.number() },
  returns: v.null(),
  handler: async (ctx, { job, step }) => {
    await cascade.work(ctx, job, step);
    return null;
  },
});

async function existing(ctx: Writer, id: string): Promise<Row<"threads">> {
  const thread = await records.visibleThread(ctx, id);
  if (thread) return thread;
  throw notFound(`there is no thread '${id}'; save it first`, { table: "threads", id });
}

function requireOwner(
  ctx: Writer,
  thread: { id: string; resourceId: string },
  before: Row<"threads"> | null,
): void {
  if (owns(ctx, thread.resourceId) && (!before || owns(ctx, before.resourceId))) return;
  throw conflict(
    `thread '${thread.id}' cannot be saved for resource '${thread.resourceId}' with this token; ` +
      "use the resource's own id and a new thread id",
    { table: "threads", id: thread.id },
  );
}
