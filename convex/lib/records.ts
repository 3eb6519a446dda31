/** Reading, saving and removing records by their own keys: what all entities have in common. */

import type { Id } from "../_generated/dataModel.js";
import { owns, type Reader, type Writer } from "./access.js";
import * as chunks from "./chunks.js";
import type { Loaded } from "./chunks.js";
import * as counters from "./counters.js";
import { conflict } from "./errors.js";
import {
  type Fields,
  indexFields,
  isSignal,
  nameOf,
  type Public,
  type PublicOf,
  type Row,
  shardName,
  type Stored,
  type StoredOf,
  type Table,
} from "./tables.js";

/** The record in what is stored. */
function publicRecord<R extends Row>(stored: StoredOf<R>): PublicOf<R> {
  const { messageCount, lastSeq, takenOver, trace, inputPreview, ...record } = stored as Fields;
  return record as PublicOf<R>;
}

/** The row with this key, or null. */
export async function byKey<T extends Table>(
  ctx: Reader,
  table: T,
  ...key: string[]
): Promise<Row<T> | null> {
  const fields = indexFields(table, "by_key");
  const row = (await ctx.db
    .query(table as Table)
    .withIndex("by_key", (q: any) => fields.reduce((r, field, i) => r.eq(field, key[i]), q))
    .unique()) as Row<T> | null;
  if (row) ctx.load.note(chunks.inlineBytes(row));
  return row;
}

/** The record of a row, with all its text. */
export async function read<R extends Row>(ctx: Reader, row: R): Promise<PublicOf<R>> {
  return publicRecord<R>((await chunks.load(ctx, row)).record);
}

/**
 * Make `record` what the table has of it; returns the record.
 *
 * `before` is what the table has now. A saved record keeps its `createdAt`. Saving what is there
 * already writes nothing, so that a retry after a lost reply changes nothing.
 */
export async function save<T extends Table>(
  ctx: Writer,
  table: T,
  before: Row<T> | null,
  given: Fields,
): Promise<Public<T>> {
  if (before === null) {
    return insert(ctx, table, { createdAt: ctx.now, ...given } as unknown as Stored<T>);
  }
  return saveOver(ctx, table, await chunks.load(ctx, before), given);
}

/** As `save`, over a record that is there and was loaded. */
export function saveOver<T extends Table>(
  ctx: Writer,
  table: T,
  loaded: Loaded<Row<T>>,
  given: Fields,
): Promise<Public<T>> {
  const before = loaded.row as Fields;
  const old = publicRecord<Row<T>>(loaded.record) as Fields;
  const record = { ...given, createdAt: old.createdAt } as Fields;
  if ("updatedAt" in old && !("updatedAt" in record)) {
    const unchanged = equal({ ...record, updatedAt: old.updatedAt }, old);
    record.updatedAt = unchanged ? old.updatedAt : later(ctx, old as { updatedAt: number });
  }
  for (const name of ["messageCount", "lastSeq", "takenOver"]) {
    if (name in before) record[name] = before[name];
  }
  return replace(ctx, table, loaded, record as unknown as Stored<T>);
}

/** The record with other values; null takes a field away. */
export function changed(record: Fields, fields: Fields): Fields {
  const all = Object.entries({ ...record, ...fields });
  return Object.fromEntries(all.filter(([, value]) => value !== null && value !== undefined));
}

/** Whether two records have the same fields. */
export function equal(one: Fields, other: Fields): boolean {
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
  );
}

/** The thread with this id if the caller may see what belongs to it. */
export async function visibleThread(ctx: Reader, threadId: string): Promise<Row<"threads"> | null> {
  const thread = await byKey(ctx, "threads", threadId);
  return thread && owns(ctx, thread.resourceId) ? thread : null;
}

/** Whether the caller may see what belongs to this thread, if it is one. */
export async function threadVisible(ctx: Reader, threadId: string | undefined): Promise<boolean> {
  if (ctx.principal.isService) return true;
  return threadId !== undefined && (await visibleThread(ctx, threadId)) !== null;
}

/** The next `updatedAt`: now, but at least 1 ms after the one before, and after `after`. */
export function later(ctx: Writer, before: { updatedAt: number }, after = 0): number {
  return Math.max(ctx.now, before.updatedAt + 1, after);
}

