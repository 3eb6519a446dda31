/**
 * Reading the lists of traces and of branches.
 *
 * A list walks its own small documents (lib/listed.ts) and reads the row of each span, no body. One
 * whose trace was deleted is passed over: a trace is gone before its branches are.
 */

import type { Id } from "../_generated/dataModel.js";
import { owns, type Reader } from "./access.js";
import * as chunks from "./chunks.js";
import {
  arrivalsOf,
  FULL,
  limitOf,
  type ListArgs,
  nothing,
  type Page,
  pageOf,
  type Pick,
} from "./paging.js";
import * as records from "./records.js";
import { visibleTrace } from "./spans.js";
import type { Fields, Public, Row } from "./tables.js";

/** The tables of the lists, by what they are called. */
export const LISTS = { traces: "traceRoots", branches: "traceBranches" } as const;
type List = (typeof LISTS)[keyof typeof LISTS];

// What a list can be read by, the narrowest first: the name in indexes, and the argument.
const CRITERIA = {
  traceRoots: [
    ["message", "messageId"],
    ["run", "runId"],
    ["thread", "threadId"],
    ["resource", "resourceId"],
    ["entity", "entityId"],
    ["status", "status"],
  ],
  traceBranches: [
    ["run", "runId"],
    ["thread", "threadId"],
    ["resource", "resourceId"],
    ["entity", "entityId"],
  ],
} as const;
const ORDERS = { startedAt: "started", endedAt: "ended" } as const;
// Rows that one call looks at: each takes up to two ranges, of which Convex allows 4,096.
const LOOK = 1200;

/** A row of a list: a span without its body. */
type Listed = Public<"spans"> & { inputPreview?: string; hasChildError?: boolean };
type ListedArgs = ListArgs & Fields & { orderBy: keyof typeof ORDERS; traceId?: string };

/** A page of a list, of what meets all of the criteria among `args`. */
export async function listed(
  ctx: Reader,
  table: List,
  args: ListedArgs,
): Promise<Page<List, Listed>> {
  const { orderBy, order, cursor, limit, withTotal, from, to, traceId, ...given } = args;
  const paging = { order, cursor, limit, withTotal, from, to };
  const criteria: Fields = given;
  const trace = traceId === undefined ? null : await visibleTrace(ctx, traceId);
  // What a resource may see of one trace, the trace says; else it walks its own rows.
  if (!ctx.principal.isService && !trace) criteria.resourceId ??= ctx.principal.resourceId;
  const isHidden = traceId !== undefined && !trace;
  if (isHidden || !(trace || owns(ctx, criteria.resourceId as string | undefined))) {
    return { ...nothing<List>(args), page: [] };
  }
  const found = (index: string, values: string[], served?: string) => {
    const left = Object.entries(criteria).filter(([name, x]) => name !== served && x !== undefined);
    const pick = picking(ctx, table, left);
    const own = { ...paging, withTotal: withTotal && left.length === 0 };
    return pageOf<List, Listed>(ctx, table, index, values, own, { pick, look: LOOK });
  };
  const ordered = ORDERS[orderBy];
  if (trace && table === "traceRoots") return rootAlone(ctx, trace._id, args, criteria);
  if (trace) return found(`by_trace_${ordered}`, [trace._id]);
  const choice = CRITERIA[table].find(
    ([, name]) => isOwn(ctx, name) && criteria[name] !== undefined,
  );
  if (!choice) return found(`by_${ordered}`, []);
  const [word, name] = choice;
  return found(`by_${word}_${ordered}`, [criteria[name] as string], name);
}

/** The list of one trace: its row, if that meets the criteria. */
async function rootAlone(
  ctx: Reader,
  trace: string,
  { limit, orderBy, from = -Infinity, to = Infinity }: ListedArgs,
  criteria: Fields,
): Promise<Page<List, Listed>> {
  limitOf(limit);
  const row = await records.byKey(ctx, "traceRoots", trace);
  const time = row && (orderBy === "startedAt" ? row.startedAt : row.endsAt);
  const isInside = time !== null && from <= time && time <= to;
  const wanted = Object.entries(criteria).filter(([, value]) => value !== undefined);
  const found = isInside ? await picking(ctx, "traceRoots", wanted)(row!, true) : null;
  return { page: found ? [found as Listed] : [], cursor: null };
}

