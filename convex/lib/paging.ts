/** Pages: one index, one range of time, bounded in records and in bytes. */

import { requireService, type Reader } from "./access.js";
import { chunkedBytes, inlineBytes, ROW_READ_BYTES } from "./chunks.js";
import * as counters from "./counters.js";
import { decodeCursor, encodeCursor } from "./cursor.js";
import { invalidArgument } from "./errors.js";
import { type Key, keyOf, type Order, type Range, walk } from "./ranges.js";
import { read } from "./records.js";
import { type Fields, indexFields, type Public, type Row, type Table } from "./tables.js";

export const MAX_PAGE = 500;
// The most rows that are read at a time; each is small (lib/chunks.ts).
export const WALK = 200;
// The most rows that one call looks at, with those that nobody may see.
export const MAX_LOOK = 4000;
const ARRIVALS = "by_creation_time";
// A transaction that began so long ago has landed, or never will.
const SETTLED_MS = 10_000;

export interface ListArgs {
  from?: number;
  to?: number;
  order: Order;
  cursor?: string;
  skip?: number;
  limit: number;
  withTotal?: boolean;
}

export interface Page<T extends Table, R = Public<T>> {
  page: R[];
  cursor: string | null;
  total?: number;
  skipped?: number;
}

/** The page size asked for. Throws INVALID_ARGUMENT unless it is whole, from 1 to 500. */
export function limitOf(limit: number): number {
  if (!(limit >= 1 && limit <= MAX_PAGE && Number.isInteger(limit))) {
    throw invalidArgument(`limit must be whole, from 1 to ${MAX_PAGE}, not ${limit}`);
  }
  return limit;
}

/** How many records to pass over. Throws INVALID_ARGUMENT unless it is whole and >= 0. */
export function skipOf(skip = 0): number {
  if (!(skip >= 0 && Number.isSafeInteger(skip))) {
    throw invalidArgument(`skip must be whole and >= 0, not ${skip}`);
  }
  return skip;
}

/** Of a list whose subject the caller may not see. */
export function nothing<T extends Table>(args: ListArgs): Page<T> {
  limitOf(args.limit);
  return { page: [], cursor: null, total: 0, ...(skipOf(args.skip) && { skipped: 0 }) };
}

/**
 * One page of `table`: documents whose leading index fields are `values`, in order of the next.
 *
 * The total is given when it was asked for, is kept, and no time range narrows the list. With
 * `hidden`, there is nothing to see, and the arguments are checked all the same. `keep` leaves rows
 * out, so that the page may have fewer; `publish` makes records of them.
 *
 * With `skip`, so many of the list are passed over first, and `skipped` says how many were: where it
 * is less, the page is empty, and the cursor goes on from there.
 */
export async function pageOf<T extends Table, R = Public<T>>(
  ctx: Reader,
  table: T,
  index: string,
  values: (string | undefined)[],
  args: ListArgs,
  { hidden = false, ...look }: { hidden?: boolean } & Look<T, R> = {},
): Promise<Page<T, R>> {
  const range = rangeOf(table, index, values, args);
  const query = [table, index, values, args.from ?? null, args.to ?? null, args.order];
  const limit = limitOf(args.limit);
  const parts = range.fields.length - values.length + 1;
  const after = args.cursor === undefined ? null : decodeCursor(query, args.cursor, parts);
  const skip = skipOf(args.skip);
  const { page, last, more, skipped } = hidden
    ? NOTHING
    : await collect<T, R>(ctx, range, args.order, after, limit, look, skip);
  const found: Page<T, R> = { page, cursor: more ? encodeCursor(query, last!) : null };
  if (skip > 0) found.skipped = skipped;
  if (hidden) return found;
  if (args.withTotal && args.from === undefined && args.to === undefined) {
    const total = await counters.total(ctx, table, index, values as string[]);
    if (total !== undefined) found.total = total;
  }
  return found;
}

/** Indexes of a table with the arguments that they serve, in order, the narrowest first. */
export type Indexes = Readonly<Record<string, readonly string[]>>;

/**
 * One page of `table`, by the first index whose arguments are all given.
 *
 * Records that differ from another argument of `indexes` or `also`, or that `fits` leaves out, are
 * not in it: then the page may be shorter than asked for, and has no total. Only with `skip` are more
 * records looked at than that. Throws INVALID_ARGUMENT if no index serves.
 */
export async function listBy<T extends Table>(
  ctx: Reader,
  table: T,
  indexes: Indexes,
  args: ListArgs & Fields,
  also: readonly string[] = [],
  fits?: (row: Row<T>) => boolean,
): Promise<Page<T>> {
  const names = new Set([...Object.values(indexes).flat(), ...also]);
  const given = [...names].filter((name) => args[name] !== undefined);
  const entry = Object.entries(indexes).find(([, fields]) =>
    fields.every((field) => given.includes(field)),
  );
  if (!entry) {
    const wanted = Object.values(indexes).map((fields) => fields.join(" and "));
    throw invalidArgument(`a list of ${table} needs ${wanted.join("; or ")}`);
  }
  const [index, fields] = entry;
  const values = fields.map((field) => args[field] as string);
  const left = given.filter((name) => !fields.includes(name));
  if (left.length === 0 && !fits) return pageOf(ctx, table, index, values, args);
  const isWanted = (record: Fields) => left.every((name) => record[name] === args[name]);
  if (!args.skip) {
    const { page, cursor } = await pageOf(ctx, table, index, values, args);
    const kept = page.filter((each) => (!fits || fits(each as Row<T>)) && isWanted(each as Fields));
    return { page: kept, cursor };
  }
  const keep = async (row: Row<T>) => {
    if (fits && !fits(row)) return false;
    // A row lacks text that rests beside it.
    return isWanted((row.chunked ? await read(ctx, row) : row) as Fields);
  };
  return pageOf(ctx, table, index, values, { ...args, withTotal: false }, { keep });
}

