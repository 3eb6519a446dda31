/**
 * What `ConvexServerCache` of `@mastra/convex` calls: a cache with expiry.
 *
 * The adapter has one mutation for everything, which takes the operator's admin key.
 */

import { v } from "convex/values";
import { serviceMutation } from "../lib/access.js";
import * as cache from "../lib/cache.js";
import { decoded, encoded } from "../lib/columns.js";
import { answer, done, found, type Operation, perform, requested } from "./requests.js";

const vKey = { key: v.string() };
const vEntry = { ...vKey, keyPrefix: v.string(), expiresAt: v.union(v.number(), v.null()) };
const vValue = { value: v.optional(v.any()) };

/** The value, the number, or the list of that key; null if there is none. */
const get = requested(vKey, async (ctx, { key }) => {
  const entry = await cache.live(ctx, key);
  if (!entry) return found(null);
  if (entry.kind === "list") {
    return found((await cache.items(ctx, entry, 0, entry.count!)).map(decoded));
  }
  return found(entry.kind === "counter" ? entry.count : decoded(entry.value));
});

/** Make this the value of the key, whatever was there. */
const set = requested({ ...vEntry, ...vValue }, async (ctx, args) => {
  await cache.put(ctx, { ...entryOf(args), kind: "value", value: textOf(args) });
  return done();
});

/** How long the list is; 0 if there is none. */
const listLength = requested(vKey, async (ctx, { key }) => {
  const entry = await cache.live(ctx, key);
  if (!entry) return found(0);
  cache.requireKind(entry, "list");
  return found(entry.count);
});

/** Add to the end of the list, which begins with it if there is none. */
const listPush = requested({ ...vEntry, ...vValue }, async (ctx, args) => {
  const text = textOf(args);
  await cache.append(ctx, await cache.grow(ctx, "list", entryOf(args)), text);
  return done();
});

/** The elements from one position to another, both included; negative ones from the end. */
const listFromTo = requested(
  { ...vKey, from: v.number(), to: v.number() },
  async (ctx, { key, from, to }) => {
    const entry = await cache.live(ctx, key);
    if (entry?.kind !== "list") return found([]);
    const length = entry.count!;
    const start = from < 0 ? Math.max(length + from, 0) : from;
    const end = Math.min((to < 0 ? length + to : to) + 1, length);
    const texts = start < end ? await cache.items(ctx, entry, start, end) : [];
    return found(texts.map(decoded));
  },
);

/** Delete what is there. */
const remove = requested(vKey, async (ctx, { key }) => {
  const entry = await cache.find(ctx, key);
  if (entry) await cache.forget(ctx, entry);
  return done(!(await cache.purge(ctx)));
});

/** Delete all with that prefix. */
const clear = requested({ keyPrefix: v.string() }, async (ctx, { keyPrefix }) =>
  done(!(await cache.clear(ctx, keyPrefix))),
);

/** Add 1 to a number, which begins at 0; gives the sum. */
const increment = requested(vEntry, async (ctx, args) =>
  found((await cache.grow(ctx, "counter", entryOf(args))).count),
);

const OPERATIONS: Record<string, Operation> = {
  get,
  set,
  listLength,
  listPush,
  listFromTo,
  delete: remove,
  clear,
  increment,
};

/** Answer one request of the cache protocol. What goes wrong is thrown. */
export const handle = serviceMutation(answer, (ctx, args) => perform(OPERATIONS, ctx, args));

function entryOf(args: { key: string; keyPrefix: string; expiresAt: number | null }) {
  const { key, keyPrefix: prefix, expiresAt } = args;
  return { key, prefix, ...(expiresAt !== null && { expiresAt }) };
}

function textOf({ key, value }: { key: string; value?: unknown }): string {
  return cache.checkValue(key, encoded(value ?? null));
}
