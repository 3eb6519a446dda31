/** What one operation of the adapter is: the members of its request, and the work. */

import { v, type Infer, type ObjectType, type PropertyValidators } from "convex/values";
import type { Writer } from "../lib/access.js";
import { check } from "../lib/checks.js";
import { invalidArgument } from "../lib/errors.js";

export const answer = v.object({
  ok: v.literal(true),
  result: v.optional(v.any()),
  hasMore: v.optional(v.boolean()),
});
export type Answer = Infer<typeof answer>;

/** An operation; `perform` checks the members of a request before the work. */
export interface Operation {
  perform(ctx: Writer, args: unknown): Promise<Answer>;
}

/** Declare an operation on a table, whose request has these members. */
export function operation<M extends PropertyValidators>(
  members: M,
  work: (ctx: Writer, args: ObjectType<M> & { op: string; tableName: string }) => Promise<Answer>,
): Operation {
  return requested({ tableName: v.string(), ...members }, work as any);
}

/** Declare an operation whose request has these members. */
export function requested<M extends PropertyValidators>(
  members: M,
  work: (ctx: Writer, args: ObjectType<M> & { op: string }) => Promise<Answer>,
): Operation {
  const request = v.object({ op: v.string(), ...members });
  return {
    async perform(ctx, args) {
      check(request, args, (args as { op: string }).op);
      return work(ctx, args as any);
    },
  };
}

/** The answer that has a result. */
export const found = (result: unknown): Answer => ({ ok: true, result });

/** The answer that has none; with `more`, the adapter asks again until nothing is left. */
export const done = (more = false): Answer => ({ ok: true, ...(more && { hasMore: true }) });

/** Check a request and do its work. Throws INVALID_ARGUMENT for one that is none. */
export async function perform(
  operations: Record<string, Operation>,
  ctx: Writer,
  args: Record<string, unknown>,
): Promise<Answer> {
  const { op } = args;
  if (typeof op === "string" && Object.hasOwn(operations, op)) {
    return operations[op]!.perform(ctx, args);
  }
  throw invalidArgument(`there is no operation ${String(op).slice(0, 60)}`, { path: "op" });
}
