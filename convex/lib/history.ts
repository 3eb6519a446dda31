/**
 * Schedules with their history, however long it is.
 *
 * A schedule's history can be seen only while the schedule is there. So it is deleted for every
 * reader with its schedule; what does not fit into the first transaction is done in scheduled steps.
 */

import { internal } from "../_generated/api.js";
import type { Reader, Writer } from "./access.js";
import { conflict, invalidArgument } from "./errors.js";
import { joined, members, textOf } from "./payloads.js";
import * as records from "./records.js";
import { drain } from "./steps.js";
import type { Row } from "./tables.js";

/** Delete a schedule: its document now, its history now (true) or in steps. */
export async function removeSchedule(ctx: Writer, schedule: Row<"schedules">): Promise<boolean> {
  await records.remove(ctx, "schedules", schedule);
  return removeHistory(ctx, schedule.id);
}

/** Delete the history of a schedule; what is left of it is scheduled. */
export async function removeHistory(ctx: Writer, scheduleId: string): Promise<boolean> {
  const done = await drain(
    ctx,
    (count) => historyOf(ctx, scheduleId).take(count),
    async (trigger) => {
      await records.remove(ctx, "scheduleTriggers", trigger);
      return true;
    },
  );
  if (!done) await ctx.scheduler.runAfter(0, internal.schedules.removeMore, { scheduleId });
  return done;
}

/** Throw CONFLICT while the history of an earlier schedule of that id is being deleted. */
export async function requireNoHistory(ctx: Reader, scheduleId: string): Promise<void> {
  if (await historyOf(ctx, scheduleId).first()) {
    throw conflict(`schedule '${scheduleId}' is still being deleted; try again in a moment`, {
      table: "schedules",
      id: scheduleId,
    });
  }
}

function historyOf(ctx: Reader, scheduleId: string) {
  return ctx.db
    .query("scheduleTriggers")
    .withIndex("by_schedule", (q) => q.eq("scheduleId", scheduleId));
}

/** The target, and the workflow that it names, as a schedule has them. */
export function targetOf(target: string): { target: string; workflowId?: string } {
  const all = members(target);
  const kind = textOf(all?.get("type")?.value);
  if (!all || kind === null) {
    throw invalidArgument("the target of a schedule is a map with a type", { path: "target" });
  }
  if (kind === "heartbeat") {
    // What an agent's schedule was called once.
    all.get("type")!.value = '"agent"';
    return { target: joined(all) };
  }
  const workflowId = kind === "workflow" ? textOf(all.get("workflowId")?.value) : null;
  return workflowId === null ? { target } : { target, workflowId };
}
