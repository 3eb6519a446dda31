/** A deployment of convex-test whose every query and mutation runs in a watched transaction. */

import { AsyncLocalStorage } from "node:async_hooks";
import type { Value } from "convex/values";
import { convexTest, type TestConvex } from "convex-test";
import "./harnessDatabase.test-util.js";
import { current, watch } from "./harnessHost.test-util.js";
import { type Schema, Transaction } from "./harnessTransaction.test-util.js";
import { checkExport, checkModulePath, checkValue } from "./harnessValues.test-util.js";

type Module = Record<string, any>;
/** Modules by their path from here. */
export type Modules = Record<string, () => Promise<Module>>;
type Handler = (ctx: any, args: any) => any;

/** Someone who looks at what a call did, or prevents that it is done. */
export interface Observer {
  discard: boolean;
  transaction?: Transaction;
}
export const observer = new AsyncLocalStorage<Observer>();

/** The end of a transaction that is not to be committed. */
export class Discarded extends Error {}

export interface Deployment<S extends Schema> extends Omit<TestConvex<S>, "withIdentity"> {
  withIdentity(identity: Record<string, unknown>): Deployment<S>;
  /** Whether clients may call the function of this path. */
  isPublic(path: string): Promise<boolean>;
}

export function deployed<S extends Schema>(schema: S, modules: Modules): Deployment<S> {
  const watched: Modules = {};
  for (const [path, load] of Object.entries(modules)) {
    const name = path
      .replace(/^\.\.\//, "")
      .replace(/^\.\//, "lib/")
      .replace(/\.[^./]+$/, "");
    if (name.startsWith("_generated/")) watched[path] = load;
    else {
      checkModulePath(name);
      watched[path] = async () => watchedModule(schema, name, await load());
    }
  }
  // The harness counts ranges as Convex does: merged, and those of writes among them.
  const transactionLimits = { databaseQueries: Infinity };
  const deployment = convexTest({ schema, modules: watched, transactionLimits });
  watch();
  const isPublic = async (path: string) => {
    const [name, exported = "default"] = path.split(":");
    return (await watched[`../${name}.ts`]?.())?.[exported]?.isPublic === true;
  };
  return watchedDeployment(schema, deployment, isPublic);
}

function watchedDeployment<S extends Schema>(
  schema: S,
  deployment: any,
  isPublic: (path: string) => Promise<boolean>,
): Deployment<S> {
  const inline = (isFree: boolean, called: unknown) =>
    typeof called === "function" ? within(schema, isFree, called as Handler) : called;
  return {
    ...deployment,
    query: (called: unknown, args: unknown) => deployment.query(inline(false, called), args),
    mutation: (called: unknown, args: unknown) => deployment.mutation(inline(false, called), args),
    run: (handler: unknown) => deployment.run(inline(true, handler)),
    withIdentity: (identity: Record<string, unknown>) =>
      watchedDeployment(schema, deployment.withIdentity(identity), isPublic),
    isPublic,
  };
}

function watchedModule(schema: Schema, path: string, module: Module): Module {
  const watched: Module = {};
  for (const [name, value] of Object.entries(module)) {
    const handler = value?._handler;
    if (handler) {
      checkExport(path, name);
      const checked = within(schema, false, async (ctx, args) => {
        checkValue(`Arguments for ${path}:${name}`, args);
        const result: Value | undefined = await handler(ctx, args);
        checkValue(`Return value of ${path}:${name}`, result);
        return result;
      });
      watched[name] = new Proxy(value, {
        get: (of, key) => (key === "_handler" ? checked : Reflect.get(of, key)),
      });
    } else watched[name] = value;
  }
  return watched;
}

/** The handler in a transaction: its own, or that of the function that calls it. */
function within(schema: Schema, isFree: boolean, handler: Handler): Handler {
  return async (ctx, args) => {
    // A scheduled function may have been set off by one that has ended.
    if (current.getStore()?.isOpen) return handler(ctx, args);
    const transaction = new Transaction(schema, isFree);
    const result = await current.run(transaction, async () => {
      try {
        return await handler(ctx, args);
      } finally {
        transaction.isOpen = false;
      }
    });
    const watching = observer.getStore();
    if (watching) {
      watching.transaction = transaction;
      if (watching.discard) throw new Discarded();
    }
    return result;
  };
}
