/**
 * Totals of lists, kept in the transaction that changes them.
 *
 * A counted index has one counter for each combination of its leading values (all its fields but
 * the last, which is a time). A list by those values reads its total from there. Messages are counted
 * by owner and thread together: so two threads of one owner have no counter in common, and what an
 * owner has in all of them is a sum.
 */

import type { Reader, Writer } from "./access.js";
import { type Fields, indexFields, type Table } from "./tables.js";
import { findCounter } from "./tally.js";
import * as totals from "./totals.js";

const COUNTED: Partial<Record<Table, readonly string[]>> = {
  threads: ["by_resource_created"],
  traces: ["by_thread", "by_run", "by_scope", "by_name"],
  // Of branches none: who adds a span to a trace would meet others there.
  traceRoots: ["by_thread_started", "by_resource_started", "by_entity_started"],
  evals: ["by_agent", "by_agent_type", "by_type", "by_thread"],
  scores: ["by_scorer", "by_scorer_source", "by_run", "by_entity", "by_span"],
  backgroundTasks: [
    "by_status",
    "by_agent",
    "by_agent_status",
    "by_run",
    "by_thread",
    "by_resource",
    "by_tool",
  ],
  workflowRuns: ["by_workflow", "by_workflow_status", "by_resource", "by_status"],
};
const OWNED = { table: "messages", index: "owned" };

// An index with the leading fields of a counted one has the same totals.
const SAME_TOTALS: Record<string, string> = {
  by_resource_updated: "by_resource_created",
  by_thread_ended: "by_thread_started",
  by_resource_ended: "by_resource_started",
  by_entity_ended: "by_entity_started",
};

/** How many documents the index has under `values`; undefined if that is not counted. */
export async function total(
  ctx: Reader,
  table: Table,
  index: string,
  values: string[],
): Promise<number | undefined> {
  if (values.length === 0) return (await totals.total(ctx.db, table)).documents;
  const counted = SAME_TOTALS[index] ?? index;
  if (!COUNTED[table]?.includes(counted)) return undefined;
  return (await findCounter(ctx.db, keyOf(table, counted, values)))?.count ?? 0;
}

/** Count a document that was inserted (no `before`), changed, or deleted (no `after`). */
export function changed(
  ctx: Writer,
  table: Table,
  before: Fields | null,
  after: Fields | null,
): void {
  for (const index of COUNTED[table] ?? []) {
    move(ctx, table, index, indexFields(table, index).slice(0, -1), before, after);
  }
  if (table === OWNED.table) {
    move(ctx, table, OWNED.index, ["resourceId", "threadId"], before, after);
  }
}

function move(
  ctx: Writer,
  table: Table,
  index: string,
  fields: string[],
  before: Fields | null,
  after: Fields | null,
): void {
  const old = valuesOf(before, fields);
  const now = valuesOf(after, fields);
  if (old) ctx.tally.count(keyOf(table, index, old), -1);
  if (now) ctx.tally.count(keyOf(table, index, now), 1);
}

/** How many messages of a thread belong to the resource. */
export async function owned(ctx: Reader, resourceId: string, threadId: string): Promise<number> {
  const key = { ...OWNED, first: resourceId, second: threadId };
  return (await findCounter(ctx.db, key))?.count ?? 0;
}

/** Counters of a resource's messages, one for each thread (`second`) that has any, after one. */
export function ownedAfter(ctx: Reader, resourceId: string, after: string, count: number) {
  const { table, index } = OWNED;
  return ctx.db
    .query("counters")
    .withIndex("by_key", (q) =>
      q.eq("table", table).eq("index", index).eq("first", resourceId).gt("second", after),
    )
    .take(count);
}

/** Add to a counter that is no list's; returns what it counts after this transaction. */
export async function add(ctx: Writer, table: Table, name: string, value: string, delta: number) {
  const key = keyOf(table, name, [value]);
  const counter = await findCounter(ctx.db, key);
  ctx.tally.count(key, delta);
  return (counter?.count ?? 0) + delta;
}

/** Forget a counter that is no list's, if it is there. */
export async function forget(ctx: Writer, table: Table, name: string, value: string) {
  const key = keyOf(table, name, [value]);
  ctx.tally.count(key, -((await findCounter(ctx.db, key))?.count ?? 0));
}

function keyOf(table: Table, index: string, values: string[]) {
  const [first, second = ""] = values as [string, string?];
  return { table, index, first, second };
}

function valuesOf(document: Fields | null, fields: string[]): string[] | null {
  const values = fields.map((field) => document?.[field]);
  return values.every((value) => typeof value === "string") ? (values as string[]) : null;
}
