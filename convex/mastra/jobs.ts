/** Operations on workflow runs and schedules that are one transaction each. */

import { v } from "convex/values";
import { check } from "../lib/checks.js";
import * as columns from "../lib/columns.js";
import { decoded } from "../lib/columns.js";
import { invalidArgument } from "../lib/errors.js";
import { removeHistory } from "../lib/history.js";
import { joined, members } from "../lib/payloads.js";
import * as schedules from "../schedules.js";
import * as workflowRuns from "../workflowRuns.js";
import { every } from "./lists.js";
import { done, found, operation, type Operation } from "./requests.js";
import { TABLES } from "./tables.js";

// What the adapter means by no limit.
const DEFAULT_LIMIT = 100;
const run = { workflowName: v.string(), runId: v.string() };

/** Merge the result of a step; gives the context as JSON text. */
const mergeResult = operation(
  { ...run, stepId: v.string(), result: v.string(), requestContext: v.string() },
  async (ctx, { runId: id, workflowName, stepId, result, requestContext }) => {
    decoded(result);
    const given = { id, workflowName, stepId, result, requestContext };
    return found(await workflowRuns.updateResults.within(ctx, given));
  },
);

/** Lay a state over the snapshot; gives the snapshot as JSON text, or that of null. */
const mergeState = operation({ ...run, opts: v.string() }, async (ctx, args) => {
  decoded(args.opts);
  const state = members(args.opts);
  if (!state) throw invalidArgument("the state of a run is a map", { path: "opts" });
  const guard = decoded(state.get("expectedStatus")?.value ?? "null");
  state.delete("expectedStatus");
  const expectedStatus = typeof guard === "string" ? [guard] : (guard ?? undefined);
  check(v.optional(v.array(v.string())), expectedStatus ?? [], "expectedStatus");
  const { runId: id, workflowName } = args;
  const given = { id, workflowName, state: joined(state), expectedStatus };
  return found((await workflowRuns.updateState.within(ctx, given)) ?? "null");
});

/** Add a schedule. */
const createSchedule = operation({ record: v.any() }, async (ctx, { record }) => {
  await TABLES.mastra_schedules!.save(ctx, [record]);
  return done();
});

/** Save what has been fired, of a schedule that there is. */
const recordTrigger = operation({ record: v.any() }, async (ctx, { record }) => {
  await TABLES.mastra_schedule_triggers!.save(ctx, [record]);
  return done();
});

/** The active schedules that are due, the earliest first. */
const listDue = operation(
  { now: v.number(), limit: v.optional(v.number()) },
  async (ctx, { now, limit }) => {
    const what = "listing schedules that are due";
    const most = limitOf(limit);
    const page = most ? await every(ctx, schedules.listDue, { now }, what, most) : [];
    return found(page.map((each) => columns.SCHEDULES.row(each)));
  },
);

/** Claim the fire of a schedule: of many, one gets true. */
const advance = operation(
  {
    id: v.string(),
    expectedNextFireAt: v.number(),
    newNextFireAt: v.number(),
    lastFireAt: v.number(),
    lastRunId: v.string(),
  },
  async (ctx, { op: _, tableName: __, ...args }) =>
    found(await schedules.advance.within(ctx, args)),
);

/** Change a schedule; null takes a field away. */
const updateSchedule = operation({ id: v.string(), patch: v.any() }, async (ctx, args) => {
  // The store sets both.
  const { workflowId: _, updatedAt: __, ...changes } = columns.SCHEDULES.changes(args.patch);
  const changed = await schedules.update.within(ctx, { ...changes, id: args.id });
  return found(columns.SCHEDULES.row(changed));
});

/** A schedule's history, newest first; from the one time, and before the other. */
const listTriggers = operation(
  {
    scheduleId: v.string(),
    fromActualFireAt: v.optional(v.number()),
    toActualFireAt: v.optional(v.number()),
    limit: v.optional(v.number()),
  },
  async (ctx, { scheduleId, fromActualFireAt: from, toActualFireAt: end, limit }) => {
    const given = {
      scheduleId,
      order: "desc",
      ...(from !== undefined && { from }),
      ...(end !== undefined && { to: justBefore(end) }),
    };
    const most = limitOf(limit);
    const what = "listing triggers";
    const page = most ? await every(ctx, schedules.listTriggers, given, what, most) : [];
    return found(page.map((each) => columns.SCHEDULE_TRIGGERS.row(each)));
  },
);

/** The next smaller number. */
function justBefore(time: number): number {
  const bits = new BigInt64Array(new Float64Array([time]).buffer);
  if (time === 0) return -Number.MIN_VALUE;
  bits[0]! += time > 0 ? -1n : 1n;
  return new Float64Array(bits.buffer)[0]!;
}

/** Delete a schedule's history. */
const deleteTriggers = operation({ scheduleId: v.string() }, async (ctx, { scheduleId }) =>
  done(!(await removeHistory(ctx, scheduleId))),
);

function limitOf(limit: number | undefined): number {
  return Math.max(0, Math.trunc(limit ?? DEFAULT_LIMIT));
}

export const OPERATIONS: Record<string, Operation> = {
  mergeWorkflowStepResult: mergeResult,
  mergeWorkflowState: mergeState,
  createSchedule,
  recordScheduleTrigger: recordTrigger,
  listDueSchedules: listDue,
  updateScheduleNextFire: advance,
  updateSchedule,
  listScheduleTriggers: listTriggers,
  deleteScheduleTriggers: deleteTriggers,
};
