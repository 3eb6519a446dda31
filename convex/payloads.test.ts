/** Merging text: the same as merging values, but exact. */

import { expect, test } from "vitest";
import { split } from "./lib/chunks.js";
import { merge, mergeContent } from "./lib/payloads.js";
import { utf8Length } from "./lib/text.js";

/** A generator of numbers from 0 to 1 that gives the same ones each time. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const KEYS = ["a", "b", "metadata", "$ref", "ä", "", '"', "\\", "a,b", "{", "}", "😀", "\n"];
const LEAVES = [1, -2.5, true, null, "", "x", 'quote"', "back\\", "{}", "[1,2]", "😀", "\u2028"];

function anything(random: () => number, depth: number): unknown {
  const pick = <T>(from: T[]) => from[Math.floor(random() * from.length)]!;
  if (depth === 0 || random() < 0.4) return pick(LEAVES);
  const count = Math.floor(random() * 4);
  if (random() < 0.3) return Array.from({ length: count }, () => anything(random, depth - 1));
  const members = Array.from({ length: count }, () => [pick(KEYS), anything(random, depth - 1)]);
  return Object.fromEntries(members);
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

test("merging text equals merging values", () => {
  const random = seeded(7);
  for (let i = 0; i < 3000; i += 1) {
    const [old, update] = [anything(random, 3), anything(random, 3)];
    const texts = [JSON.stringify(old), JSON.stringify(update)] as const;
    const both = isMap(old) && isMap(update);
    const merged: unknown = both ? { ...old, ...update } : update;
    expect(merge(...texts)).toBe(JSON.stringify(merged));
    if (both && isMap(old.metadata) && isMap(update.metadata)) {
      (merged as any).metadata = { ...old.metadata, ...update.metadata };
    }
    expect(mergeContent(...texts)).toBe(JSON.stringify(merged));
  }
});

test.each([
  ['{"a":1}', '{"a":1.0}', '{"a":1.0}'],
  ['{"n":12345678901234567890}', '{"b":1e400}', '{"n":12345678901234567890,"b":1e400}'],
  ['{"a":1}', '{"__proto__":{"x":1}}', '{"a":1,"__proto__":{"x":1}}'],
  ['{"b":1,"10":2}', '{"9":3,"b":4}', '{"b":4,"10":2,"9":3}'],
  ['{"a":1,"a":2}', "{}", '{"a":2}'],
  ['{"\\u0061":1}', '{"a":2}', '{"\\u0061":2}'],
  [' { "a" : [ 1 , 2 ] } ', '{ "b" : { } }', '{"a":[ 1 , 2 ],"b":{ }}'],
  ['{"a":"\\\\"}', '{"b":"\\""}', '{"a":"\\\\","b":"\\""}'],
  ["", '{"a":1}', '{"a":1}'],
  ['{"a":1}', "[]", "[]"],
  ["[]", '{"a":1}', '{"a":1}'],
])("%s and %s give %s", (before, update, merged) => {
  expect(merge(before, update)).toBe(merged);
});

test.each(['{"a"', '{"a":', '{"a":[1}', "{a:1}", '{"a":"x}', '{"a" 1}'])(
  "%s is refused",
  (damaged) => {
    expect(() => merge("{}", damaged)).toThrow(/no JSON text/);
  },
);

test("text is split into chunks that fit, never inside a character", () => {
  const MOST = 943_718;
  for (const unit of ["x", "é", "漢", "😀", "a😀", "漢é"]) {
    const text = unit.repeat(Math.ceil(2_500_000 / utf8Length(unit)));
    const parts = split(text);
    expect(parts.join("") === text).toBe(true);
    for (const part of parts) {
      expect(utf8Length(part)).toBeLessThanOrEqual(MOST);
      expect(part.isWellFormed()).toBe(true);
    }
    expect(parts.length).toBe(3);
  }
  expect(split("")).toEqual([]);
});
