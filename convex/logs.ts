/** Logs: what agents and what runs them have said, line by line. For the service alone. */

import { v } from "convex/values";
import { requireService, storageMutation, storageQuery } from "./lib/access.js";
import { arrivalsOf } from "./lib/paging.js";
import { listSignals, removeByTraces, saveSignals } from "./lib/signals.js";
import { arrivals, arrivalsArgs, listArgs, page, saved } from "./validators.js";
import { CONTEXT, criteria, logFields, removalArgs, removalResult } from "./validatorsSignals.js";

const INDEXES = {
  by_trace: ["traceId"],
  by_run: ["runId"],
  by_thread: ["threadId"],
  by_resource: ["resourceId"],
  by_level: ["level"],
  by_timestamp: [],
};

/** A page of logs by `timestamp`, that meet all of the criteria given. */
export const list = storageQuery({
  args: { ...criteria(logFields, "level"), ...listArgs },
  returns: page(logFields),
  handler: async (ctx, args) => {
    requireService(ctx, "reading logs");
    return listSignals(ctx, "logs", INDEXES, args, CONTEXT);
  },
});

/** Logs in the order in which they came in, whomever they belong to. */
export const listArrived = storageQuery({
  args: arrivalsArgs,
  returns: arrivals(logFields),
  handler: (ctx, args) => arrivalsOf(ctx, "logs", args),
});

/** Save logs by their ids, replacing those that are there; all of them, or none. */
export const save = storageMutation({
  args: { logs: v.array(saved(logFields)) },
  returns: v.null(),
  handler: async (ctx, { logs }) => {
    await saveSignals(ctx, "logs", logs);
    return null;
  },
});

/** Delete the logs of traces: those of the organization and the resource, if given. */
export const removeOfTraces = storageMutation({
  args: removalArgs,
  returns: removalResult,
  handler: (ctx, args) => removeByTraces(ctx, "logs", args),
});
