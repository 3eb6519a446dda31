/** What Convex takes as a document, a value or a path, and convex-test does not look at. */

import { getConvexSize, type Value } from "convex/values";
import type { Document } from "./harnessIntervals.test-util.js";

const MIB = 1024 * 1024;
const MAX_ARRAY = 8192;
const MAX_FIELDS = 1024;

/** Throw unless Convex stores such a document. */
export function checkDocument(table: string, document: Document): void {
  const what = `Document in ${table}`;
  checkSize(what, document, MIB);
  checkShape(what, document, 16);
  for (const name of Object.keys(document)) {
    if (name.startsWith("_") && name !== "_id" && name !== "_creationTime") {
      throw new Error(`${what}: Field '${name}' starts with an underscore`);
    }
  }
}

/** Throw unless Convex lets such arguments, or such a result, in or out. */
export function checkValue(what: string, value: Value | undefined): void {
  checkSize(what, value, 16 * MIB);
  checkShape(what, value, 64);
}

/** Throw if a value has more bytes than Convex allows there. */
export function checkSize(what: string, value: Value | undefined, limit: number): void {
  const size = getConvexSize(value);
  if (size > limit) throw new Error(`${what} is too large (actual: ${size}, limit: ${limit})`);
}

function checkShape(what: string, value: Value | undefined, depth: number): void {
  if (typeof value !== "object" || value === null || value instanceof ArrayBuffer) return;
  if (depth === 0) throw new Error(`${what} is too nested`);
  if (Array.isArray(value)) {
    if (value.length > MAX_ARRAY) {
      throw new Error(`${what}: Array length is too long (${value.length} > ${MAX_ARRAY})`);
    }
  } else {
    const names = Object.keys(value);
    if (names.length > MAX_FIELDS) {
      throw new Error(`${what}: Object has too many fields (${names.length} > ${MAX_FIELDS})`);
    }
  }
  for (const item of Object.values(value)) checkShape(what, item as Value, depth - 1);
}

/** Throw unless Convex deploys a module of this path, without its extension. */
export function checkModulePath(path: string): void {
  const valid = path.split("/").every((part) => /^(?=.*[A-Za-z0-9])[\w.]{1,64}$/.test(part));
  const reserved = /^(_system|_deps)\/|^(http|crons|auth\.config|convex\.config)$/.test(path);
  if (!valid || reserved) throw new Error(`'${path}' is not a valid path of a module`);
}

/** Throw unless a function may be exported under this name. */
export function checkExport(path: string, name: string): void {
  if (/^[A-Za-z_]\w{0,63}$/.test(name)) return;
  throw new Error(`'${path}:${name}' is not a valid path of a function`);
}
