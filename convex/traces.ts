/**
 * Traces: what a run did, in spans. Both of Mastra's older shapes: a trace with its spans inside,
 * and the row of a single span.
 */

import { v } from "convex/values";
import { type Reader, requireService, storageMutation, storageQuery } from "./lib/access.js";
import { invalidArgument } from "./lib/errors.js";
import { MAX_PAGE, nothing, pageOf } from "./lib/paging.js";
import * as records from "./lib/records.js";
import { saveSpans } from "./lib/spans.js";
import {
  listArgs,
  page,
  record,
  saved,
  savedSpanFields,
  spansAt,
  traceFields,
} from "./validators.js";

const storedFields = { ...traceFields, ...spansAt };

const CRITERIA = [
  ["threadId", "by_thread"],
  ["runId", "by_run"],
  ["scope", "by_scope"],
  ["name", "by_name"],
] as const;

/** The trace, or null. */
export const get = storageQuery({
  args: { id: v.string() },
  returns: v.union(record(storedFields), v.null()),
  handler: async (ctx, args) => {
    const trace = await records.byKey(ctx, "traces", args.id);
    const visible = trace && (await records.threadVisible(ctx, trace.threadId));
    return visible ? records.read(ctx, trace) : null;
  },
});

/** A page of traces by `timestamp`: of one thread, else one run, scope or name, else all. */
export const list = storageQuery({
  args: {
    threadId: v.optional(v.string()),
    runId: v.optional(v.string()),
    scope: v.optional(v.string()),
    name: v.optional(v.string()),
    ...listArgs,
  },
  returns: page(storedFields),
  handler: async (ctx, args) => {
    if (!(await records.threadVisible(ctx, args.threadId))) return nothing<"traces">(args);
    for (const [field, index] of CRITERIA) {
      const value = args[field];
      if (value !== undefined) return pageOf(ctx, "traces", index, [value], args);
    }
    return pageOf(ctx, "traces", "by_timestamp", [], args);
  },
});

/**
 * The next names of traces that begin with `prefix`, each once, in order, after `after`.
 *
 * Each costs one look into the index, however many traces have it.
 */
export const listNames = storageQuery({
  args: { prefix: v.string(), after: v.optional(v.string()), limit: v.number() },
  returns: v.array(v.string()),
  handler: async (ctx, { prefix, after, limit }) => {
    requireService(ctx, "listing the names of traces");
    const names: string[] = [];
    while (names.length < Math.min(limit, MAX_PAGE)) {
      const name = await nextName(ctx, prefix, names.at(-1) ?? after);
      if (name === null) break;
      names.push(name);
    }
    return names;
  },
});

async function nextName(ctx: Reader, prefix: string, after?: string): Promise<string | null> {
  const trace = await ctx.db
    .query("traces")
    .withIndex("by_name", (q) =>
      after === undefined ? q.gte("name", prefix) : q.gt("name", after),
    )
    .first();
  return trace?.name?.startsWith(prefix) ? trace.name : null;
}

/**
 * Save a trace by its id, replacing what was saved before.
 *
 * `spans` are those inside it that are to be spans of their own, too. `spansAt` tells their newest
 * change: what is newer is not in the trace.
 */
export const save = storageMutation({
  args: { trace: saved(traceFields), spans: v.optional(v.array(saved(savedSpanFields))) },
  returns: record(storedFields),
  handler: async (ctx, { trace, spans = [] }) => {
    requireService(ctx, "saving a trace");
    const before = await records.byKey(ctx, "traces", trace.id);
    const timestamp = before?.timestamp ?? trace.createdAt ?? ctx.now;
    if (spans.some(({ traceId }) => traceId !== trace.id)) {
      throw invalidArgument(`spans inside trace '${trace.id}' are of that trace, and of no other`);
    }
    const newest = spans.length > 0 && { spansAt: await saveSpans(ctx, spans) };
    return records.save(ctx, "traces", before, { timestamp, ...trace, ...newest });
  },
});
