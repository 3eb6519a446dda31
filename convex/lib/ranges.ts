/**
 * Walking an index from where an earlier walk ended.
 *
 * Convex's ranges are equalities and then one inequality. What follows a key in a compound index is
 * therefore several ranges: first what shares all but the key's last field, then what shares one
 * field less, and so on.
 */

import type { Reader } from "./access.js";
import type { Fields, Row, Table } from "./tables.js";

export type Order = "asc" | "desc";
export type Key = (string | number)[];

/** A part of an index: `values` for its first fields, bounds for the next. */
export interface Range {
  table: Table;
  index: string;
  /** The index's fields, `_creationTime` among them. */
  fields: string[];
  values: (string | number | undefined)[];
  from?: number;
  to?: number;
}

interface Piece {
  equal: (string | number | undefined)[];
  above?: [value: string | number, inclusive: boolean];
  below?: [value: string | number, inclusive: boolean];
  /** Only documents beyond this `_id`: they share the rest of the key. */
  beyond?: string;
}

/** The place of a row in a walk through the range. */
export function keyOf(range: Range, row: Row): Key {
  const open = range.fields.slice(range.values.length);
  return [...open.map((field) => (row as Fields)[field] as string | number), row._id];
}

/** At most `count` rows of a range, those after the key. */
export async function walk(
  ctx: Reader,
  range: Range,
  order: Order,
  after: Key | null,
  count: number,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const piece of pieces(range, order, after)) {
    if (rows.length >= count) break;
    const found = ctx.db
      .query(range.table)
      .withIndex(range.index as never, (q: any) => bounded(q, range.fields, piece))
      .order(order);
    if (piece.beyond === undefined) rows.push(...(await found.take(count - rows.length)));
    // Few: they are of transactions that began in the same quarter of a microsecond.
    else rows.push(...(await found.collect()).filter((row) => isBeyond(row, piece, order)));
  }
  return rows.slice(0, count);
}

function isBeyond(row: Row, piece: Piece, order: Order): boolean {
  return order === "asc" ? row._id > piece.beyond! : row._id < piece.beyond!;
}

function pieces(range: Range, order: Order, after: Key | null): Piece[] {
  const { values, from, to } = range;
  const low = from === undefined ? undefined : ([from, true] as [number, boolean]);
  const high = to === undefined ? undefined : ([to, true] as [number, boolean]);
  if (after === null) return [{ equal: values, above: low, below: high }];
  const key = after.slice(0, -1);
  const found: Piece[] = [{ equal: [...values, ...key], beyond: after.at(-1) as string }];
  for (let shared = key.length - 1; shared >= 0; shared -= 1) {
    const equal = [...values, ...key.slice(0, shared)];
    const passed = [key[shared]!, false] as [string | number, boolean];
    // The bounds are those of the first open field.
    found.push(
      order === "asc"
        ? { equal, above: passed, below: shared === 0 ? high : undefined }
        : { equal, below: passed, above: shared === 0 ? low : undefined },
    );
  }
  return found;
}

function bounded(q: any, fields: string[], piece: Piece): any {
  let range = q;
  for (const [position, value] of piece.equal.entries()) range = range.eq(fields[position], value);
  const next = fields[piece.equal.length];
  const { above, below } = piece;
  if (above) range = above[1] ? range.gte(next, above[0]) : range.gt(next, above[0]);
  if (below) range = below[1] ? range.lte(next, below[0]) : range.lt(next, below[0]);
  return range;
}
