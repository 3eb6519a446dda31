/**
 * Feedback: what people have said of an answer: a thumb, a rating, a comment.
 *
 * The service writes it; a resource reads what names it.
 */

import { v } from "convex/values";
import { owns, requireService, storageMutation, storageQuery } from "./lib/access.js";
import * as chunks from "./lib/chunks.js";
import { notFound } from "./lib/errors.js";
import { arrivalsOf } from "./lib/paging.js";
import * as records from "./lib/records.js";
import { listSignals, removeByTraces, removeSignals, saveSignals } from "./lib/signals.js";
import { arrivals, arrivalsArgs, listArgs, page, record, saved } from "./validators.js";
import {
  CONTEXT,
  criteria,
  feedbackFields,
  removalArgs,
  removalResult,
  tenant,
} from "./validatorsSignals.js";

const INDEXES = {
  by_span: ["traceId", "spanId"],
  by_trace: ["traceId"],
  by_message: ["messageId"],
  by_run: ["runId"],
  by_thread: ["threadId"],
  by_type: ["feedbackType"],
  by_resource: ["resourceId"],
  by_review: ["reviewStatus"],
  by_timestamp: [],
};
const OWN = ["feedbackType", "feedbackSource", "feedbackUserId", "reviewStatus"] as const;
const { reviewStatus: vStatus } = feedbackFields;

/** The feedback, or null. */
export const get = storageQuery({
  args: { id: v.string() },
  returns: v.union(record(feedbackFields), v.null()),
  handler: async (ctx, { id }) => {
    const found = await records.byKey(ctx, "feedback", id);
    return found && owns(ctx, found.resourceId) ? records.read(ctx, found) : null;
  },
});

/** A page of feedback by `timestamp`, that meets all of the criteria given. */
export const list = storageQuery({
  args: { ...criteria(feedbackFields, ...OWN), ...listArgs },
  returns: page(feedbackFields),
  handler: (ctx, args) => listSignals(ctx, "feedback", INDEXES, args, [...CONTEXT, ...OWN]),
});

/** Feedback in the order in which it came in, whomever it belongs to. */
export const listArrived = storageQuery({
  args: arrivalsArgs,
  returns: arrivals(feedbackFields),
  handler: (ctx, args) => arrivalsOf(ctx, "feedback", args),
});

/**
 * Save feedback by id, replacing what is there; all of it, or none.
 *
 * It is to be reviewed unless it says otherwise; what was reviewed stays so when it is saved again,
 * as after a lost reply.
 */
export const save = storageMutation({
  args: { feedback: v.array(saved({ ...feedbackFields, reviewStatus: v.optional(vStatus) })) },
  returns: v.null(),
  handler: async (ctx, { feedback }) => {
    requireService(ctx, "saving feedback");
    const given = [];
    for (const each of feedback) {
      const before = each.reviewStatus
        ? null
        : await records.byKey(ctx, "feedback", each.feedbackId);
      const reviewStatus = each.reviewStatus ?? before?.reviewStatus ?? "needs-review";
      given.push({ ...each, reviewStatus });
    }
    await saveSignals(ctx, "feedback", given);
    return null;
  },
});

/** Set whether feedback was reviewed; returns it. */
export const review = storageMutation({
  args: { id: v.string(), reviewStatus: vStatus },
  returns: record(feedbackFields),
  handler: async (ctx, { id, reviewStatus }) => {
    requireService(ctx, "reviewing feedback");
    const row = await records.byKey(ctx, "feedback", id);
    if (!row) {
      throw notFound(`there is no feedback '${id}'; create it first`, { table: "feedback", id });
    }
    return records.patch(ctx, "feedback", await chunks.load(ctx, row), { reviewStatus });
  },
});

/**
 * Delete feedback: that of the organization and the resource, if given.
 *
 * Unknown ids are fine.
 */
export const remove = storageMutation({
  args: { ids: v.array(v.string()), ...tenant },
  returns: v.null(),
  handler: async (ctx, { ids, ...of }) => {
    await removeSignals(ctx, "feedback", ids, of);
    return null;
  },
});

/** Delete the feedback of traces: that of the organization and the resource, if given. */
export const removeOfTraces = storageMutation({
  args: removalArgs,
  returns: removalResult,
  handler: (ctx, args) => removeByTraces(ctx, "feedback", args),
});