/** Whether the caller may walk by this argument: a resource goes through its own rows alone. */
function isOwn(ctx: Reader, name: string): boolean {
  return ctx.principal.isService || name === "resourceId";
}

/** Rows of a list in the order in which they came into it. */
export function arrived(ctx: Reader, table: List, args: { after?: number; limit: number }) {
  return arrivalsOf<List, Listed>(ctx, table, args, picking(ctx, table, []));
}

/** Reads the span of a row, if that meets the criteria and its trace is there for the caller. */
function picking(ctx: Reader, table: List, criteria: [name: string, value: unknown][]) {
  const traces = new Map<string, boolean>();
  const visible = async (key: string) => {
    if (table === "traceRoots") return true;
    if (!traces.has(key)) {
      const trace = await ctx.db.get(key as Id<"spanTraces">);
      traces.set(key, trace !== null && owns(ctx, trace.resourceId));
    }
    return traces.get(key)!;
  };
  const pick: Pick<List, Listed> = async (row, first) => {
    if (!(await visible(row.trace))) return null;
    const span = await records.byKey(ctx, "spans", row.trace, row.spanId);
    if (!span) return null;
    const known: Fields = { ...span, status: row.status };
    if ("failed" in row) known.hasChildError = row.failed;
    if (criteria.some(([name, value]) => known[name] !== value)) return null;
    if (!first && ctx.load.room < chunks.chunkedBytes(span) + 2 * chunks.ROW_READ_BYTES)
      return FULL;
    return rowOf(ctx, row, span);
  };
  return pick;
}

async function rowOf(ctx: Reader, row: Row<List>, span: Row<"spans">): Promise<Listed> {
  const { inputPreview } = span;
  return {
    ...(await records.read(ctx, span)),
    ...(inputPreview !== undefined && { inputPreview }),
    ...("failed" in row && { hasChildError: row.failed }),
  };
}

/** Rows of the traces of which a span names the message: one look into the index for each. */
export async function tracesOfMessage(
  ctx: Reader,
  args: { messageId: string; cursor?: string; limit: number },
) {
  const limit = limitOf(args.limit);
  const page: Listed[] = [];
  let after = args.cursor ?? "";
  for (let looked = 0; looked < limit; looked += 1) {
    const named = await ctx.db
      .query("spans")
      .withIndex("by_message", (q) => q.eq("messageId", args.messageId).gt("trace", after))
      .first();
    if (!named) return { page, cursor: null };
    ctx.load.note(chunks.inlineBytes(named));
    const trace = await ctx.db.get(named.trace as Id<"spanTraces">);
    const root = trace && owns(ctx, trace.resourceId) && (await rootOf(ctx, named.trace));
    if (root) {
      const found = await picking(ctx, "traceRoots", [])(root, page.length === 0);
      if (found === FULL) return { page, cursor: after };
      if (found) page.push(found);
    }
    after = named.trace;
  }
  return { page, cursor: after };
}

function rootOf(ctx: Reader, trace: string) {
  return records.byKey(ctx, "traceRoots", trace);
}

/** The ids of the messages that spans of a trace name: one look into the index for each. */
export async function messageIdsOf(
  ctx: Reader,
  args: { traceId: string; after?: string; limit: number },
): Promise<string[]> {
  const limit = limitOf(args.limit);
  const trace = await visibleTrace(ctx, args.traceId);
  const ids: string[] = [];
  let after = args.after ?? "";
  while (trace && ids.length < limit) {
    const named = await ctx.db
      .query("spans")
      .withIndex("by_trace_message", (q) => q.eq("trace", trace._id).gt("messageId", after))
      .first();
    if (!named) break;
    after = named.messageId!;
    ids.push(after);
  }
  return ids;
}
