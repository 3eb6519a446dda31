/** Who may do what. Every function is registered here, and asks for the principal first. */

import type { Auth, RegisteredMutation, RegisteredQuery, Scheduler } from "convex/server";
import {
  v,
  type Infer,
  type ObjectType,
  type PropertyValidators,
  type Validator,
} from "convex/values";
import type { DatabaseReader, DatabaseWriter } from "../_generated/server.js";
import { internalMutation, mutation, query } from "../_generated/server.js";
import { invalidArgument, unauthenticated } from "./errors.js";
import { counted, Load, MUTATION_BYTES, QUERY_BYTES } from "./load.js";
import { Tally } from "./tally.js";

/** The service, or one resource. */
export type Principal = { isService: true } | { isService: false; resourceId: string };

/** All that a query sees. */
export interface Reader {
  db: DatabaseReader;
  principal: Principal;
  load: Load;
}

/** All that a mutation sees. `now` is the same throughout. */
export interface Writer extends Reader {
  db: DatabaseWriter;
  scheduler: Scheduler;
  now: number;
  tally: Tally;
}

async function principalOf(ctx: { auth: Auth }): Promise<Principal> {
  const identity = await ctx.auth.getUserIdentity();
  if (identity?.role === "service") return { isService: true };
  if (identity?.role === "resource") return { isService: false, resourceId: identity.subject };
  throw unauthenticated("this call has no principal; give the storage its key or token");
}

/** Whether the caller may see and change what belongs to `resourceId` (undefined: to nobody). */
export function owns(ctx: Reader, resourceId: string | undefined): boolean {
  return ctx.principal.isService || ctx.principal.resourceId === resourceId;
}

/** Throw unless the service is asking. */
export function requireService(ctx: Reader, doing: string): void {
  if (!ctx.principal.isService) {
    throw unauthenticated(`${doing} is for the service; a resource's token cannot do it`);
  }
}

/** Throw if a number among the arguments is none: a time that is NaN would be lost to every list. */
function checkNumbers(args: unknown): void {
  if (Number.isNaN(args)) throw invalidArgument("a number among the arguments is NaN");
  if (typeof args === "object" && args !== null) Object.values(args).forEach(checkNumbers);
}

type Returns = Validator<any, "required", any>;

interface Definition<Ctx, A extends PropertyValidators, R extends Returns> {
  args: A;
  returns: R;
  handler: (ctx: Ctx, args: ObjectType<A>) => Promise<Infer<R>>;
}

// Convex's types of a handler cannot be followed through type parameters; the signatures of the
// functions below say what goes in and comes out.
function erased<Ctx>(definition: Definition<Ctx, any, any>) {
  return definition as {
    args: PropertyValidators;
    returns: Validator<any, "required", any>;
    handler: (ctx: Ctx, args: unknown) => Promise<any>;
  };
}

/** A function as another one runs it, in its own transaction and for its own principal. */
interface Within<Ctx, A extends PropertyValidators, R extends Returns> {
  within(ctx: Ctx, args: ObjectType<A>): Promise<Infer<R>>;
}

/** Register a query that runs only for a principal. */
export function storageQuery<A extends PropertyValidators, R extends Returns>(
  definition: Definition<Reader, A, R>,
): RegisteredQuery<"public", ObjectType<A>, Promise<Infer<R>>> & Within<Reader, A, R> {
  const { args, returns, handler } = erased(definition);
  const registered = query({
    args,
    returns,
    handler: async (ctx, given) => {
      const principal = await principalOf(ctx);
      checkNumbers(given);
      return handler({ db: ctx.db, principal, load: new Load(QUERY_BYTES) }, given);
    },
  });
  return Object.assign(registered, { within: handler });
}

async function write<T>(
  ctx: { db: DatabaseWriter; scheduler: Scheduler },
  principal: Principal,
  handler: (writer: Writer) => Promise<T>,
): Promise<T> {
  const tally = new Tally();
  const { scheduler } = ctx;
  const load = new Load(MUTATION_BYTES);
  const db = counted(ctx.db, load);
  const result = await handler({ db, scheduler, principal, load, now: Date.now(), tally });
  await tally.write(db);
  return result;
}

/** Register a mutation that runs only for a principal. */
export function storageMutation<A extends PropertyValidators, R extends Returns>(
  definition: Definition<Writer, A, R>,
): RegisteredMutation<"public", ObjectType<A>, Promise<Infer<R>>> & Within<Writer, A, R> {
  const { args, returns, handler } = erased(definition);
  const registered = mutation({
    args,
    returns,
    handler: async (ctx, given) => {
      const principal = await principalOf(ctx);
      checkNumbers(given);
      return write(ctx, principal, (writer) => handler(writer, given));
    },
  });
  return Object.assign(registered, { within: handler });
}

/** Register a step of longer work: only the scheduler runs it, for the service. */
export function storageStep<A extends PropertyValidators, R extends Returns>(
  definition: Definition<Writer, A, R>,
): RegisteredMutation<"internal", ObjectType<A>, Promise<Infer<R>>> {
  const { args, returns, handler } = erased(definition);
  return internalMutation({
    args,
    returns,
    handler: (ctx, given) => write(ctx, { isService: true }, (writer) => handler(writer, given)),
  });
}

/** Register a mutation that takes any arguments: only an operator runs it, for the service. */
export function serviceMutation<R extends Returns>(
  returns: R,
  handler: (ctx: Writer, args: Record<string, unknown>) => Promise<Infer<R>>,
): RegisteredMutation<"internal", any, Promise<Infer<R>>> {
  return internalMutation({
    args: v.any(),
    returns: returns as Returns,
    handler: (ctx, given) => {
      checkNumbers(given);
      return write(ctx, { isService: true }, (writer) => handler(writer, given));
    },
  });
}
