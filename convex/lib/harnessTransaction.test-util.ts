/** What one query or mutation reads and writes, held against what Convex allows. */

import type { GenericSchema, SchemaDefinition } from "convex/server";
import { compareValues } from "convex/values";
import {
  beginningWith,
  type Document,
  type Interval,
  IntervalSet,
  type Key,
  keyOf,
} from "./harnessIntervals.test-util.js";

const MAX_RANGES = 4096;

export type Schema = SchemaDefinition<GenericSchema, boolean>;

/** A key that one transaction has read and another writes. */
export interface Overlap {
  table: string;
  index: string;
  /** Values of the index's own fields. */
  key: Key;
}

/** A query that is being read, row by row. */
export interface Stream {
  table: string;
  index: string;
  interval: Interval;
  isAscending: boolean;
  /** How many rows may still come. */
  left: number;
}

interface Written {
  table: string;
  before: Document | null;
  after: Document | null;
}

export class Transaction {
  /** Intervals read, which Convex limits. */
  ranges = 0;
  isOpen = true;
  /** Documents as this transaction sees them, those that have come by. */
  readonly documents = new Map<string, Document | null>();
  readonly streams = new Map<number, Stream>();
  private readonly reads = new Map<string, IntervalSet>();
  private readonly writes = new Map<string, Written>();

  /** With `isFree`, a test's own hand: it may read what and as much as it likes. */
  constructor(
    private readonly schema: Schema,
    readonly isFree: boolean,
  ) {}

  /** The indexes that were read, as `table.index`. */
  get indexes(): string[] {
    return [...this.reads.keys()];
  }

  /** Note an interval that was read. */
  read(table: string, index: string, interval: Interval): void {
    const name = `${table}.${index}`;
    const set = this.reads.get(name) ?? new IntervalSet();
    this.reads.set(name, set);
    this.ranges -= set.size;
    set.add(interval);
    this.ranges += set.size;
    if (this.ranges > MAX_RANGES && !this.isFree) {
      throw new Error(
        `Too many reads in a single function execution (limit: ${MAX_RANGES} index ranges, ` +
          "those of patch, replace and delete among them)",
      );
    }
  }

  /** Note that a document was read by its id, as patch, replace and delete do as well. */
  readById(table: string, id: string): void {
    this.read(table, "by_id", beginningWith([id]));
  }

  /** Note a write. */
  write(table: string, id: string, before: Document | null, after: Document | null): void {
    const first = this.writes.get(id) ?? { table, before };
    this.writes.set(id, { ...first, after });
    this.documents.set(id, after);
  }

  /** The fields of a table's index. */
  fieldsOf(table: string, index: string): string[] {
    return this.indexesOf(table).get(index)!;
  }

  /** What this transaction has read of what another writes; one place of each index is enough. */
  overlaps(other: Transaction): Overlap[] {
    const found = new Map<string, Overlap>();
    for (const { table, before, after } of other.writes.values()) {
      if (before && after && compareValues(before, after) === 0) continue;
      for (const [index, fields] of this.indexesOf(table)) {
        const read = this.reads.get(`${table}.${index}`);
        for (const document of [before, after]) {
          if (!document || !read?.has(keyOf(document, fields))) continue;
          const key = keyOf(document, fields.slice(0, Math.max(1, fields.length - 2)));
          found.set(JSON.stringify([table, index, key]), { table, index, key });
        }
      }
    }
    return [...found.values()];
  }

  private indexesOf(table: string): Map<string, string[]> {
    const declared = this.schema.tables[table]?.[" indexes"]() ?? [];
    const ties = ["_creationTime", "_id"];
    return new Map([
      ["by_id", ["_id"]],
      ["by_creation_time", ties],
      ...declared.map(({ indexDescriptor, fields }): [string, string[]] => [
        indexDescriptor,
        [...fields, ...ties],
      ]),
    ]);
  }
}
