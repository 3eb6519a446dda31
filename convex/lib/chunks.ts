/**
 * Rows are small, whatever records hold: text that a document has no room for rests in `chunks`.
 *
 * So a page of rows costs little to read, no document comes near Convex's 1 MiB, and what a record
 * really takes is known from its row before its text is read.
 */

import type { Id } from "../_generated/dataModel.js";
import type { Reader, Writer } from "./access.js";
import { limitExceeded } from "./errors.js";
import { MUTATION_BYTES } from "./load.js";
import { type Fields, isIndexed, nameOf, type Row, type StoredOf, type Table } from "./tables.js";
import { utf8Length } from "./text.js";

/** The most text that one row holds, in bytes. */
export const ROW_BYTES = 24 * 1024;
/** The most that a row adds to what is read: its text, and what comes with it. */
export const ROW_READ_BYTES = ROW_BYTES + 1024;
/** A chunk is a document, which may have 1 MiB with everything that belongs to it. */
export const CHUNK_BYTES = Math.floor(0.9 * 1024 * 1024);
const RECORD_BYTES = MUTATION_BYTES;

/** A row with the text that belongs to it, and where that text rests. */
export interface Loaded<R extends Row> {
  row: R;
  record: StoredOf<R>;
  parts: Map<string, Id<"chunks">[]>;
}

interface Packed {
  row: Fields;
  texts: { field: string; text: string }[];
  bytes: number;
}

/** Bytes of a row's values: UTF-8 for text, 8 for a number; with what rests in chunks. */
export function sizeOf(row: Row): number {
  return inlineBytes(row) + chunkedBytes(row);
}

/** Bytes of the values that are in the row itself. */
export function inlineBytes(row: Row): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(row)) {
    if (name.startsWith("_")) continue;
    if (typeof value === "string") bytes += utf8Length(value);
    else if (typeof value === "number") bytes += 8;
  }
  return bytes;
}

/** Bytes of the row's text that rests in chunks. */
export function chunkedBytes(row: Row): number {
  return (row.chunked ?? []).reduce((sum, each) => sum + each.bytes, 0);
}

/** What to store of a record: its row, and the texts that the row has no room for. */
export function pack(table: Table, record: Fields): Packed {
  const row: Fields = Object.fromEntries(Object.entries(record).filter(([, x]) => x !== undefined));
  const sizes = Object.entries(row)
    .filter((entry): entry is [string, string] => typeof entry[1] === "string")
    .map(([field, text]) => ({ field, text, bytes: utf8Length(text) }));
  const bytes = sizes.reduce((sum, each) => sum + each.bytes, 0);
  if (bytes > RECORD_BYTES) throw tooLarge(table, record, bytes, RECORD_BYTES);
  const movable = sizes
    .filter(({ field }) => !isIndexed(table, field))
    .sort((a, b) => b.bytes - a.bytes);
  const texts = [];
  let inline = bytes;
  while (inline > ROW_BYTES) {
    const largest = movable.shift();
    if (!largest) throw tooLarge(table, record, inline, ROW_BYTES, " in fields with an index");
    texts.push(largest);
    row[largest.field] = "";
    inline -= largest.bytes;
  }
  if (texts.length > 0) row.chunked = texts.map(({ field, bytes }) => ({ field, bytes }));
  return { row, texts, bytes };
}

function tooLarge(table: Table, record: Fields, size: number, limit: number, where = "") {
  return limitExceeded(
    `record '${nameOf(table, record)}' of ${table} has ${size} bytes${where}; at most ${limit} can be stored`,
    { table, id: nameOf(table, record), size, limit },
  );
}

/** The row with its text. */
export async function load<R extends Row>(ctx: Reader, row: R): Promise<Loaded<R>> {
  const { _id, _creationTime, chunked, ...fields } = row as Fields;
  const record: Fields = fields;
  const parts = new Map<string, Id<"chunks">[]>();
  for (const { field } of row.chunked ?? []) {
    const chunks = await partsOf(ctx, row._id, field);
    parts.set(
      field,
      chunks.map((chunk) => chunk._id),
    );
    record[field] = chunks.map((chunk) => chunk.text).join("");
  }
  ctx.load.note(chunkedBytes(row));
  return { row, record: record as StoredOf<R>, parts };
}

function partsOf(ctx: Reader, record: string, field: string) {
  return ctx.db
    .query("chunks")
    .withIndex("by_record", (q) => q.eq("record", record).eq("field", field))
    .collect();
}

/** Put the texts of a record into chunks. */
export async function write(ctx: Writer, record: string, texts: Packed["texts"]): Promise<void> {
  for (const { field, text } of texts) {
    for (const [position, part] of split(text).entries()) {
      await ctx.db.insert("chunks", { record, field, position, text: part });
    }
  }
}

/** Delete the chunks of one field. */
export async function erase(ctx: Writer, before: Loaded<Row>, field: string): Promise<void> {
  for (const id of before.parts.get(field) ?? []) await ctx.db.delete(id);
}

/** A text in pieces of at most CHUNK_BYTES, none of which begins or ends inside a character. */
export function split(text: string): string[] {
  const parts: string[] = [];
  let start = 0;
  while (start < text.length) {
    let end = Math.min(start + CHUNK_BYTES, text.length);
    // A piece of n characters has from n to 3n bytes: shorten it until it fits.
    for (;;) {
      if (end < text.length && isLowSurrogate(text.charCodeAt(end))) end -= 1;
      const over = utf8Length(text.slice(start, end)) - CHUNK_BYTES;
      if (over <= 0) break;
      end -= Math.ceil(over / 3);
    }
    parts.push(text.slice(start, end));
    start = end;
  }
  return parts;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
