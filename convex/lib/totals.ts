/**
 * Documents and bytes of each table, kept in the transaction that changes them.
 *
 * A total is the sum of its shards. The shard follows from the record's id (of signals, from the
 * first id of their batch), so that saves of different records seldom meet in one document.
 */

import type { DatabaseReader, DatabaseWriter } from "../_generated/server.js";
import { hash } from "./text.js";

const SHARDS = 8;

export interface Growth {
  table: string;
  shard: number;
  documents: number;
  bytes: number;
}

/** The shard that counts the record of this id. */
export function shardOf(id: string): number {
  return hash(id) % SHARDS;
}

/** Documents and bytes of a table. */
export async function total(db: DatabaseReader, table: string) {
  const shards = await db
    .query("totals")
    .withIndex("by_table", (q) => q.eq("table", table))
    .take(SHARDS);
  const sum = (field: "documents" | "bytes") => shards.reduce((so, each) => so + each[field], 0);
  return { documents: sum("documents"), bytes: sum("bytes") };
}

/** Add to one shard. */
export async function add(db: DatabaseWriter, growth: Growth): Promise<void> {
  const { table, shard, documents, bytes } = growth;
  if (documents === 0 && bytes === 0) return;
  const before = await db
    .query("totals")
    .withIndex("by_table", (q) => q.eq("table", table).eq("shard", shard))
    .unique();
  if (before === null) await db.insert("totals", growth);
  else {
    await db.patch(before._id, {
      documents: before.documents + documents,
      bytes: before.bytes + bytes,
    });
  }
}
