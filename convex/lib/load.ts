/**
 * How much one transaction reads and writes, so that it ends before Convex stops it.
 *
 * Convex allows 16 MiB read and 16 MiB written. What a mutation changes is read twice (patch,
 * replace and delete read the document again), hence less than half of it. It also allows 4,096
 * ranges of indexes, and counts each document that is read again as one.
 */

import type { DatabaseWriter } from "../_generated/server.js";
import { limitExceeded } from "./errors.js";

const MIB = 1024 * 1024;
export const MUTATION_BYTES = 7 * MIB;
export const QUERY_BYTES = 8 * MIB;
const RANGES = 4000;

/** What one call has read and written so far: bytes of values, and ranges of indexes. */
export class Load {
  private read = 0;
  private written = 0;
  private ranges = 0;

  constructor(private readonly limit: number) {}

  /** Ranges that may still be read. */
  get rangesLeft(): number {
    return RANGES - this.ranges;
  }

  /** Count a range; throw if that is more than one call may read. */
  noteRange(): void {
    this.ranges += 1;
    if (this.ranges > RANGES) {
      throw limitExceeded(`more than ${RANGES} look-ups in one call; split it into smaller calls`, {
        limit: RANGES,
        given: this.ranges,
      });
    }
  }

  /** Bytes that may still be read. */
  get room(): number {
    return this.limit - this.read;
  }

  /** Count bytes that were read. */
  note(bytes: number): void {
    this.read += bytes;
  }

  /** Count bytes that are read or written; throw if that is more than one call may. */
  take(what: "read" | "written", bytes: number, subject: string): void {
    this[what] += bytes;
    this.check(what, subject);
  }

  /** Throw if more was read than one call may. */
  check(what: "read" | "written", subject: string): void {
    if (this[what] > this.limit) {
      throw limitExceeded(
        `${subject}: ${this[what]} bytes of records in one call, which takes at most ` +
          `${this.limit}; split it into smaller calls`,
        { limit: this.limit, given: this[what] },
      );
    }
  }
}

/** The database of a mutation, with each range that it reads counted. */
export function counted(db: DatabaseWriter, load: Load): DatabaseWriter {
  const counting = <Call extends (...args: any[]) => any>(call: Call) =>
    ((...args) => {
      load.noteRange();
      return call(...args);
    }) as Call;
  return {
    ...db,
    get: counting(db.get),
    query: counting(db.query),
    patch: counting(db.patch),
    replace: counting(db.replace),
    delete: counting(db.delete),
  };
}
