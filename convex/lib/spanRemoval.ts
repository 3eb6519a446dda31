/**
 * Deleting traces, however many spans they have.
 *
 * A span is visible only if its trace's document exists. So a trace is deleted for every reader with
 * its documents, and its spans now or in scheduled steps. Spans name their trace by that document:
 * nobody adds to what is being deleted, and the same trace may be written anew meanwhile.
 */

import { internal } from "../_generated/api.js";
import type { Writer } from "./access.js";
import * as counters from "./counters.js";
import * as records from "./records.js";
import { ERRORS } from "./spans.js";
import { drain } from "./steps.js";
import type { Row } from "./tables.js";

const TABLES = ["traceBranches", "spanBodies", "spans"] as const;
type Part = (typeof TABLES)[number];

/** Delete a trace's document: with it, its spans are gone for readers. Returns what they name. */
export async function hideTrace(ctx: Writer, trace: Row<"spanTraces">): Promise<string> {
  await records.remove(ctx, "spanTraces", trace);
  const root = await records.byKey(ctx, "traceRoots", trace._id);
  if (root) await records.remove(ctx, "traceRoots", root);
  await counters.forget(ctx, "spans", ERRORS, trace._id);
  return trace._id;
}

/** Delete the spans of traces that are hidden; what does not fit is scheduled. */
export async function removeSpans(ctx: Writer, traces: string[]): Promise<void> {
  let done = true;
  for (const table of TABLES) done = done && (await drainOf(ctx, table, traces));
  if (!done) await ctx.scheduler.runAfter(0, internal.spans.work, { traces });
}

function drainOf<T extends Part>(ctx: Writer, table: T, traces: string[]) {
  return drain<T>(
    ctx,
    (count) => firstOf(ctx, table, traces, count),
    async (row) => {
      await records.remove(ctx, table, row as Row);
      return true;
    },
  );
}

/** The first rows of the traces, so many as there are. */
async function firstOf<T extends Part>(
  ctx: Writer,
  table: T,
  traces: string[],
  count: number,
): Promise<Row<T>[]> {
  const rows: Row[] = [];
  for (const trace of traces) {
    if (rows.length === count) break;
    const found = ctx.db.query(table as "spans").withIndex("by_key", (q) => q.eq("trace", trace));
    rows.push(...(await found.take(count - rows.length)));
  }
  return rows as Row<T>[];
}
