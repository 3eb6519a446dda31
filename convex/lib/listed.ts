/**
 * What the lists of traces and of branches have of a span, kept in the transaction that changes it.
 *
 * A trace is listed when it has a root, a branch for each span of certain types. The documents have
 * what lists are narrowed and ordered by; the rest a list reads from the span's row.
 */

import type { Writer } from "./access.js";
import * as chunks from "./chunks.js";
import * as records from "./records.js";
import type { Fields, Row, Stored } from "./tables.js";

/** Where what still runs stands in the order of ends: the latest time that JavaScript has. */
export const RUNNING = 8_640_000_000_000_000;

// The spans that a user looks for, wherever in a trace they are; not the steps inside of them.
const ANCHORS: ReadonlySet<unknown> = new Set([
  "agent_run",
  "workflow_run",
  "processor_run",
  "scorer_run",
  "rag_ingestion",
  "tool_call",
  "mcp_tool_call",
  "mcp_server_request",
  "provider_tool_call",
]);
const CRITERIA = ["resourceId", "threadId", "runId", "entityId"] as const;

/** How a span stands: an error counts whether it has ended or not. */
function statusOf(span: Fields): string {
  if (span.error !== undefined) return "error";
  return span.endedAt === undefined ? "running" : "success";
}

function listed(span: Fields, criteria: readonly string[]): Fields {
  const { trace, spanId, startedAt, endedAt = RUNNING } = span;
  const own = { trace, spanId, startedAt, endsAt: endedAt, status: statusOf(span) };
  const given = criteria.filter((name) => span[name] !== undefined);
  return { ...own, ...Object.fromEntries(given.map((name) => [name, span[name]])) };
}

/** Keep the branch that a span anchors, if it does; `before` is what its row was. */
export async function keepBranch(
  ctx: Writer,
  before: Fields | null,
  after: Stored<"spans">,
): Promise<void> {
  const old = before && ANCHORS.has(before.spanType) ? listed(before, CRITERIA) : null;
  const branch = ANCHORS.has(after.spanType) ? listed(after, CRITERIA) : null;
  if (old && branch ? records.equal(old, branch) : old === branch) return;
  const row = old && (await records.byKey(ctx, "traceBranches", after.trace, after.spanId));
  await put(ctx, "traceBranches", row, branch);
}

/** Keep the row of a trace with this root, or with none; `row` is what it was. */
export async function keepRoot(
  ctx: Writer,
  row: Row<"traceRoots"> | null,
  root: Stored<"spans"> | null,
  failed: boolean,
): Promise<void> {
  const document = root && { ...listed(root, [...CRITERIA, "messageId"]), failed };
  await put(ctx, "traceRoots", row, document);
}

/** Keep whether any span of a trace has an error. */
export async function keepFailed(ctx: Writer, trace: string, failed: boolean): Promise<void> {
  const row = await records.byKey(ctx, "traceRoots", trace);
  if (row) await records.patch(ctx, "traceRoots", await chunks.load(ctx, row), { failed });
}

async function put<T extends "traceRoots" | "traceBranches">(
  ctx: Writer,
  table: T,
  row: Row<T> | null,
  fields: Fields | null,
): Promise<void> {
  const document = fields as unknown as Stored<T>;
  if (!row) {
    if (fields) await records.insert(ctx, table, document);
  } else if (fields) {
    await records.replace(ctx, table, await chunks.load(ctx, row), document);
  } else {
    await records.remove(ctx, table, row);
  }
}
