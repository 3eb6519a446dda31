/** Clearing a table in bounded steps. */

import { internal } from "../_generated/api.js";
import type { Id } from "../_generated/dataModel.js";
import type { Writer } from "./access.js";
import { removeThread } from "./cascade.js";
import * as facets from "./facets.js";
import { removeSchedule } from "./history.js";
import { removeMemory } from "./observations.js";
import * as records from "./records.js";
import { hideTrace, removeSpans } from "./spanRemoval.js";
import { MAX_TRACES } from "./spans.js";
import { drain } from "./steps.js";
import type { Row, Whole } from "./tables.js";

/** The time of the newest record, or undefined: what comes in later is not to be cleared. */
export async function newestTime(ctx: Writer, table: Whole): Promise<number | undefined> {
  const rows = ctx.db.query(table === "spans" ? "spanTraces" : table);
  const newest = await rows.withIndex("by_creation_time").order("desc").first();
  return newest?._creationTime;
}

/** Delete records that came in until then; what is left is scheduled. */
export async function clearSome(ctx: Writer, table: Whole, until: number): Promise<void> {
  if (await clearNow(ctx, table, until)) return;
  await ctx.scheduler.runAfter(0, internal.system.clearMore, { table, until });
}

/** Delete records that came in until then, as many as one transaction takes; whether all. */
export async function clearNow(ctx: Writer, table: Whole, until: number): Promise<boolean> {
  // Before the records: those that come in meanwhile make their facets anew.
  if (!(await facets.forget(ctx, table))) return false;
  if (table === "spans") return clearTraces(ctx, until);
  const next = (count: number) =>
    ctx.db
      .query(table)
      .withIndex("by_creation_time", (q) => q.lte("_creationTime", until))
      .take(count);
  const removed = new Map<string, number>();
  const done = await drain<Whole>(ctx, next, async (row) => {
    if (table === "threads") return removeThread(ctx, row as Row<"threads">);
    if (table === "observationalMemory") {
      await removeMemory(ctx, row as Row<"observationalMemory">);
      return true;
    }
    if (table === "schedules") return removeSchedule(ctx, row as Row<"schedules">);
    await records.remove(ctx, table, row);
    if (table === "messages") {
      const { threadId } = row as Row<"messages">;
      removed.set(threadId, (removed.get(threadId) ?? 0) + 1);
    }
    return true;
  });
  await forgetMessages(ctx, removed);
  return done;
}

/** Delete traces that came in until then, with their spans; whether all. */
async function clearTraces(ctx: Writer, until: number): Promise<boolean> {
  const traces = await ctx.db
    .query("spanTraces")
    .withIndex("by_creation_time", (q) => q.lte("_creationTime", until))
    .take(MAX_TRACES);
  const hidden: string[] = [];
  for (const trace of traces) hidden.push(await hideTrace(ctx, trace));
  await removeSpans(ctx, hidden);
  return traces.length < MAX_TRACES;
}

/** Take deleted messages off the counts of their threads. */
async function forgetMessages(ctx: Writer, removed: Map<string, number>): Promise<void> {
  for (const [threadId, count] of removed) {
    const thread = await records.byKey(ctx, "threads", threadId);
    if (!thread) continue;
    const messageCount = thread.messageCount - count;
    await ctx.db.patch(thread._id as Id<"threads">, { messageCount });
  }
}
