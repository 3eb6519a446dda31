/// <reference types="vite/client" />
/** The one place where tests make a deployment: the functions under convex-test, with its limits. */

import { ConvexError } from "convex/values";
import { convexTest } from "convex-test";
import schema from "../schema.js";

const modules = import.meta.glob(["../**/*.ts", "../_generated/*.js", "!../**/*.*.ts"]);

/** Who asks: the service, one resource, or nobody. */
export type Caller = "service" | { resourceId: string } | null;

/** A deployment with an empty store. */
export function deploy() {
  return convexTest({ schema, modules, transactionLimits: true });
}

export type Deployment = ReturnType<typeof deploy>;

/** The deployment as a caller with that token reaches it. */
export function as(deployment: Deployment, caller: Caller) {
  if (caller === null) return deployment;
  if (caller === "service") {
    return deployment.withIdentity({ subject: "service", role: "service" });
  }
  return deployment.withIdentity({ subject: caller.resourceId, role: "resource" });
}

/** The code of an error that a function threw; what validators refuse is INVALID_ARGUMENT. */
export function codeOf(error: unknown): string {
  if (error instanceof ConvexError) return (error.data as { code: string }).code;
  if (/Validator error|does not match validator/i.test(String(error))) return "INVALID_ARGUMENT";
  throw error;
}

/** All documents of all tables, and what is scheduled. */
export function dump(deployment: Deployment): Promise<Record<string, unknown[]>> {
  return deployment.run(async (ctx) => {
    const found: Record<string, unknown[]> = {};
    for (const table of Object.keys(schema.tables)) {
      found[table] = await ctx.db.query(table as "threads").collect();
    }
    found._scheduled_functions = await ctx.db.system.query("_scheduled_functions").collect();
    return found;
  });
}
