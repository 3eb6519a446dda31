/**
 * Page cursors: where a page ended, bound to the query that made it.
 *
 * A cursor is the index key of the last document of the page, as JSON text, after a fingerprint of
 * table, index, range and order. Used with another query it is refused, as Convex refuses its own.
 */

import { invalidArgument } from "./errors.js";
import { hash } from "./text.js";
import type { Key } from "./ranges.js";

// A time may be without end, for which JSON has no number.
const UNSAID: ReadonlySet<unknown> = new Set(["Infinity", "-Infinity"]);
const sayable = (part: Key[number]) => (UNSAID.has(`${part}`) ? `${part}` : part);

/** The cursor after `key`; `query` is anything that tells the query from others. */
export function encodeCursor(query: unknown[], key: Key): string {
  return JSON.stringify([fingerprint(query), ...key.map(sayable)]);
}

/** The key inside `cursor`, of `length` parts. Throws INVALID_ARGUMENT if another query made it. */
export function decodeCursor(query: unknown[], cursor: string, length: number): Key {
  let found: unknown;
  try {
    found = JSON.parse(cursor, (_, part) => (UNSAID.has(part) ? Number(part) : part));
  } catch {
    found = null;
  }
  // The last part is an `_id`, those before it are numbers: times, and `seq`.
  const isKey = (part: unknown, at: number) => typeof part === (at < length ? "number" : "string");
  if (!Array.isArray(found) || found.length !== length + 1 || !found.every(isKey)) {
    throw invalidArgument("the cursor is damaged; start from the first page");
  }
  if (found[0] !== fingerprint(query)) {
    throw invalidArgument(
      "the cursor belongs to another query; use it with the arguments that made it",
    );
  }
  return found.slice(1) as Key;
}

// Guards against mistakes, not against forgery: a reader can only ever reach its own range, because
// the range of the query is applied as well as the cursor.
function fingerprint(query: unknown[]): number {
  return hash(JSON.stringify(query));
}