/** Throw CONFLICT if fields are not as `expected`; null stands for a missing one. */
export function requireExpected(record: Fields, expected: Fields | undefined, table: Table): void {
  for (const [name, value] of Object.entries(expected ?? {})) {
    if ((record[name] ?? null) === value) continue;
    throw conflict(
      `${name} of '${record.id}' in ${table} has changed meanwhile; read it again, and try again`,
      { table, id: String(record.id) },
    );
  }
}

/** Add a record that a caller gave, and count it; returns it. */
export async function insert<T extends Table>(
  ctx: Writer,
  table: T,
  record: Stored<T>,
): Promise<Public<T>> {
  const bytes = await put(ctx, table, record);
  ctx.load.take("written", bytes, `saving '${nameOf(table, record)}' in ${table}`);
  return publicRecord<Row<T>>(record);
}

/** Add a record and count it; returns its bytes. */
export async function put<T extends Table>(
  ctx: Writer,
  table: T,
  record: Stored<T>,
): Promise<number> {
  const { row, texts, bytes } = chunks.pack(table, record as Fields);
  const _id = await ctx.db.insert(table as Table, row as any);
  await chunks.write(ctx, _id, texts);
  count(ctx, table, null, row as Row);
  return bytes;
}

/** Make `record` the whole of it and keep the counters right; returns the record. */
export async function replace<T extends Table>(
  ctx: Writer,
  table: T,
  before: Loaded<Row<T>>,
  record: Stored<T>,
): Promise<Public<T>> {
  if (equal(before.record as Fields, record as Fields)) return publicRecord<Row<T>>(record);
  const { row, texts, bytes } = chunks.pack(table, record as Fields);
  ctx.load.take("written", bytes, `saving '${nameOf(table, record)}' in ${table}`);
  const id = before.row._id as Id<Table>;
  await ctx.db.replace(id, row as any);
  const same = (field: string) =>
    (before.record as Fields)[field] === (record as Fields)[field] &&
    texts.some((text) => text.field === field);
  for (const field of before.parts.keys()) {
    if (!same(field)) await chunks.erase(ctx, before as Loaded<Row>, field);
  }
  const fresh = texts.filter(({ field }) => !(before.parts.has(field) && same(field)));
  await chunks.write(ctx, id, fresh);
  count(ctx, table, before.row, row as Row);
  return publicRecord<Row<T>>(record);
}

/** Change some fields and keep the counters right; returns the record. */
export function patch<T extends Table>(
  ctx: Writer,
  table: T,
  before: Loaded<Row<T>>,
  fields: Partial<Stored<T>>,
): Promise<Public<T>> {
  return replace(ctx, table, before, { ...before.record, ...fields } as Stored<T>);
}

/** Change short fields of a row without reading its text, and keep the counters right. */
export async function patchRow<T extends Table>(
  ctx: Writer,
  table: T,
  before: Row<T>,
  fields: Partial<Row<T>>,
): Promise<void> {
  await ctx.db.patch(before._id as Id<Table>, fields as any);
  count(ctx, table, before, { ...before, ...fields } as unknown as Row);
}

/** Delete a record with its text and keep the counters right. */
export async function remove(ctx: Writer, table: Table, row: Row): Promise<void> {
  await removeLoaded(ctx, table, await chunks.load(ctx, row));
}

/** As `remove`, for a record that was loaded. */
export async function removeLoaded<T extends Table>(
  ctx: Writer,
  table: T,
  before: Loaded<Row<T>>,
): Promise<void> {
  const loaded = before as unknown as Loaded<Row>;
  for (const field of loaded.parts.keys()) await chunks.erase(ctx, loaded, field);
  await ctx.db.delete(loaded.row._id as Id<Table>);
  count(ctx, table, loaded.row, null);
}

function count(ctx: Writer, table: Table, before: Row | null, after: Row | null): void {
  counters.changed(ctx, table, before, after);
  const documents = (after ? 1 : 0) - (before ? 1 : 0);
  const bytes = (after ? chunks.sizeOf(after) : 0) - (before ? chunks.sizeOf(before) : 0);
  const name = shardName(table, (after ?? before)!);
  ctx.tally.grow(table, isSignal(table) ? ctx.tally.placeOf(table, name) : name, documents, bytes);
}
