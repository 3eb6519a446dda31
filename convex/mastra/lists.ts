/** All records of a list, which is what the adapter asks for: in bounded reads, or not at all. */

import type { Writer } from "../lib/access.js";
import { limitExceeded } from "../lib/errors.js";
import { arrivalsOf, MAX_PAGE } from "../lib/paging.js";
import { hasRoom } from "../lib/steps.js";
import type { Fields, Whole } from "../lib/tables.js";

// Convex's arrays hold 8,192.
const MAX_ROWS = 8000;
/** The limit of a list that is to be whole. */
export const MORE = MAX_ROWS + 1;

/** A list function, in whatever it takes beside the arguments of all of them. */
export interface List {
  within(ctx: Writer, args: any): Promise<{ page: Fields[]; cursor: string | null }>;
}

/** The records of one list so far. */
class Found {
  readonly records: any[] = [];

  constructor(
    private readonly ctx: Writer,
    private readonly what: string,
    private readonly limit: number,
  ) {}

  /** Take in a page; whether to go on. Throws LIMIT_EXCEEDED when it is too much. */
  add(page: Fields[], more: boolean): boolean {
    this.records.push(...page);
    if (!more || this.records.length >= this.limit) {
      this.records.length = Math.min(this.records.length, this.limit);
      return false;
    }
    if (this.records.length < MAX_ROWS && hasRoom(this.ctx, 1)) return true;
    throw limitExceeded(
      `${this.what}: there are more than ${this.records.length} records, or more bytes than one ` +
        "call takes, and @mastra/convex asks for all of them at once; delete some, or use the " +
        "functions that have pages",
      { limit: MAX_ROWS },
    );
  }
}

/**
 * All records that a list function gives, or the first `limit`.
 *
 * Throws LIMIT_EXCEEDED when there are more than one transaction takes.
 */
export async function every(
  ctx: Writer,
  list: List,
  args: Fields,
  what: string,
  limit = MORE,
): Promise<any[]> {
  const found = new Found(ctx, what, limit);
  for (let cursor: string | null | undefined; ;) {
    const asked = { order: "asc", limit: MAX_PAGE, ...args, ...(cursor && { cursor }) };
    const page = await list.within(ctx, asked);
    cursor = page.cursor;
    if (!found.add(page.page, cursor !== null)) return found.records;
  }
}

/** All records of a table in the order of arrival; as `every`. */
export async function arrived(
  ctx: Writer,
  table: Whole,
  what: string,
  limit = MORE,
): Promise<any[]> {
  const found = new Found(ctx, what, limit);
  for (let after = 0; ;) {
    const page = await arrivalsOf(ctx, table, { after, limit: MAX_PAGE });
    after = page.position;
    if (!found.add(page.page as Fields[], !page.isDone)) return found.records;
  }
}
