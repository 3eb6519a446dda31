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
  skipOf,
} from "./paging.js";
import * as records from "./records.js";
import { visibleTrace } from "./spans.js";
import { hasRoom } from "./steps.js";
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
  const { orderBy, order, cursor, skip, limit, withTotal, from, to, traceId, ...given } = args;
  const paging = { order, cursor, skip, limit, withTotal, from, to };
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
    const own = { ...paging, withTotal: withTotal && left.length === 0 };
    return pageOf<List, Listed>(ctx, table, index, values, own, looking(ctx, table, left));
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
  { limit, orderBy, skip = 0, from = -Infinity, to = Infinity }: ListedArgs,
  criteria: Fields,
): Promise<Page<List, Listed>> {
  limitOf(limit);
  skipOf(skip);
  const wanted = Object.entries(criteria).filter(([, value]) => value !== undefined);
  const { keep, publish } = looking(ctx, "traceRoots", wanted);
  const row = await records.byKey(ctx, "traceRoots", trace);
  const time = row && (orderBy === "startedAt" ? row.startedAt : row.endsAt);
  const isInside = time !== null && from <= time && time <= to;
  const isIn = isInside && (!keep || (await keep(row!)));
  const page = isIn && skip === 0 ? [(await publish(row!, true)) as Listed] : [];
  return { page, cursor: null, ...(skip > 0 && { skipped: isIn ? 1 : 0 }) };
}

/** Whether the caller may walk by this argument: a resource goes through its own rows alone. */
function isOwn(ctx: Reader, name: string): boolean {
  return ctx.principal.isService || name === "resourceId";
}

/** Rows of a list in the order in which they came into it. */
export function arrived(ctx: Reader, table: List, args: { after?: number; limit: number }) {
  return arrivalsOf<List, Listed>(ctx, table, args, looking(ctx, table, []));
}

/** Which rows are in a list, and the rows of their spans; each span is read once. */
function looking(ctx: Reader, table: List, criteria: [name: string, value: unknown][]) {
  const traces = new Map<string, boolean>();
  const spans = new Map<string, Row<"spans"> | null>();
  const visible = async (key: string) => {
    if (table === "traceRoots") return true;
    if (!traces.has(key)) {
      const trace = await ctx.db.get(key as Id<"spanTraces">);
      traces.set(key, trace !== null && owns(ctx, trace.resourceId));
    }
    return traces.get(key)!;
  };
  const spanOf = async (row: Row<List>) => {
    if (!spans.has(row._id)) {
      spans.set(row._id, await records.byKey(ctx, "spans", row.trace, row.spanId));
    }
    return spans.get(row._id)!;
  };
  const keep = async (row: Row<List>) => {
    if (!(await visible(row.trace))) return false;
    const known: Fields = { ...(await spanOf(row)), status: row.status };
    if ("failed" in row) known.hasChildError = row.failed;
    return criteria.every(([name, value]) => known[name] === value);
  };
  const publish = async (row: Row<List>, first: boolean) => {
    const span = await spanOf(row);
    if (!first && ctx.load.room < chunks.chunkedBytes(span) + 2 * chunks.ROW_READ_BYTES)
      return FULL;
    return rowOf(ctx, row, span);
  };
  // Where all rows are in the list, they can be passed over without their spans.
  const isWhole = table === "traceRoots" && criteria.length === 0;
  return isWhole ? { publish } : { keep, publish, most: LOOK };
}

async function rowOf(ctx: Reader, row: Row<List>, span: Row<"spans">): Promise<Listed> {
  const { inputPreview } = span;
  return {
    ...(await records.read(ctx, span)),
    ...(inputPreview !== undefined && { inputPreview }),
    ...("failed" in row && { hasChildError: row.failed }),
  };
}

/**
 * Rows of the traces of which a span names the message: one look into the index for each.
 *
 * A page goes on past the traces of others, so that its end says nothing of them.
 */
export async function tracesOfMessage(
  ctx: Reader,
  args: { messageId: string; cursor?: string; limit: number },
) {
  const limit = limitOf(args.limit);
  const page: Listed[] = [];
  let after = args.cursor ?? "";
  for (let looked = 0; page.length < limit && looked < LOOK && hasRoom(ctx, 1); looked += 1) {
    const named = await ctx.db
      .query("spans")
      .withIndex("by_message", (q) => q.eq("messageId", args.messageId).gt("trace", after))
      .first();
    if (!named) return { page, cursor: null };
    ctx.load.note(chunks.inlineBytes(named));
    const trace = await ctx.db.get(named.trace as Id<"spanTraces">);
    const root = trace && owns(ctx, trace.resourceId) && (await rootOf(ctx, named.trace));
    if (root) {
      const found = await looking(ctx, "traceRoots", []).publish(root, page.length === 0);
      if (found === FULL) return { page, cursor: after };
      page.push(found);
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
