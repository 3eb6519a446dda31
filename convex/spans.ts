/**
 * Spans: what a run did, step by step. Those of one trace make a tree.
 *
 * A span is a row, which lists and filters look at, and a body, which may be large. The spans of a
 * trace may come in any order. They are written by the service; a resource reads the traces whose
 * root names it.
 */

import { v } from "convex/values";
import { requireService, storageMutation, storageQuery, storageStep } from "./lib/access.js";
import { notFound } from "./lib/errors.js";
import { nothing, pageOf } from "./lib/paging.js";
import * as records from "./lib/records.js";
import { hideTrace, removeSpans } from "./lib/spanRemoval.js";
import {
  changeSpan,
  checkCount,
  MAX_SPANS,
  MAX_TRACES,
  saveSpans,
  someByKey,
  Traces,
  visibleTrace,
  whole,
} from "./lib/spans.js";
import type { Public } from "./lib/tables.js";
import { arrived, listed, LISTS, messageIdsOf, tracesOfMessage } from "./lib/traceLists.js";
import {
  LIGHT,
  lightSpanFields,
  listArgs,
  listedSpanFields,
  page,
  record,
  saved,
  savedSpanFields,
  spanChange,
  spanFields,
  spanFilters,
} from "./validators.js";

const { from: _from, to: _to, ...pageArgs } = listArgs;

/** The span with its body, or null. */
export const get = storageQuery({
  args: { traceId: v.string(), spanId: v.string() },
  returns: v.union(record(spanFields), v.null()),
  handler: async (ctx, args) => {
    const trace = await visibleTrace(ctx, args.traceId);
    const row = trace && (await records.byKey(ctx, "spans", trace._id, args.spanId));
    return row && whole(ctx, row);
  },
});

/** The root span of a trace with its body, or null while there is none. */
export const getRoot = storageQuery({
  args: { traceId: v.string() },
  returns: v.union(record(spanFields), v.null()),
  handler: async (ctx, args) => {
    const trace = await visibleTrace(ctx, args.traceId);
    if (trace?.startedAt === undefined) return null;
    const row = await records.byKey(ctx, "spans", trace._id, trace.headSpanId);
    return row && whole(ctx, row);
  },
});

/** A page of a trace's spans without their bodies, in the order in which they arrived. */
export const list = storageQuery({
  args: { traceId: v.string(), ...pageArgs },
  returns: page(lightSpanFields),
  handler: async (ctx, { traceId, ...args }) => {
    const trace = await visibleTrace(ctx, traceId);
    if (!trace) return { ...nothing<"spans">(args), page: [] };
    const found = await pageOf(ctx, "spans", "by_trace", [trace._id], args);
    return { ...found, page: found.page.map(light) };
  },
});

function light(span: Public<"spans">) {
  const fields = LIGHT.filter((name) => span[name] !== undefined);
  return Object.fromEntries(fields.map((name) => [name, span[name]])) as Pick<
    Public<"spans">,
    (typeof LIGHT)[number]
  >;
}

/** A page of the spans that somebody has opened and not closed, without their bodies. */
export const listOpen = storageQuery({
  args: { openedBy: v.string(), ...pageArgs },
  returns: page(lightSpanFields),
  handler: async (ctx, { openedBy, ...args }) => {
    requireService(ctx, "listing open spans");
    const found = await pageOf(ctx, "spans", "by_opener", [openedBy], args);
    return { ...found, page: found.page.map(light) };
  },
});

/**
 * The spans with these ids that there are, with their bodies, in that order.
 *
 * A call ends before it reads too much; `rest` says how many ids it has not looked at.
 */
export const listById = storageQuery({
  args: { spans: v.array(v.object({ traceId: v.string(), spanId: v.string() })) },
  returns: v.object({ page: v.array(record(spanFields)), rest: v.number() }),
  handler: (ctx, args) => someByKey(ctx, args.spans),
});

/**
 * A page of traces, a row each, by beginning or end: those whose root meets all of the criteria.
 *
 * The narrowest criterion is read from its index, with its total. What differs from another one is
 * left out: then a page may be shorter than asked for, and has no total.
 */
export const listTraces = storageQuery({
  args: {
    ...spanFilters,
    hasChildError: v.optional(v.boolean()),
    orderBy: v.union(v.literal("startedAt"), v.literal("endedAt")),
    ...listArgs,
  },
  returns: page(listedSpanFields),
  handler: (ctx, args) => listed(ctx, "traceRoots", args),
});

