/**
 * What logs, metrics, scores and feedback have in common: records that are added and not changed.
 *
 * They name the trace they belong to, and nothing else holds them: who deletes a trace deletes its
 * signals by that name.
 */

import { requireService, type Reader, type Writer } from "./access.js";
import * as chunks from "./chunks.js";
import { invalidArgument } from "./errors.js";
import { Facets } from "./facets.js";
import { type Indexes, type ListArgs, listBy, nothing, type Page, pageOf } from "./paging.js";
import * as records from "./records.js";
import { checkCount, MAX_SPANS, MAX_TRACES } from "./spans.js";
import { hasRoom } from "./steps.js";
import { type Fields, indexFields, type Row, type Signals } from "./tables.js";

/** Each is looked up, and written into several indexes. */
export const MAX_SIGNALS = MAX_SPANS;
// What discovery lists is taken from these, as in Mastra.
const DISCOVERED: readonly Signals[] = ["logs", "metrics"];
// Signals that one call deletes, or passes by.
const STEP = 500;
const PAGE = 20;
// Ranges that deleting a page of them takes: many less.
const PAGE_RANGES = 1000;

/**
 * Save signals by their ids, replacing those that are there; all of them, or none.
 *
 * One without a `timestamp` is of now, and stays of then when it is saved again.
 */
export async function saveSignals(ctx: Writer, table: Signals, given: Fields[]): Promise<void> {
  requireService(ctx, `saving ${table}`);
  checkCount(given.length, table, MAX_SIGNALS);
  const key = indexFields(table, "by_key")[0]!;
  const facets = new Facets(ctx, table);
  for (const record of given) {
    const id = record[key] as string;
    if (!id) throw invalidArgument(`${key} must not be empty; give each of ${table} its own`);
    const before = await records.byKey(ctx, table, id);
    const timestamp = before?.timestamp ?? ctx.now;
    await records.save(ctx, table, before, { timestamp, ...record });
    if (DISCOVERED.includes(table)) facets.note(record);
    ctx.load.check("read", `saving ${table}`);
  }
  await facets.write();
}

/** A page of signals by `timestamp`, that meet all of the criteria given; a resource's own. */
export async function listSignals<T extends Signals>(
  ctx: Reader,
  table: T,
  indexes: Indexes,
  args: ListArgs & Fields,
  also: readonly string[],
): Promise<Page<T>> {
  if (ctx.principal.isService) return listBy(ctx, table, indexes, args, also);
  const { resourceId } = ctx.principal;
  if ((args.resourceId ?? resourceId) !== resourceId) return nothing<T>(args);
  const everything = [...Object.values(indexes).flat(), ...also];
  const own = { ...args, resourceId };
  return listBy(ctx, table, { by_resource: ["resourceId"] }, own, everything);
}

interface Tenant {
  organizationId?: string;
  resourceId?: string;
}

/**
 * Delete signals: those of the organization and the resource, if given.
 *
 * Unknown ids are fine.
 */
export async function removeSignals(
  ctx: Writer,
  table: Signals,
  ids: string[],
  of: Tenant,
): Promise<void> {
  requireService(ctx, `deleting ${table}`);
  checkCount(ids.length, table, MAX_SIGNALS);
  for (const id of new Set(ids)) {
    const signal = await records.byKey(ctx, table, id);
    if (!signal || !isOf(signal, of)) continue;
    ctx.load.take("read", chunks.chunkedBytes(signal), `deleting ${table}`);
    await records.remove(ctx, table, signal);
  }
}

/**
 * Delete what belongs to traces, trace by trace, until one call has done enough.
 *
 * Each signal is looked at for itself: it goes if it is of the organization and the resource
 * given, whatever its trace is.
 */
export async function removeByTraces<T extends Signals>(
  ctx: Writer,
  table: T,
  args: Tenant & { traceIds: string[]; cursor?: string },
): Promise<{ rest: number; cursor: string | null }> {
  requireService(ctx, `deleting ${table}`);
  checkCount(args.traceIds.length, "ids of traces", MAX_TRACES);
  let [looked, cursor]: [number, string | null] = [0, args.cursor ?? null];
  const publish = async (row: Row<T>) => {
    const record = await records.read(ctx, row);
    if (isOf(row as Tenant, args)) await records.remove(ctx, table, row as Row);
    return record;
  };
  for (const [done, traceId] of args.traceIds.entries()) {
    do {
      const room = looked === 0 || (hasRoom(ctx, PAGE) && ctx.load.rangesLeft > PAGE_RANGES);
      if (looked >= STEP || !room) return { rest: args.traceIds.length - done, cursor };
      const how: ListArgs = { order: "asc", limit: PAGE, ...(cursor !== null && { cursor }) };
      const found = await pageOf<T>(ctx, table, "by_trace", [traceId], how, { publish });
      looked += found.page.length;
      cursor = found.cursor;
    } while (cursor !== null);
  }
  return { rest: 0, cursor: null };
}

function isOf(signal: Tenant, { organizationId, resourceId }: Tenant): boolean {
  return (
    (organizationId ?? signal.organizationId) === signal.organizationId &&
    (resourceId ?? signal.resourceId) === signal.resourceId
  );
}