/** The messages of a thread, in their order. */
export function threadRange(threadId: string): Range {
  const index = "by_thread_created";
  const fields = [...indexFields("messages", index), "_creationTime"];
  return { table: "messages", index, fields, values: [threadId] };
}

function rangeOf(
  table: Table,
  index: string,
  values: (string | undefined)[],
  args: ListArgs,
): Range {
  const fields = [...indexFields(table, index), "_creationTime"];
  return { table, index, fields, values, from: args.from, to: args.to };
}

interface Walked<R> {
  page: R[];
  /** The places of the first and the last row that were looked at. */
  first: Key | null;
  last: Key | null;
  /** Whether there may be more. */
  more: boolean;
  /** How many were passed over. */
  skipped: number;
}

const NOTHING = { page: [], first: null, last: null, more: false, skipped: 0 };

/**
 * Records from a range after the first `skip`, as many as `limit` and the bytes that one call may
 * read allow. Rows that are passed over are read without the text beside them.
 */
async function collect<T extends Table, R>(
  ctx: Reader,
  range: Range,
  order: Order,
  after: Key | null,
  limit: number,
  look: Look<T, R> = {},
  skip = 0,
): Promise<Walked<R>> {
  const { keep, publish = (row: Row<T>) => read(ctx, row) as Promise<any>, most = MAX_LOOK } = look;
  const page: R[] = [];
  let [first, last, skipped]: [Key | null, Key | null, number] = [null, after, 0];
  // A position among arrivals is a time alone, so records of one time must be on one page.
  const belongs = (row: Row) =>
    range.index === ARRIVALS && order === "asc" && row._creationTime === last?.[0];
  for (let seen = 0; ;) {
    const room = Math.floor(ctx.load.room / ROW_READ_BYTES);
    const missing = skip - skipped + Math.max(limit - page.length, 0) + 1;
    // Where most rows were left out so far, many may have to be looked at.
    const wanted = 2 * (skipped + page.length) < seen ? WALK : missing;
    const rows = Math.min(wanted, WALK, room);
    if (rows < 1 || seen >= most) return { page, first, last, more: true, skipped };
    const found = (await walk(ctx, range, order, last, rows)) as Row[] as Row<T>[];
    for (const row of found) ctx.load.note(inlineBytes(row));
    seen += found.length;
    for (const row of found) {
      const enough = page.length >= limit && !belongs(row);
      if (enough || (page.length > 0 && chunkedBytes(row) > ctx.load.room)) {
        return { page, first, last, more: true, skipped };
      }
      if (!keep || (await keep(row))) {
        if (skipped < skip) skipped += 1;
        else {
          const record = await publish(row, page.length === 0);
          if (record === FULL) return { page, first, last, more: true, skipped };
          page.push(record);
        }
      }
      last = keyOf(range, row);
      first ??= last;
    }
    if (found.length < rows) return { page, first, last, more: false, skipped };
  }
}

/** What `publish` gives for a row that this call has no room for; never for the first of a page. */
export const FULL = Symbol("full");

/** Which rows are in a list, and what a reader sees of them: all, and their records. */
export interface Look<T extends Table, R = Public<T>> {
  keep?: (row: Row<T>) => Promise<boolean>;
  publish?: (row: Row<T>, first: boolean) => Promise<R | typeof FULL>;
  /** The most rows that one call looks at. */
  most?: number;
}

/**
 * Records in the order in which they came into the table, after `after` or the newest.
 *
 * `after` is the `position` of an earlier answer; without it the newest `limit` records are given.
 * A record that is saved again, or changed, does not arrive again.
 *
 * Transactions may land in another order than that of their times. A position at the end of the
 * table is therefore never younger than what has settled: what came in the last seconds is given
 * again, and readers drop what they have seen.
 */
export async function arrivalsOf<T extends Table, R = Public<T>>(
  ctx: Reader,
  table: T,
  args: { after?: number; limit: number },
  look?: Look<T, R>,
) {
  requireService(ctx, "following what arrives");
  const limit = limitOf(args.limit);
  const range: Range = { table, index: ARRIVALS, fields: ["_creationTime"], values: [] };
  const since = args.after ?? 0;
  const settled = (newest: Key | null) =>
    Math.max(since, Math.min(Number(newest?.[0] ?? 0), Date.now() - SETTLED_MS));
  if (args.after === undefined) {
    const { page, first } = await collect<T, R>(ctx, range, "desc", null, limit, look);
    return { page: page.reverse(), position: settled(first), isDone: true };
  }
  // No `_id` comes after this one: what shares the position's time has been given.
  const start: Key = [since, "\uffff"];
  const { page, last, more } = await collect<T, R>(ctx, range, "asc", start, limit, look);
  return { page, position: more ? Number(last![0]) : settled(last), isDone: !more };
}
