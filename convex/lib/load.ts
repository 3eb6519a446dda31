/**
 * How much one transaction reads and writes, so that it ends before Convex stops it.
 *
 * Convex allows 16 MiB read and 16 MiB written. What a mutation changes is read twice (patch,
 * replace and delete read the document again), hence less than half of it.
 */

import { limitExceeded } from "./errors.js";

const MIB = 1024 * 1024;
export const MUTATION_BYTES = 7 * MIB;
export const QUERY_BYTES = 8 * MIB;

/** What one call has read and written so far, in bytes of values. */
export class Load {
  private read = 0;
  private written = 0;

  constructor(private readonly limit: number) {}

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
