/// <reference types="vite/client" />
/** The one place where tests make a deployment: the functions under convex-test, with its limits. */

import { makeFunctionReference } from "convex/server";
import { ConvexError } from "convex/values";
import { convexTest } from "convex-test";
import { vi } from "vitest";
import schema from "../schema.js";

const modules = import.meta.glob(["../**/*.ts", "../_generated/*.js", "!../**/*.*.ts"]);

/** Who asks: the service, one resource, or nobody. */
export type Caller = "service" | { resourceId: string } | null;
export type Kind = "query" | "mutation";
type Args = Record<string, unknown>;

/** A deployment with an empty store. */
export function deploy() {
  return convexTest({ schema, modules, transactionLimits: true });
}

export type Deployment = ReturnType<typeof deploy>;

/** The deployment as a caller with that token reaches it. */
function as(deployment: Deployment, caller: Caller) {
  if (caller === null) return deployment;
  if (caller === "service") {
    return deployment.withIdentity({ subject: "service", role: "service" });
  }
  return deployment.withIdentity({ subject: caller.resourceId, role: "resource" });
}

/** Call a function by its path. */
export function call(
  deployment: Deployment,
  kind: Kind,
  path: string,
  args: Args = {},
  caller: Caller = "service",
): Promise<any> {
  const asked = as(deployment, caller);
  return kind === "query"
    ? asked.query(makeFunctionReference<"query">(path), args)
    : asked.mutation(makeFunctionReference<"mutation">(path), args);
}

export const query = (deployment: Deployment, path: string, args: Args = {}, caller?: Caller) =>
  call(deployment, "query", path, args, caller);

export const mutation = (deployment: Deployment, path: string, args: Args, caller?: Caller) =>
  call(deployment, "mutation", path, args, caller);

/** What a query returns, and how many documents, bytes and ranges it read for that. */
export async function measured(deployment: Deployment, path: string, args: Args) {
  const reference = makeFunctionReference<"query">(path);
  return as(deployment, "service").query(async (ctx) => {
    const reply: any = await ctx.runQuery(reference, args);
    const { documentsRead, bytesRead, databaseQueries } = await ctx.meta.getTransactionMetrics();
    return {
      reply,
      documents: documentsRead.used,
      bytes: bytesRead.used,
      ranges: databaseQueries.used,
    };
  });
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
