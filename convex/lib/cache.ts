/**
 * What Mastra's server caches: values, numbers and lists, until they expire.
 *
 * An entry that has expired is not there for readers. It is deleted with what is written later, some
 * at a time. A list that is too long to be deleted at once loses its key first, and expires.
 */

import type { Doc } from "../_generated/dataModel.js";
import type { Writer } from "./access.js";
import { conflict, limitExceeded } from "./errors.js";
import { hasRoom } from "./steps.js";
import { utf8Length } from "./text.js";

// A value is a document, which may have 1 MiB with everything that belongs to it.
const MAX_VALUE_BYTES = 900 * 1024;
const MAX_ITEMS = 8000;
// Elements that are read at a time: few, so that large ones fit.
const ITEMS_AT_ONCE = 5;
// How many entries one call deletes that have expired, or that have a prefix.
const AT_ONCE = 25;
// No key that comes in begins so: keys are texts that can be read.
const GONE = "\0";

export type Entry = Doc<"cacheEntries">;
type Given = Pick<Entry, "key" | "prefix" | "expiresAt">;

/** The entry of that key, whether it has expired or not. */
export function find(ctx: Writer, key: string): Promise<Entry | null> {
  return ctx.db
    .query("cacheEntries")
    .withIndex("by_key", (q) => q.eq("key", key))
    .unique();
}

/** The entry of that key, if it has not expired. */
export async function live(ctx: Writer, key: string): Promise<Entry | null> {
  const entry = await find(ctx, key);
  if (!entry) return null;
  ctx.load.note(utf8Length(entry.value ?? ""));
  return (entry.expiresAt ?? Infinity) > ctx.now ? entry : null;
}

/** Make this the entry of its key, whatever was there. */
export async function put(
  ctx: Writer,
  entry: Omit<Entry, "_id" | "_creationTime">,
): Promise<Pick<Entry, "_id" | "count">> {
  const before = await find(ctx, entry.key);
  if (before) await forget(ctx, before);
  await purge(ctx);
  return { _id: await ctx.db.insert("cacheEntries", entry), count: entry.count };
}

/**
 * The number, or the length of the list, of a key and one more; it expires anew.
 *
 * Throws CONFLICT if something else is there.
 */
export async function grow(ctx: Writer, kind: "counter" | "list", entry: Given) {
  const before = await live(ctx, entry.key);
  if (!before) return put(ctx, { ...entry, kind, count: 1 });
  requireKind(before, kind);
  await purge(ctx);
  const { prefix, expiresAt } = entry;
  const count = before.count! + 1;
  await ctx.db.patch(before._id, { prefix, expiresAt, count });
  return { _id: before._id, count };
}

/** Throw CONFLICT if the entry is of another kind. */
export function requireKind(entry: Entry, kind: Entry["kind"]): void {
  if (entry.kind === kind) return;
  throw conflict(`'${entry.key}' is there and is no ${kind}; delete it, or use another key`, {
    table: "cacheEntries",
    id: entry.key,
  });
}

/** Add the element that the list has grown by. */
export async function append(ctx: Writer, head: Pick<Entry, "_id" | "count">, value: string) {
  await ctx.db.insert("cacheItems", { list: head._id, position: head.count! - 1, value });
}

/**
 * The elements from `start` to before `end`.
 *
 * Throws LIMIT_EXCEEDED for more than one call takes.
 */
export async function items(ctx: Writer, head: Entry, start: number, end: number) {
  const found: string[] = [];
  for (;;) {
    const some = await itemsOf(ctx, head, start + found.length, end).take(ITEMS_AT_ONCE);
    for (const { value } of some) ctx.load.note(utf8Length(value));
    found.push(...some.map(({ value }) => value));
    if (some.length < ITEMS_AT_ONCE) return found;
    if (found.length >= MAX_ITEMS || !hasRoom(ctx, 1)) {
      throw limitExceeded(
        `the list '${head.key}' has more elements there than one call takes; read it in ranges`,
        { limit: MAX_ITEMS },
      );
    }
  }
}

/** The text. Throws LIMIT_EXCEEDED for one that is too large. */
export function checkValue(key: string, text: string): string {
  const size = utf8Length(text);
  if (size <= MAX_VALUE_BYTES) return text;
  throw limitExceeded(
    `the value of '${key}' has ${size} bytes; at most ${MAX_VALUE_BYTES} can be cached`,
    { limit: MAX_VALUE_BYTES, given: size },
  );
}

/** Delete an entry; of a long list some elements, and then it is gone for all but `purge`. */
export async function forget(ctx: Writer, entry: Entry): Promise<boolean> {
  if (entry.kind === "list" && !(await removeItems(ctx, entry))) {
    const key = entry.key.startsWith(GONE) ? entry.key : `${GONE}${entry._id}`;
    await ctx.db.patch(entry._id, { key, prefix: GONE, expiresAt: 0 });
    return false;
  }
  await ctx.db.delete(entry._id);
  return true;
}

async function removeItems(ctx: Writer, head: Entry): Promise<boolean> {
  for (let removed = 0; removed < 4 * AT_ONCE && hasRoom(ctx, 1);) {
    const some = await itemsOf(ctx, head, 0, Infinity).take(ITEMS_AT_ONCE);
    for (const item of some) {
      ctx.load.note(utf8Length(item.value));
      await ctx.db.delete(item._id);
    }
    removed += some.length;
    if (some.length < ITEMS_AT_ONCE) return true;
  }
  return false;
}

/** Delete entries with that prefix; whether all. */
export async function clear(ctx: Writer, prefix: string): Promise<boolean> {
  const found = await ctx.db
    .query("cacheEntries")
    .withIndex("by_prefix", (q) => q.eq("prefix", prefix))
    .take(1 + AT_ONCE);
  for (const entry of found.slice(0, AT_ONCE)) {
    ctx.load.note(utf8Length(entry.value ?? ""));
    await forget(ctx, entry);
    if (!hasRoom(ctx, AT_ONCE)) return false;
  }
  return found.length <= AT_ONCE && purge(ctx);
}

/** Delete some of what has expired; whether all. */
export async function purge(ctx: Writer): Promise<boolean> {
  for (let removed = 0; removed < AT_ONCE && hasRoom(ctx, AT_ONCE); removed += 1) {
    const expired = await ctx.db
      .query("cacheEntries")
      .withIndex("by_expiry", (q) => q.gte("expiresAt", 0).lte("expiresAt", ctx.now))
      .first();
    if (!expired) return true;
    ctx.load.note(utf8Length(expired.value ?? ""));
    if (!(await forget(ctx, expired))) return false;
  }
  return false;
}

function itemsOf(ctx: Writer, { _id }: Pick<Entry, "_id">, start: number, end: number) {
  return ctx.db
    .query("cacheItems")
    .withIndex("by_key", (q) => q.eq("list", _id).gte("position", start).lt("position", end));
}
