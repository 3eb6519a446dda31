/** Schedules: what is to be fired when, and the history of what was fired. */

import { v } from "convex/values";
import { requireService, storageMutation, storageQuery, storageStep } from "./lib/access.js";
import * as chunks from "./lib/chunks.js";
import { conflict, notFound } from "./lib/errors.js";
import { requireNoHistory, removeHistory, removeSchedule, targetOf } from "./lib/history.js";
import { listBy, nothing, pageOf } from "./lib/paging.js";
import * as records from "./lib/records.js";
import type { Stored } from "./lib/tables.js";
import {
  listArgs,
  nullable,
  page,
  payload,
  record,
  saved,
  scheduleFields,
  scheduleTriggerFields,
  time,
} from "./validators.js";

const INDEXES = {
  by_workflow: ["workflowId"],
  by_owner: ["ownerType", "ownerId"],
  by_created: [],
};
const ALSO = ["ownerType", "ownerId", "status"];

// The store takes `workflowId` from the target.
const { workflowId: _, ...given } = scheduleFields;

/** The schedule, or null. */
export const get = storageQuery({
  args: { id: v.string() },
  returns: v.union(record(scheduleFields), v.null()),
  handler: async (ctx, { id }) => {
    requireService(ctx, "reading a schedule");
    const schedule = await records.byKey(ctx, "schedules", id);
    return schedule && records.read(ctx, schedule);
  },
});

/** A page of schedules by `createdAt`, that meet all of the criteria given. */
export const list = storageQuery({
  args: {
    workflowId: v.optional(v.string()),
    ownerType: v.optional(v.string()),
    ownerId: v.optional(v.string()),
    status: v.optional(scheduleFields.status),
    ...listArgs,
  },
  returns: page(scheduleFields),
  handler: async (ctx, args) => {
    requireService(ctx, "listing schedules");
    return listBy(ctx, "schedules", INDEXES, args, ALSO);
  },
});

/** A page of the active schedules that are due, by `nextFireAt`. */
export const listDue = storageQuery({
  args: { now: time(), ...listArgs },
  returns: page(scheduleFields),
  handler: async (ctx, { now, ...args }) => {
    requireService(ctx, "listing schedules");
    return pageOf(ctx, "schedules", "by_due", ["active"], { ...args, to: now });
  },
});

/** Add a schedule. The same one again is fine, another one of its id is a conflict. */
export const create = storageMutation({
  args: { schedule: saved(given) },
  returns: record(scheduleFields),
  handler: async (ctx, args) => {
    requireService(ctx, "creating a schedule");
    const schedule = { ...args.schedule, ...targetOf(args.schedule.target) };
    const before = await records.byKey(ctx, "schedules", schedule.id);
    if (!before) {
      await requireNoHistory(ctx, schedule.id);
      const times = { createdAt: ctx.now, updatedAt: ctx.now };
      return records.insert(ctx, "schedules", { ...times, ...schedule });
    }
    const old = await records.read(ctx, before);
    if (!records.equal(old, { ...old, ...schedule })) {
      throw conflict(`schedule '${schedule.id}' exists already; update it, or choose another id`, {
        table: "schedules",
        id: schedule.id,
      });
    }
    return old;
  },
});

const updateFields = {
  id: v.string(),
  target: v.optional(payload()),
  cron: v.optional(v.string()),
  timezone: nullable(v.string()),
  status: v.optional(scheduleFields.status),
  nextFireAt: v.optional(time()),
  ownerType: nullable(v.string()),
  ownerId: nullable(v.string()),
  metadata: nullable(payload()),
};

/** Change a schedule. What is left out stays, and null takes a field away. */
export const update = storageMutation({
  args: updateFields,
  returns: record(scheduleFields),
  handler: async (ctx, args) => {
    requireService(ctx, "updating a schedule");
    const before = await records.byKey(ctx, "schedules", args.id);
    if (!before) {
      throw notFound(`there is no schedule '${args.id}'; create it first`, {
        table: "schedules",
        id: args.id,
      });
    }
    const loaded = await chunks.load(ctx, before);
    const { target } = args;
    const aimed = target === undefined ? {} : { workflowId: null, ...targetOf(target) };
    const fields = { ...args, ...aimed, updatedAt: records.later(ctx, before) };
    const schedule = records.changed(loaded.record, fields);
    return records.replace(ctx, "schedules", loaded, schedule as Stored<"schedules">);
  },
});

/** Claim the fire of an active schedule: of many that expect the same time, one gets true. */
export const advance = storageMutation({
  args: {
    id: v.string(),
    expectedNextFireAt: time(),
    newNextFireAt: time(),
    lastFireAt: time(),
    lastRunId: v.string(),
  },
  returns: v.boolean(),
  handler: async (ctx, args) => {
    requireService(ctx, "advancing a schedule");
    const before = await records.byKey(ctx, "schedules", args.id);
    if (before?.status !== "active") return false;
    if (before.nextFireAt !== args.expectedNextFireAt) return false;
    const { newNextFireAt: nextFireAt, lastFireAt, lastRunId } = args;
    const updatedAt = records.later(ctx, before);
    const fields = { nextFireAt, lastFireAt, lastRunId, updatedAt };
    await records.patch(ctx, "schedules", await chunks.load(ctx, before), fields);
    return true;
  },
});

/** Delete a schedule with its history. A missing one is fine. */
export const remove = storageMutation({
  args: { id: v.string() },
  returns: v.null(),
  handler: async (ctx, { id }) => {
    requireService(ctx, "deleting a schedule");
    const schedule = await records.byKey(ctx, "schedules", id);
    if (schedule) await removeSchedule(ctx, schedule);
    return null;
  },
});

/** The next part of the history of a schedule that was deleted. */
export const removeMore = storageStep({
  args: { scheduleId: v.string() },
  returns: v.null(),
  handler: async (ctx, { scheduleId }) => {
    await removeHistory(ctx, scheduleId);
    return null;
  },
});

/** Save by its id what has been fired, of a schedule that there is. */
export const recordTrigger = storageMutation({
  args: { trigger: saved(scheduleTriggerFields) },
  returns: record(scheduleTriggerFields),
  handler: async (ctx, { trigger }) => {
    requireService(ctx, "recording a trigger");
    const { id, scheduleId } = trigger;
    if (!(await records.byKey(ctx, "schedules", scheduleId))) {
      throw notFound(
        `trigger '${id}' names schedule '${scheduleId}', which does not exist; create the ` +
          "schedule first",
        { table: "schedules", id: scheduleId },
      );
    }
    const before = await records.byKey(ctx, "scheduleTriggers", id);
    return records.save(ctx, "scheduleTriggers", before, trigger);
  },
});

/** A page of a schedule's history, by `actualFireAt`. */
export const listTriggers = storageQuery({
  args: { scheduleId: v.string(), ...listArgs },
  returns: page(scheduleTriggerFields),
  handler: async (ctx, args) => {
    requireService(ctx, "listing triggers");
    const { scheduleId } = args;
    const schedule = await records.byKey(ctx, "schedules", scheduleId);
    if (!schedule) return nothing<"scheduleTriggers">(args);
    return pageOf(ctx, "scheduleTriggers", "by_schedule", [scheduleId], args);
  },
});