/** As `listTraces`, of the spans that anchor a branch, whatever their traces' roots are. */
export const listBranches = storageQuery({
  args: {
    ...spanFilters,
    orderBy: v.union(v.literal("startedAt"), v.literal("endedAt")),
    ...listArgs,
  },
  returns: page(listedSpanFields),
  handler: (ctx, args) => listed(ctx, "traceBranches", args),
});

/** Rows of either list in the order in which they came into it, after `after` or the newest. */
export const listArrived = storageQuery({
  args: {
    list: v.union(v.literal("traces"), v.literal("branches")),
    after: v.optional(v.number()),
    limit: v.number(),
  },
  returns: v.object({
    page: v.array(record(listedSpanFields)),
    position: v.number(),
    isDone: v.boolean(),
  }),
  handler: (ctx, { list, ...args }) => arrived(ctx, LISTS[list], args),
});

/** Rows of the traces of which some span names the message; `cursor` is where to go on, or null. */
export const listByMessage = storageQuery({
  args: { messageId: v.string(), cursor: v.optional(v.string()), limit: v.number() },
  returns: v.object({
    page: v.array(record(listedSpanFields)),
    cursor: v.union(v.string(), v.null()),
  }),
  handler: (ctx, args) => tracesOfMessage(ctx, args),
});

/** The ids of the messages that spans of a trace name, each once, in order, after `after`. */
export const listMessageIds = storageQuery({
  args: { traceId: v.string(), after: v.optional(v.string()), limit: v.number() },
  returns: v.array(v.string()),
  handler: (ctx, args) => messageIdsOf(ctx, args),
});

/** Save spans by trace and id, replacing those that are there; all of them, or none. */
export const save = storageMutation({
  args: { spans: v.array(saved(savedSpanFields)) },
  returns: v.null(),
  handler: async (ctx, { spans }) => {
    requireService(ctx, "saving spans");
    await saveSpans(ctx, spans);
    return null;
  },
});

/** Change spans, field by field; all of them, or none. Each must be there. */
export const update = storageMutation({
  args: { spans: v.array(v.object(spanChange)) },
  returns: v.null(),
  handler: async (ctx, { spans }) => {
    requireService(ctx, "changing spans");
    checkCount(spans.length, "spans", MAX_SPANS);
    const traces = new Traces(ctx);
    for (const change of spans) {
      const { traceId, spanId } = change;
      const trace = await traces.get(traceId);
      const row = trace && (await records.byKey(ctx, "spans", trace._id, spanId));
      if (!row) {
        throw notFound(`there is no span '${spanId}' in trace '${traceId}'; create it first`, {
          table: "spans",
          id: spanId,
        });
      }
      await changeSpan(ctx, traces, row, change);
      ctx.load.check("read", "changing spans");
    }
    await traces.write();
    return null;
  },
});

/**
 * Delete traces with their spans: those of the organization and the resource, if given.
 *
 * Whose a trace is, its root says, or until there is one its first span. Unknown ids are fine.
 */
export const removeTraces = storageMutation({
  args: {
    traceIds: v.array(v.string()),
    organizationId: v.optional(v.string()),
    resourceId: v.optional(v.string()),
  },
  returns: v.null(),
  handler: async (ctx, { traceIds, organizationId, resourceId }) => {
    requireService(ctx, "deleting traces");
    checkCount(traceIds.length, "ids of traces", MAX_TRACES);
    const hidden: string[] = [];
    for (const traceId of new Set(traceIds)) {
      const trace = await records.byKey(ctx, "spanTraces", traceId);
      if (!trace) continue;
      if (organizationId !== undefined && trace.organizationId !== organizationId) continue;
      if (resourceId !== undefined && trace.resourceId !== resourceId) continue;
      hidden.push(await hideTrace(ctx, trace));
    }
    if (hidden.length > 0) await removeSpans(ctx, hidden);
    return null;
  },
});

/** A step of deleting the spans of traces that are hidden. */
export const work = storageStep({
  args: { traces: v.array(v.string()) },
  returns: v.null(),
  handler: async (ctx, { traces }) => {
    await removeSpans(ctx, traces);
    return null;
  },
});
