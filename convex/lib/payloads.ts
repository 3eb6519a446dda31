/**
 * Merging payloads inside the transaction that needs it; elsewhere they stay closed text.
 *
 * Text is cut and joined, and no value is ever decoded: JavaScript would lose large integers, and
 * the difference of 1 and 1.0.
 */

import { invalidArgument } from "./errors.js";

// The members of an object by their decoded names: name and value as they stand in the text.
export type Members = Map<string, { name: string; value: string }>;

/** `update` laid over `before`, member by member; anything but two objects is replaced. */
export function merge(before: string | undefined, update: string): string {
  const old = members(before || "{}");
  const fresh = members(update);
  return old && fresh ? joined(laidOver(old, fresh)) : update;
}

/** As `merge`, and so on in objects that both have under the same key. */
export function mergeDeep(before: string, update: string): string {
  const old = members(before);
  const fresh = members(update);
  if (!old || !fresh) return update;
  const merged = laidOver(old, fresh);
  for (const [key, { value }] of fresh) {
    const was = old.get(key);
    if (was) merged.get(key)!.value = mergeDeep(was.value, value);
  }
  return joined(merged);
}

/** As `merge`, for a message's content: its `metadata`, if both have one, is merged too. */
export function mergeContent(before: string, update: string): string {
  const old = members(before);
  const fresh = members(update);
  if (!old || !fresh) return update;
  const merged = laidOver(old, fresh);
  const oldMetadata = members(old.get("metadata")?.value ?? "");
  const freshMetadata = members(fresh.get("metadata")?.value ?? "");
  if (oldMetadata && freshMetadata) {
    merged.get("metadata")!.value = joined(laidOver(oldMetadata, freshMetadata));
  }
  return joined(merged);
}

/** The members of both, each with its newer value. */
export function laidOver(old: Members, fresh: Members): Members {
  const merged: Members = new Map();
  for (const [key, member] of [...old, ...fresh]) {
    // The first name stays: a key keeps its place, and so its spelling.
    merged.set(key, { name: merged.get(key)?.name ?? member.name, value: member.value });
  }
  return merged;
}

/** The text of an object with these members. */
export function joined(all: Members): string {
  return `{${[...all.values()].map(({ name, value }) => `${name}:${value}`).join(",")}}`;
}

/** The members of the object that a JSON text is; null if it is something else. */
export function members(text: string): Members | null {
  let at = skipSpace(text, 0);
  if (text[at] !== "{") return null;
  const found: Members = new Map();
  at = skipSpace(text, at + 1);
  if (text[at] === "}") return found;
  for (;;) {
    if (text[at] !== '"') throw damaged(at);
    const nameEnd = endOfString(text, at);
    const name = text.slice(at, nameEnd);
    at = skipSpace(text, nameEnd);
    if (text[at] !== ":") throw damaged(at);
    at = skipSpace(text, at + 1);
    const valueEnd = endOfValue(text, at);
    const key = JSON.parse(name) as string;
    const value = text.slice(at, valueEnd).trimEnd();
    found.set(key, { name: found.get(key)?.name ?? name, value });
    at = valueEnd;
    if (text[at] === "}") return found;
    at = skipSpace(text, at + 1);
  }
}

/** The elements of the array that a JSON text is, each as it stands there; null if it is none. */
export function elements(text: string): string[] | null {
  let at = skipSpace(text, 0);
  if (text[at] !== "[") return null;
  const found: string[] = [];
  at = skipSpace(text, at + 1);
  if (text[at] === "]") return found;
  for (;;) {
    const end = endOfValue(text, at);
    found.push(text.slice(at, end).trimEnd());
    if (text[end] === "]") return found;
    at = skipSpace(text, end + 1);
  }
}

/** The text that a JSON text is; null if it is something else. */
export function textOf(value: string | undefined): string | null {
  return value?.startsWith('"') ? (JSON.parse(value) as string) : null;
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (text[at] === " " || text[at] === "\n" || text[at] === "\r" || text[at] === "\t") at += 1;
  return at;
}

/** The place after the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start;
  for (;;) {
    at = text.indexOf('"', at + 1);
    if (at < 0) throw damaged(start);
    let backslashes = 0;
    while (text[at - 1 - backslashes] === "\\") backslashes += 1;
    if (backslashes % 2 === 0) return at + 1;
  }
}

/** The place of the comma or brace after the value that begins at `start`. */
function endOfValue(text: string, start: number): number {
  const structure = /["{}[\],]/g;
  structure.lastIndex = start;
  let depth = 0;
  for (let found = structure.exec(text); found; found = structure.exec(text)) {
    const [sign] = found;
    if (sign === '"') structure.lastIndex = endOfString(text, found.index);
    else if (sign === "{" || sign === "[") depth += 1;
    else if (depth === 0) return found.index;
    else if (sign !== ",") depth -= 1;
  }
  throw damaged(start);
}

function damaged(at: number) {
  return invalidArgument(`a payload is no JSON text: it breaks off or goes wrong at ${at}`);
}
