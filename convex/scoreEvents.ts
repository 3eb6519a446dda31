/**
 * Scores of the observability domain: what was found of a trace, a span, a message, a run.
 *
 * They are records of their own beside those of the scores domain (`scores.ts`), as in Mastra,
 * which writes both. The service writes them; a resource reads those that name it.
 */

import { v } from "convex/values";
import { owns, requireService, storageMutation, storageQuery } from "./lib/access.js";
import { arrivalsOf, listBy } from "./lib/paging.js";
import * as records from "./lib/records.js";
import { listSignals, removeByTraces, removeSignals, saveSignals } from "./lib/signals.js";
import { arrivals, arrivalsArgs, listArgs, page, record, saved } from "./validators.js";
import {
  CONTEXT,
  criteria,
  removalArgs,
  removalResult,
  scoreEventFields,
  tenant,
} from "./validatorsSignals.js";

const INDEXES = {
  by_span: ["traceId", "spanId"],
  by_trace: ["traceId"],
  by_message: ["messageId"],
  by_run: ["runId"],
  by_thread: ["threadId"],
  by_scorer: ["scorerId"],
  by_resource: ["resourceId"],
  by_timestamp: [],
};
const BY_SCORE = { by_scorer_score: ["scorerId"], by_score: [] };
const OWN = ["scorerId", "scoreSource"] as const;

/** The score, or null. */
export const get = storageQuery({
  args: { id: v.string() },
  returns: v.union(record(scoreEventFields), v.null()),
  handler: async (ctx, { id }) => {
    const score = await records.byKey(ctx, "scoreEvents", id);
    return score && owns(ctx, score.resourceId) ? records.read(ctx, score) : null;
  },
});

/**
 * A page of scores by `timestamp` or by `score`, that meet all of the criteria given.
 *
 * By `score`, which is for the service, `from` and `to` are compared on the way.
 */
export const list = storageQuery({
  args: {
    ...criteria(scoreEventFields, ...OWN),
    orderBy: v.union(v.literal("timestamp"), v.literal("score")),
    ...listArgs,
  },
  returns: page(scoreEventFields),
  handler: async (ctx, args) => {
    const also = [...CONTEXT, ...OWN];
    if (args.orderBy === "timestamp") return listSignals(ctx, "scoreEvents", INDEXES, args, also);
    requireService(ctx, "listing scores by score");
    const { from, to, ...rest } = args;
    if (from === undefined && to === undefined) {
      return listBy(ctx, "scoreEvents", BY_SCORE, args, also);
    }
    const [low, high] = [from ?? -Infinity, to ?? Infinity];
    return listBy(ctx, "scoreEvents", BY_SCORE, rest, also, ({ timestamp }) => {
      return low <= timestamp && timestamp <= high;
    });
  },
});

/** Scores in the order in which they came in, whomever they belong to. */
export const listArrived = storageQuery({
  args: arrivalsArgs,
  returns: arrivals(scoreEventFields),
  handler: (ctx, args) => arrivalsOf(ctx, "scoreEvents", args),
});

/** Save scores by their ids, replacing those that are there; all of them, or none. */
export const save = storageMutation({
  args: { scores: v.array(saved(scoreEventFields)) },
  returns: v.null(),
  handler: async (ctx, { scores }) => {
    await saveSignals(ctx, "scoreEvents", scores);
    return null;
  },
});

/** Delete scores: those of the organization and the resource, if given. Unknown ids are fine. */
export const remove = storageMutation({
  args: { ids: v.array(v.string()), ...tenant },
  returns: v.null(),
  handler: async (ctx, { ids, ...of }) => {
    await removeSignals(ctx, "scoreEvents", ids, of);
    return null;
  },
});

/** Delete the scores of traces: those of the organization and the resource, if given. */
export const removeOfTraces = storageMutation({
  args: removalArgs,
  returns: removalResult,
  handler: (ctx, args) => removeByTraces(ctx, "scoreEvents", args),
});
