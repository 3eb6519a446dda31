/// <reference types="vite/client" />
/**
 * The one place where tests make and call a deployment: the functions under convex-test, with its
 * limits, and with what it does not check (harnessHost, harnessTransaction, harnessValues).
 */

import { makeFunctionReference } from "convex/server";
import { ConvexError } from "convex/values";
import { vi } from "vitest";
import schema from "../schema.js";
import { deployed, Discarded, type Modules, observer } from "./harnessDeployment.test-util.js";
import { current } from "./harnessHost.test-util.js";
import type { Overlap, Schema, Transaction } from "./harnessTransaction.test-util.js";

const modules = import.meta.glob<Record<string, unknown>>([
  "../**/*.ts",
  "../_generated/*.js",
  "!../**/*.*.ts",
  // The router is no module of functions.
  "!../http.ts",
]);

/** Who asks: the service, one resource, nobody, or with the admin key an operator. */
export type Caller = "service" | { resourceId: string } | null | "operator";
export type Kind = "query" | "mutation";
type Args = Record<string, unknown>;

/** A deployment with an empty store. */
export function deploy() {
  return deployWith(schema, {});
}

export type Deployment = ReturnType<typeof deploy>;

/** A deployment with another schema, and more modules, by their paths. */
export function deployWith<S extends Schema>(schema: S, more: Record<string, object>) {
  const added: Modules = Object.fromEntries(
    Object.entries(more).map(([path, module]) => [`../${path}.ts`, async () => ({ ...module })]),
  );
  return deployed(schema, { ...modules, ...added });
}

/** The deployment as a caller with that token reaches it. */
function as(deployment: Deployment, caller: Caller) {
  if (caller === null || caller === "operator") return deployment;
  if (caller === "service") {
    return deployment.withIdentity({ subject: "service", role: "service" });
  }
  return deployment.withIdentity({ subject: caller.resourceId, role: "resource" });
}

/** Call a function by its path, as clients do. */
export async function call(
  deployment: Deployment,
  kind: Kind,
  path: string,
  args: Args = {},
  caller: Caller = "service",
): Promise<any> {
  if (caller !== "operator" && !(await deployment.isPublic(path))) {
    throw new Error(`Could not find public function for '${path}'`);
  }
  const asked = as(deployment, caller);
  return kind === "query"
    ? asked.query(makeFunctionReference<"query">(path), args)
    : asked.mutation(makeFunctionReference<"mutation">(path), args);
}

export const query = (deployment: Deployment, path: string, args: Args = {}, caller?: Caller) =>
  call(deployment, "query", path, args, caller);

export const mutation = (deployment: Deployment, path: string, args: Args, caller?: Caller) =>
  call(deployment, "mutation", path, args, caller);

/** What a call returns, and what it read and wrote for that. */
export async function measured(
  deployment: Deployment,
  path: string,
  args: Args,
  kind: Kind = "query",
) {
  const asked = as(deployment, "service");
  const measure = async (ctx: any, run: (reference: any, args: Args) => Promise<any>) => {
    const reply = await run(makeFunctionReference(path), args);
    const { documentsRead, bytesRead, documentsWritten } = await ctx.meta.getTransactionMetrics();
    const { ranges, indexes } = current.getStore()!;
    return {
      reply,
      documents: documentsRead.used,
      bytes: bytesRead.used,
      written: documentsWritten.used,
      ranges,
      indexes,
    };
  };
  return kind === "query"
    ? asked.query((ctx) => measure(ctx, ctx.runQuery))
    : asked.mutation((ctx) => measure(ctx, ctx.runMutation));
}

/** All records of a list by the client's loop, and the most that one call read for its page. */
export async function walked(deployment: Deployment, path: string, args: Args) {
  const ids: string[] = [];
  const most = { calls: 0, beside: 0, bytes: 0 };
  let cursor: string | null = null;
  do {
    const found = await measured(deployment, path, { ...args, ...(cursor && { cursor }) });
    ids.push(...found.reply.page.map((each: { id: string }) => each.id));
    most.calls += 1;
    most.beside = Math.max(most.beside, found.documents - found.reply.page.length);
    most.bytes = Math.max(most.bytes, found.bytes);
    cursor = found.reply.cursor;
  } while (cursor !== null);
  return { ids, most };
}

/**
 * What one call has read that another writes, both begun on the same state; neither leaves a trace.
 *
 * If the other commits first, Convex runs a mutation that has read such a key again from its start,
 * and a subscription to such a query.
 */
export async function overlaps(
  reading: () => Promise<unknown>,
  writing: () => Promise<unknown>,
): Promise<Overlap[]> {
  return (await discarded(reading)).overlaps(await discarded(writing));
}

/** Run a call as Convex does if another lands meanwhile: in vain at first, and again after it. */
export async function raced<T>(
  call: () => Promise<T>,
  landing: () => Promise<unknown>,
): Promise<T> {
  await discarded(call);
  await landing();
  return call();
}

/** Run a call and throw its effects away; what it has read and would have written. */
async function discarded(call: () => Promise<unknown>): Promise<Transaction> {
  const watching = { discard: true, transaction: undefined as Transaction | undefined };
  await observer.run(watching, call).catch((error: unknown) => {
    if (!(error instanceof Discarded)) throw error;
  });
  return watching.transaction!;
}

/** The code of an error that a function threw; what validators refuse is INVALID_ARGUMENT. */
export function codeOf(error: unknown): string {
  if (error instanceof ConvexError) return (error.data as { code: string }).code;
  if (/^Error: Validator error:/.test(String(error))) return "INVALID_ARGUMENT";
  throw error;
}

/** The code of the error that a call ends in. */
export function refusal(pending: Promise<unknown>): Promise<string> {
  return pending.then(() => "no error", codeOf);
}

/** All documents of all tables, and what is scheduled. */
export function dump(deployment: Deployment): Promise<Record<string, any[]>> {
  return deployment.run(async (ctx) => {
    const found: Record<string, any[]> = {};
    for (const table of Object.keys(schema.tables)) {
      found[table] = await ctx.db.query(table as "threads").collect();
    }
    found._scheduled_functions = await ctx.db.system.query("_scheduled_functions").collect();
    return found;
  });
}

/** Run the steps that are scheduled now; those that they schedule come next time. */
export async function step(deployment: Deployment): Promise<void> {
  vi.advanceTimersByTime(1);
  await deployment.finishInProgressScheduledFunctions();
}

/** Run all scheduled steps to their end; returns how many rounds there were. */
export async function settle(deployment: Deployment, each?: () => Promise<void>): Promise<number> {
  for (let rounds = 0; ; rounds += 1) {
    const { _scheduled_functions } = await scheduled(deployment);
    const failed = _scheduled_functions.find(({ state }) => state.kind === "failed");
    if (failed) throw new Error(`a step failed: ${JSON.stringify(failed)}`);
    if (!_scheduled_functions.some(({ state }) => state.kind === "pending")) return rounds;
    await step(deployment);
    await each?.();
  }
}

function scheduled(deployment: Deployment): Promise<{ _scheduled_functions: any[] }> {
  return deployment.run(async (ctx) => ({
    _scheduled_functions: await ctx.db.system.query("_scheduled_functions").collect(),
  }));
}
