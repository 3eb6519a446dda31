/** What went into a span and came out of it, which its attributes tell in many ways. */

import * as conventions from "./otlpConventions.js";
import { MODEL_TYPES } from "./otlpMeaning.js";
import type { Attributes, Value } from "./otlpValues.js";
import { opened, toJson } from "./otlpValues.js";

// Steps in a name of a message's attribute: no convention has as many.
const MAX_STEPS = 16;
const MEMBERS = ["role", "content", "contents.0.message_content.type"];

interface Side {
  name: "input" | "output";
  first: readonly string[];
  families: readonly (readonly [string, string])[];
  then: readonly string[];
}

const INPUT: Side = {
  name: "input",
  first: conventions.INPUT_FIRST,
  families: conventions.INPUT_FAMILIES,
  then: conventions.INPUT_THEN,
};
const OUTPUT: Side = {
  name: "output",
  first: conventions.OUTPUT_FIRST,
  families: conventions.OUTPUT_FAMILIES,
  then: conventions.OUTPUT_THEN,
};

/** The payloads `input` and `output` of a span of a type: those that are told. */
export function payloadsOf(attributes: Attributes, events: Attributes[], kind: string) {
  const found: { input?: string; output?: string } = {};
  for (const side of [INPUT, OUTPUT]) {
    const told =
      inAttributes(attributes, kind, side) ??
      (MODEL_TYPES.has(kind) ? inEvents(events, side) : undefined);
    if (told !== undefined) found[side.name] = toJson(opened(told)!);
  }
  return found;
}

function inAttributes(attributes: Attributes, kind: string, side: Side): Value | undefined {
  for (const name of [...side.first, `mastra.${kind}.${side.name}`]) {
    if (attributes.has(name)) return attributes.get(name);
  }
  for (const [family, around] of side.families) {
    const start = around ? `${family}.0.${around}` : `${family}.0`;
    if (MEMBERS.some((member) => attributes.has(`${start}.${member}`))) {
      return gathered(attributes, family, around);
    }
  }
  const name = side.then.find((each) => attributes.has(each));
  return name === undefined ? undefined : attributes.get(name);
}

function inEvents(events: Attributes[], side: Side): Value | undefined {
  for (const event of events) {
    const name = [...side.first, ...side.then].find((each) => event.has(each));
    if (name !== undefined) return event.get(name);
  }
  return undefined;
}

/** The list that attributes named `family.0.a.1.b` describe; `around` stands around each. */
function gathered(attributes: Attributes, family: string, around: string): Value {
  const root: Attributes = new Map();
  for (const [name, value] of attributes) {
    if (!name.startsWith(`${family}.`)) continue;
    const way = name.slice(family.length + 1).split(".");
    const last = way.pop()!;
    if (way.length >= MAX_STEPS) continue;
    let inner: Value = root;
    for (const step of way) {
      if (!(inner instanceof Map)) break;
      if (!inner.has(step)) inner.set(step, new Map());
      inner = inner.get(step)!;
    }
    if (inner instanceof Map && !inner.has(last)) inner.set(last, value);
  }
  const messages = listed(root);
  if (!around || !Array.isArray(messages)) return messages;
  return messages.map((each) => (each instanceof Map ? (each.get(around) ?? each) : each));
}

/** The same with a list for each object whose names are all numbers. */
function listed(node: Value): Value {
  if (!(node instanceof Map)) return node;
  const names = [...node.keys()];
  if (names.length && names.every((name) => /^[0-9]{1,6}$/.test(name))) {
    return names.sort((a, b) => Number(a) - Number(b)).map((name) => listed(node.get(name)!));
  }
  return new Map([...node].map(([name, inner]) => [name, listed(inner)]));
}
