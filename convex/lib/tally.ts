/**
 * What a mutation adds to counters and totals: collected while it runs, written once at its end,
 * so that a batch writes each of these documents a single time.
 */

import type { DatabaseWriter } from "../_generated/server.js";
import * as totals from "./totals.js";

export interface CounterKey {
  table: string;
  index: string;
  first: string;
  second: string;
}

export class Tally {
  private readonly counters = new Map<string, { key: CounterKey; delta: number }>();
  private readonly grown = new Map<string, totals.Growth>();
  private readonly places = new Map<string, string>();

  /** Ranges that writing it all will read: each document is found, and patched. */
  get ranges(): number {
    return 2 * (this.counters.size + this.grown.size);
  }

  /** Add to a counter (lib/counters.ts says which there are). */
  count(key: CounterKey, delta: number): void {
    const name = JSON.stringify([key.table, key.index, key.first, key.second]);
    const counter = this.counters.get(name);
    if (counter) counter.delta += delta;
    else this.counters.set(name, { key, delta });
  }

  /**
   * A name for all records of a table that this mutation changes: that of the first.
   *
   * Counted under it they are in one shard, and seldom meet another batch. A shard may fall below
   * zero then, where another one has the records that it lost; their sum is right.
   */
  placeOf(table: string, name: string): string {
    if (!this.places.has(table)) this.places.set(table, name);
    return this.places.get(table)!;
  }

  /** Add documents and bytes to the totals of a table. */
  grow(table: string, id: string, documents: number, bytes: number): void {
    const shard = totals.shardOf(id);
    const name = `${table} ${shard}`;
    const growth = this.grown.get(name) ?? { table, shard, documents: 0, bytes: 0 };
    growth.documents += documents;
    growth.bytes += bytes;
    this.grown.set(name, growth);
  }

  /** Write all that was added. */
  async write(db: DatabaseWriter): Promise<void> {
    for (const growth of this.grown.values()) await totals.add(db, growth);
    for (const { key, delta } of this.counters.values()) {
      if (delta !== 0) await addToCounter(db, key, delta);
    }
  }
}

async function addToCounter(db: DatabaseWriter, key: CounterKey, delta: number): Promise<void> {
  const counter = await findCounter(db, key);
  if (counter === null) await db.insert("counters", { ...key, count: delta });
  else if (counter.count + delta === 0) await db.delete(counter._id);
  else await db.patch(counter._id, { count: counter.count + delta });
}

/** The counter of these values; null stands for zero. */
export function findCounter(db: Pick<DatabaseWriter, "query">, key: CounterKey) {
  return db
    .query("counters")
    .withIndex("by_key", (q) =>
      q
        .eq("table", key.table)
        .eq("index", key.index)
        .eq("first", key.first)
        .eq("second", key.second),
    )
    .unique();
}
