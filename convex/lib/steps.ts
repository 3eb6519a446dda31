/** Work in bounded steps: how much one transaction takes on. */

import type { Reader, Writer } from "./access.js";
import * as chunks from "./chunks.js";
import type { Row, Table } from "./tables.js";

/** The most records that one step deletes or copies. */
export const STEP_RECORDS = 500;
// Rows that are read at a time: few, so that a large record, deleted, fits beside them.
const ROWS = 100;
// Ranges that are read for one record, with its text, its counters and its thread: many less.
const RECORD_RANGES = 64;

/** Whether the transaction has room for so many rows more. */
export function hasRoom(ctx: Reader | Writer, rows: number): boolean {
  return ctx.load.room >= rows * chunks.ROW_READ_BYTES && hasRanges(ctx);
}

/** Whether the transaction may read as much of indexes as another record takes. */
function hasRanges(ctx: Reader | Writer): boolean {
  const later = "tally" in ctx ? ctx.tally.ranges : 0;
  return ctx.load.rangesLeft - later >= RECORD_RANGES;
}

/**
 * Remove rows, the next ones each time, until there are none (true) or the transaction has enough
 * (false). `remove` says whether it has finished with its row, and so whether to go on.
 */
export async function drain<T extends Table>(
  ctx: Writer,
  next: (count: number) => Promise<Row<T>[]>,
  remove: (row: Row<T>) => Promise<boolean>,
): Promise<boolean> {
  for (let removed = 0; removed < STEP_RECORDS && hasRoom(ctx, ROWS);) {
    const rows = await next(ROWS);
    for (const row of rows) ctx.load.note(chunks.inlineBytes(row));
    for (const row of rows) {
      const fits = chunks.chunkedBytes(row) <= ctx.load.room && hasRanges(ctx);
      if (removed > 0 && !fits) return false;
      removed += 1;
      if (!(await remove(row))) return false;
    }
    if (rows.length < ROWS) return true;
  }
  return false;
}
