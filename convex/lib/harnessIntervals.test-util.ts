/** What a transaction reads, as Convex sees it: intervals between the keys of an index. */

import { compareValues, jsonToConvex, type Value } from "convex/values";

export type Document = Record<string, Value>;
/** Values of an index's fields; of all of them for a document's key, else of the first. */
export type Key = (Value | undefined)[];

/** A place between keys: before or after all keys that begin with these values. */
export interface Bound {
  values: Key;
  after: boolean;
}
export interface Interval {
  low: Bound;
  high: Bound;
}

function compare(one: Bound, other: Bound): number {
  const lengths = one.values.length - other.values.length;
  const shared = lengths < 0 ? one.values : other.values;
  for (const i of shared.keys()) {
    const order = compareValues(one.values[i], other.values[i]);
    if (order !== 0) return order;
  }
  if (lengths === 0) return Number(one.after) - Number(other.after);
  if (lengths < 0) return one.after ? 1 : -1;
  return other.after ? -1 : 1;
}

/** All keys that begin with these values. */
export function beginningWith(values: Key): Interval {
  return { low: { values, after: false }, high: { values, after: true } };
}

/** A step of a query's range, as `withIndex` hands it on. */
export interface RangeExpression {
  type: "Eq" | "Gt" | "Gte" | "Lt" | "Lte";
  fieldPath: string;
  value: any;
}

/** The interval that a query's range stands for. */
export function intervalOf(range: RangeExpression[]): Interval {
  const valueOf = ({ value }: RangeExpression) =>
    value?.$undefined === null ? undefined : jsonToConvex(value);
  const equal = range.filter(({ type }) => type === "Eq").map(valueOf);
  const { low, high } = beginningWith(equal);
  const found = { low, high };
  for (const each of range) {
    const values = [...equal, valueOf(each)];
    if (each.type.startsWith("G")) found.low = { values, after: each.type === "Gt" };
    if (each.type.startsWith("L")) found.high = { values, after: each.type === "Lte" };
  }
  return found;
}

/** The key of a document in an index with these fields. */
export function keyOf(document: Document, fields: string[]): Key {
  return fields.map((path) =>
    path.split(".").reduce((value: any, name) => value?.[name], document),
  );
}

/** Intervals; those that touch are one. */
export class IntervalSet {
  private readonly sorted: Interval[] = [];

  get size(): number {
    return this.sorted.length;
  }

  add({ low, high }: Interval): void {
    if (compare(low, high) >= 0) return;
    const first = this.firstWhere((each) => compare(each.high, low) >= 0);
    const end = this.firstWhere((each) => compare(each.low, high) > 0);
    const merged = { low, high };
    if (first < end) {
      const [start, stop] = [this.sorted[first]!.low, this.sorted[end - 1]!.high];
      if (compare(start, low) < 0) merged.low = start;
      if (compare(stop, high) > 0) merged.high = stop;
    }
    this.sorted.splice(first, end - first, merged);
  }

  has(key: Key): boolean {
    const place = { values: key, after: false };
    const found = this.sorted[this.firstWhere((each) => compare(each.high, place) > 0)];
    return found !== undefined && compare(found.low, place) <= 0;
  }

  private firstWhere(holds: (interval: Interval) => boolean): number {
    let [low, high] = [0, this.sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (holds(this.sorted[middle]!)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
