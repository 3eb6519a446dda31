/** Metrics: single observations of a number, such as the tokens of a call. For the service alone. */

import { v } from "convex/values";
import { type Reader, requireService, storageMutation, storageQuery } from "./lib/access.js";
import { arrivalsOf, limitOf } from "./lib/paging.js";
import { listSignals, removeByTraces, saveSignals } from "./lib/signals.js";
import { arrivals, arrivalsArgs, listArgs, page, saved } from "./validators.js";
import {
  CONTEXT,
  criteria,
  metricFields,
  removalArgs,
  removalResult,
} from "./validatorsSignals.js";

const INDEXES = {
  by_trace: ["traceId"],
  by_name: ["name"],
  by_resource: ["resourceId"],
  by_timestamp: [],
};
const OWN = ["name", "provider", "model", "costUnit"] as const;

/** A page of metrics by `timestamp`, that meet all of the criteria given. */
export const list = storageQuery({
  args: { ...criteria(metricFields, ...OWN), ...listArgs },
  returns: page(metricFields),
  handler: async (ctx, args) => {
    requireService(ctx, "reading metrics");
    return listSignals(ctx, "metrics", INDEXES, args, [...CONTEXT, ...OWN]);
  },
});

/** Metrics in the order in which they came in, whomever they belong to. */
export const listArrived = storageQuery({
  args: arrivalsArgs,
  returns: arrivals(metricFields),
  handler: (ctx, args) => arrivalsOf(ctx, "metrics", args),
});

/**
 * The next names of metrics that begin with `prefix`, each once, in order, after `after`.
 *
 * Each costs one look into the index, however many metrics have it.
 */
export const listNames = storageQuery({
  args: { prefix: v.string(), after: v.optional(v.string()), limit: v.number() },
  returns: v.array(v.string()),
  handler: async (ctx, { prefix, after, limit }) => {
    requireService(ctx, "reading metrics");
    const most = limitOf(limit);
    const names: string[] = [];
    while (names.length < most) {
      const name = await nextName(ctx, prefix, names.at(-1) ?? after);
      if (name === null) break;
      names.push(name);
    }
    return names;
  },
});

async function nextName(ctx: Reader, prefix: string, after?: string): Promise<string | null> {
  const metric = await ctx.db
    .query("metrics")
    .withIndex("by_name", (q) =>
      after === undefined ? q.gte("name", prefix) : q.gt("name", after),
    )
    .first();
  return metric?.name.startsWith(prefix) ? metric.name : null;
}

/** Save metrics by their ids, replacing those that are there; all of them, or none. */
export const save = storageMutation({
  args: { metrics: v.array(saved(metricFields)) },
  returns: v.null(),
  handler: async (ctx, { metrics }) => {
    await saveSignals(ctx, "metrics", metrics);
    return null;
  },
});

/** Delete the metrics of traces: those of the organization and the resource, if given. */
export const removeOfTraces = storageMutation({
  args: removalArgs,
  returns: removalResult,
  handler: (ctx, args) => removeByTraces(ctx, "metrics", args),
});
