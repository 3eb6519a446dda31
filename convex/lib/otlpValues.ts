/**
 * Attributes of OTLP in JSON, so that they can be written as JSON again without a loss.
 *
 * An integer has 64 bits and is a bigint; a double is a number. JSON inside a text is kept as it
 * stands there.
 */

/** JSON text that goes into other JSON as it is. */
export class Raw {
  constructor(
    readonly text: string,
    readonly parsed: unknown,
  ) {}
}

export type Value = string | number | bigint | boolean | null | Raw | Value[] | Attributes;
export type Attributes = Map<string, Value>;

/** A span that cannot be stored; the text says why. */
export class BadSpanError extends Error {}

/** A body that is no request of OTLP. */
export class MalformedError extends Error {}

// As deep as protobuf nests.
const MAX_DEPTH = 50;
// As many warnings as one wants to read.
const MAX_WARNINGS = 8;
const SURROGATES = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** The JSON text of a value. */
export function toJson(value: Value): string {
  if (value instanceof Raw) return value.text;
  if (value instanceof Map) {
    const members = [...value].map(([name, inner]) => `${JSON.stringify(name)}:${toJson(inner)}`);
    return `{${members.join(",")}}`;
  }
  if (Array.isArray(value)) return `[${value.map(toJson).join(",")}]`;
  return typeof value === "bigint" ? `${value}` : JSON.stringify(value);
}

/** What a text says that is JSON of a list or an object; anything else as it is. */
export function opened(value: Value | undefined): Value | undefined {
  if (typeof value !== "string" || !/^[ \t\r\n]*[{[]/.test(value)) return value;
  try {
    return new Raw(value, JSON.parse(value));
  } catch {
    return value;
  }
}

type Json = Record<string, unknown>;

/** The attributes of something, of which the last of a name counts. */
export function attributesOf(owner: Json, warnings?: string[], depth = 0): Attributes {
  const found: Attributes = new Map();
  for (const each of objects(owner, "attributes")) {
    const key = text(each.key);
    const twice = `the attribute '${key.slice(0, 78)}' is given twice; the last one counts`;
    if (found.has(key) && warnings && warnings.length < MAX_WARNINGS && !warnings.includes(twice)) {
      warnings.push(twice);
    }
    found.set(key, valueOf(each.value, depth));
  }
  return found;
}

function valueOf(given: unknown, depth: number): Value {
  if (depth > MAX_DEPTH) throw new BadSpanError("an attribute's value is nested too deeply");
  if (given === null || given === undefined) return null;
  if (!isObject(given)) {
    throw new BadSpanError('an attribute\'s value is no object, such as {"stringValue": ...}');
  }
  if ("stringValue" in given) return text(given.stringValue);
  if ("intValue" in given) return integer(given.intValue);
  if ("boolValue" in given) return given.boolValue === true;
  if ("doubleValue" in given) return double(given.doubleValue);
  if ("arrayValue" in given) {
    return list(member(given, "arrayValue"), "values").map((each) => valueOf(each, depth + 1));
  }
  if ("kvlistValue" in given) {
    const { values } = member(given, "kvlistValue");
    return attributesOf({ attributes: values }, undefined, depth + 1);
  }
  return "bytesValue" in given ? text(given.bytesValue) : null;
}

/** A text; what no character stands for becomes what stands for that. */
export function text(given: unknown): string {
  if (given === null || given === undefined) return "";
  if (typeof given !== "string")
    throw new BadSpanError(`there is ${shown(given)} where a text belongs`);
  return given.replace(SURROGATES, "\ufffd");
}

/** A whole number of 64 bits. */
export function integer(given: unknown): bigint {
  const told = typeof given === "number" ? `${given}` : given;
  if (typeof told === "string" && /^-?[0-9]{1,20}$/.test(told)) {
    const found = BigInt(told);
    if (found >= -(2n ** 63n) && found < 2n ** 64n) return found;
  }
  throw new BadSpanError(`there is ${shown(given)} where a whole number belongs`);
}

/** A whole number that is small, and 0 where there is none. */
export function count(given: unknown): number {
  return given === null || given === undefined ? 0 : Number(integer(given));
}

/** Nanoseconds since the epoch; 0 for none. */
export function time(given: unknown): bigint {
  const found = given === null || given === undefined ? 0n : integer(given);
  if (found < 0n) {
    throw new BadSpanError(`the time ${found} is no number of nanoseconds since 1970`);
  }
  return found;
}

function double(given: unknown): Value {
  if (given === "NaN" || given === "Infinity" || given === "-Infinity") return given;
  if (typeof given !== "number") {
    throw new BadSpanError(`there is ${shown(given)} where a number belongs`);
  }
  return Number.isFinite(given) ? given : `${given}`;
}

/** An id in lower-case hex; one of zeros is none. */
export function id(owner: Json, name: string): string {
  const given = owner[name];
  if (given === null || given === undefined) return "";
  if (typeof given !== "string" || !/^[0-9a-fA-F]*$/.test(given)) {
    throw new BadSpanError(`its ${name} is no text in hex: ${shown(given)}`);
  }
  return /[^0]/.test(given) ? given.toLowerCase() : "";
}

function shown(given: unknown): string {
  return (JSON.stringify(given) ?? "nothing").slice(0, 60);
}

function isObject(given: unknown): given is Json {
  return typeof given === "object" && given !== null && !Array.isArray(given);
}

/** The object that something is. */
export function object(given: unknown, what: string): Json {
  if (!isObject(given)) throw new MalformedError(`${what} is no JSON object`);
  return given;
}

/** A member that is an object, or is not there. */
export function member(owner: Json, name: string): Json {
  const found = owner[name];
  return found === null || found === undefined ? {} : object(found, name);
}

/** A member that is a list, or is not there. */
export function list(owner: Json, name: string): unknown[] {
  const found = owner[name];
  if (found === null || found === undefined) return [];
  if (!Array.isArray(found)) throw new MalformedError(`${name} is no list`);
  return found;
}

/** A member that is a list of objects, or is not there. */
export function objects(owner: Json, name: string): Json[] {
  return list(owner, name).map((each) => object(each, `an element of ${name}`));
}
