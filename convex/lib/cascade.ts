/**
 * Deleting, copying and giving away threads, however long they are.
 *
 * A message is visible only if its thread's document exists. So a thread is deleted for every
 * reader with its document, and a copy is there with its document, whatever the messages take: what
 * does not fit into the first transaction is done in scheduled steps. A job holds the thread's id
 * meanwhile. Its `step` is the one that comes next, so that a step that is run twice does nothing
 * the second time.
 */

import { getConvexSize } from "convex/values";
import { internal } from "../_generated/api.js";
import type { Doc, Id } from "../_generated/dataModel.js";
import type { Reader, Writer } from "./access.js";
import { copyMessages, type Copying, mark, newThread, requireFreeIds } from "./copying.js";
import { conflict, limitExceeded } from "./errors.js";
import { giveThread, takeOver } from "./ownership.js";
import * as records from "./records.js";
import { drain } from "./steps.js";
import type { Public, Row } from "./tables.js";

// A job is a document, which may have 1 MiB.
const JOB_BYTES = 1_000_000;

/** The job that holds a thread's id, or null. */
export function jobOf(ctx: Reader, threadId: string): Promise<Doc<"jobs"> | null> {
  return ctx.db
    .query("jobs")
    .withIndex("by_thread", (q) => q.eq("threadId", threadId))
    .unique();
}

/** Throw CONFLICT while a job holds the thread's id. */
export async function requireFree(ctx: Reader, threadId: string): Promise<void> {
  const job = await jobOf(ctx, threadId);
  if (job) {
    const doing = job.kind === "remove" ? "deleted" : "copied";
    throw conflict(`thread '${threadId}' is still being ${doing}; try again in a moment`, {
      table: "threads",
      id: threadId,
    });
  }
}

/** Delete a thread: its document now, its messages now or in steps. */
export async function removeThread(ctx: Writer, thread: Row<"threads">): Promise<boolean> {
  await records.remove(ctx, "threads", thread);
  const done = await removeMessages(ctx, thread.id);
  const job = thread.takenOver === undefined ? null : await jobOf(ctx, thread.id);
  if (job && done) await ctx.db.delete(job._id);
  else if (job) await abandon(ctx, job);
  else if (!done) await begin(ctx, { threadId: thread.id, kind: "remove" });
  return done;
}

/** Delete what a job has copied; or go on with a deletion, if its steps have come to a halt. */
export async function abandon(ctx: Writer, job: Doc<"jobs">): Promise<void> {
  const step = job.step + 1;
  await ctx.db.replace(job._id, { threadId: job.threadId, kind: "remove", step });
  await schedule(ctx, job._id, step);
}

/** Copy a thread: all of it now, or in steps with the document last. */
export async function cloneThread(ctx: Writer, copying: Copying): Promise<Public<"threads">> {
  const { thread } = copying;
  await requireFreeIds(ctx, thread.id);
  const progress = await copyMessages(ctx, copying);
  mark(copying);
  if (progress === "done") return records.insert(ctx, "threads", newThread(copying));
  const size = getConvexSize(copying);
  if (size > JOB_BYTES) {
    throw limitExceeded(
      `thread '${thread.id}' is copied in steps, for which its own values and the ids of messages ` +
        `have ${size} bytes; at most ${JOB_BYTES} can be kept`,
      { table: "threads", id: thread.id, size, limit: JOB_BYTES },
    );
  }
  await begin(ctx, { threadId: thread.id, kind: "clone", clone: copying });
  return thread;
}

/** Give a thread to a resource: its document now, what its messages say now or in steps. */
export async function changeOwner(
  ctx: Writer,
  thread: Row<"threads">,
  resourceId: string,
): Promise<Public<"threads">> {
  const own = { resourceId, lastSeq: thread.lastSeq };
  if (await takeOver(ctx, thread.id, own)) return giveThread(ctx, thread, resourceId, undefined);
  await begin(ctx, { threadId: thread.id, kind: "own", own });
  return giveThread(ctx, thread, resourceId, thread.lastSeq);
}

/** One step of a job, unless it has been run before. */
export async function work(ctx: Writer, id: Id<"jobs">, step: number): Promise<void> {
  const job = await ctx.db.get(id);
  if (job === null || job.step !== step) return;
  const { clone: copying, own } = job;
  if (own) {
    if (!(await takeOver(ctx, job.threadId, own))) return goOn(ctx, job, { own });
    const thread = await records.byKey(ctx, "threads", job.threadId);
    if (thread) await ctx.db.patch(thread._id, { takenOver: undefined });
    await ctx.db.delete(id);
  } else if (job.kind === "remove" || !copying) {
    const done = await removeMessages(ctx, job.threadId);
    if (done) await ctx.db.delete(id);
    else await goOn(ctx, job, {});
  } else {
    const source = await ctx.db.get(copying.source);
    const progress = source ? await copyMessages(ctx, copying) : "gone";
    if (progress === "more") return goOn(ctx, job, { clone: copying });
    if (progress !== "done") return abandon(ctx, job);
    await records.insert(ctx, "threads", newThread(copying));
    await ctx.db.delete(id);
  }
}

async function begin(
  ctx: Writer,
  job: Pick<Doc<"jobs">, "threadId" | "kind" | "clone" | "own">,
): Promise<void> {
  const id = await ctx.db.insert("jobs", { ...job, step: 1 });
  await schedule(ctx, id, 1);
}

async function goOn(ctx: Writer, job: Doc<"jobs">, change: Partial<Doc<"jobs">>): Promise<void> {
  await ctx.db.patch(job._id, { ...change, step: job.step + 1 });
  await schedule(ctx, job._id, job.step + 1);
}

async function schedule(ctx: Writer, job: Id<"jobs">, step: number): Promise<void> {
  await ctx.scheduler.runAfter(0, internal.threads.work, { job, step });
}

function removeMessages(ctx: Writer, threadId: string): Promise<boolean> {
  return drain(
    ctx,
    (count) =>
      ctx.db
        .query("messages")
        .withIndex("by_thread_created", (q) => q.eq("threadId", threadId))
        .take(count),
    async (message) => {
      await records.remove(ctx, "messages", message);
      return true;
    },
  );
}
