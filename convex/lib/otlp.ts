/** OTLP in JSON as what `spans:save` takes. The twin of `otlp/mapping.py`, held by its cases. */

import type { Infer } from "convex/values";
import type { saved, spanFields } from "../validators.js";
import * as conventions from "./otlpConventions.js";
import { firstText, identityOf, spanType, tagsOf, typed } from "./otlpMeaning.js";
import { payloadsOf } from "./otlpTold.js";
import type { Attributes, Value } from "./otlpValues.js";
import {
  attributesOf,
  BadSpanError,
  count,
  id,
  list,
  MalformedError,
  member,
  object,
  objects,
  opened,
  Raw,
  text,
  time,
  toJson,
} from "./otlpValues.js";
import { elements, members } from "./payloads.js";

export type SavedSpan = Infer<ReturnType<typeof saved<typeof spanFields>>>;
type Json = Record<string, unknown>;

const MAX_ORIGIN = 65_536;
const KINDS = ["", "internal", "server", "client", "producer", "consumer"];
const STATUSES = ["unset", "ok", "error"];
const ERROR = 2;
const DROPPED = ["droppedAttributesCount", "droppedEventsCount", "droppedLinksCount"];

/** What the spans of one resource and scope share: fields of theirs, and members of `otel`. */
interface Origin {
  fields: Record<string, string>;
  otel: Attributes;
}

/** The spans of a request, and of those that cannot be stored why. Throws `MalformedError`. */
export function read(body: string): { spans: SavedSpan[]; rejected: string[] } {
  const spans: SavedSpan[] = [];
  const rejected: string[] = [];
  let number = 0;
  for (const resourceSpans of objects(parsed(body), "resourceSpans")) {
    for (const scopeSpans of objects(resourceSpans, "scopeSpans")) {
      const origin = orWhyNot(() => originOf(resourceSpans, scopeSpans));
      for (const given of list(scopeSpans, "spans")) {
        number += 1;
        const span = orWhyNot(() => {
          if (typeof origin === "string") {
            throw new BadSpanError(`its resource or scope is broken: ${origin}`);
          }
          return documentOf(object(given, "it"), origin);
        });
        if (typeof span === "string") rejected.push(`span ${number}: ${span}`);
        else spans.push(span);
      }
    }
  }
  return { spans, rejected };
}

function parsed(body: string): Json {
  try {
    return object(JSON.parse(body), "the body");
  } catch (error) {
    if (error instanceof MalformedError) throw error;
    throw new MalformedError(`the body is no JSON: ${(error as Error).message}`);
  }
}

/** What `make` makes; or, of what is broken, why. */
function orWhyNot<T extends object>(make: () => T): T | string {
  try {
    return make();
  } catch (error) {
    if (error instanceof BadSpanError || error instanceof MalformedError) return error.message;
    throw error;
  }
}

function originOf(resourceSpans: Json, scopeSpans: Json): Origin {
  const resource = member(resourceSpans, "resource");
  const scope = member(scopeSpans, "scope");
  const attributes = attributesOf(resource);
  const otel: Attributes = new Map([
    [
      "resource",
      new Map([
        ["attributes", attributes],
        ...filled([
          ["droppedAttributesCount", count(resource.droppedAttributesCount)],
          ["schemaUrl", text(resourceSpans.schemaUrl)],
        ]),
      ]),
    ],
    [
      "scope",
      filled([
        ["name", text(scope.name)],
        ["version", text(scope.version)],
        ["attributes", attributesOf(scope)],
        ["droppedAttributesCount", count(scope.droppedAttributesCount)],
        ["schemaUrl", text(scopeSpans.schemaUrl)],
      ]),
    ],
  ]);
  const { length } = toJson(otel);
  if (length > MAX_ORIGIN) {
    throw new BadSpanError(
      `its resource and scope have ${length} characters, and ${MAX_ORIGIN} is the most`,
    );
  }
  const fields: Record<string, string> = {};
  for (const [field, names] of Object.entries<readonly string[]>(conventions.RESOURCE_IDS)) {
    const told = firstText(attributes, names);
    if (told) fields[field] = told;
  }
  return { fields, otel };
}

/** The members that say something. */
function filled(given: [string, Value][]): Attributes {
  const empty = (value: Value) =>
    value instanceof Map ? value.size === 0 : Array.isArray(value) ? value.length === 0 : !value;
  return new Map(given.filter(([, value]) => !empty(value)));
}

function documentOf(given: Json, origin: Origin): SavedSpan {
  const warnings: string[] = [];
  const traceId = id(given, "traceId");
  const spanId = id(given, "spanId");
  const parentSpanId = id(given, "parentSpanId");
  if (traceId.length !== 32) {
    throw new BadSpanError(`its trace id has to have 16 bytes that are not all 0: '${traceId}'`);
  }
  if (spanId.length !== 16) {
    throw new BadSpanError(`its span id has to have 8 bytes that are not all 0: '${spanId}'`);
  }
  const start = time(given.startTimeUnixNano);
  const end = time(given.endTimeUnixNano);
  const attributes = attributesOf(given, warnings);
  const events = objects(given, "events").map((event) => ({
    name: text(event.name),
    attributes: attributesOf(event),
    time: `${time(event.timeUnixNano)}`,
    dropped: count(event.droppedAttributesCount),
  }));
  const status = member(given, "status");
  const code = count(status.code);
  const message = text(status.message);
  const kind = spanType(attributes, count(given.kind), !parentSpanId);
  if (!start) warnings.push("it has no start; what is shown is its end, or 1970");
  if (end && end < start) warnings.push("it ends before it starts");
  if (parentSpanId && parentSpanId.length !== 16) {
    warnings.push("its parent's id has not 8 bytes");
  }
  if (parentSpanId === spanId) warnings.push("it is its own parent");

  const otel = filled([
    ["kind", KINDS[count(given.kind)] ?? ""],
    [
      "status",
      code || message
        ? new Map<string, Value>([
            ["code", STATUSES[code] ?? "unset"],
            ...filled([["message", message]]),
          ])
        : "",
    ],
    ["startTimeUnixNano", `${start}`],
    ["endTimeUnixNano", `${end}`],
    ["traceState", text(given.traceState)],
    ["flags", count(given.flags)],
    ...DROPPED.map((name): [string, Value] => [name, count(given[name])]),
    [
      "events",
      events.map(
        (event): Attributes =>
          new Map<string, Value>([
            ["name", event.name],
            ["timeUnixNano", event.time],
            ["attributes", event.attributes],
            ...filled([["droppedAttributesCount", event.dropped]]),
          ]),
      ),
    ],
    ["warnings", warnings],
  ]);
  const links = objects(given, "links").map(linkOf);
  const tags = tagsOf(attributes);
  const metadata = metadataOf(attributes);
  const whole = new Map([...typed(attributes, kind), ...attributes]);
  const error = code === ERROR ? errorOf(message, attributes, events) : undefined;
  return {
    traceId,
    spanId,
    name: text(given.name),
    spanType: kind,
    isEvent: false,
    startedAt: milliseconds(start || end),
    ...(parentSpanId && { parentSpanId }),
    ...(end && { endedAt: milliseconds(end) }),
    ...origin.fields,
    ...identityOf(attributes, kind),
    ...(error && { error: toJson(error) }),
    ...(whole.size > 0 && { attributes: toJson(whole) }),
    ...(metadata.size > 0 && { metadata: toJson(metadata) }),
    ...(tags.length > 0 && { tags: toJson(tags) }),
    ...(links.length > 0 && { links: toJson(links) }),
    ...payloadsOf(
      attributes,
      events.map((event) => event.attributes),
      kind,
    ),
    extra: toJson(new Map([["otel", new Map([...otel, ...origin.otel])]])),
  };
}

/** Not by one division: a double holds nanoseconds since 1970 to some hundreds. */
function milliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds / 1_000_000n) + Number(nanoseconds % 1_000_000n) / 1e6;
}

function linkOf(given: Json): Attributes {
  return new Map<string, Value>([
    ["traceId", id(given, "traceId")],
    ["spanId", id(given, "spanId")],
    ...filled([
      ["attributes", attributesOf(given)],
      ["traceState", text(given.traceState)],
      ["flags", count(given.flags)],
      ["droppedAttributesCount", count(given.droppedAttributesCount)],
    ]),
  ]);
}

/** The metadata that attributes carry, member by member or as one object. */
function metadataOf(attributes: Attributes): Attributes {
  const found: Attributes = new Map();
  const given = opened(attributes.get(conventions.METADATA));
  if (given instanceof Map) for (const [name, value] of given) found.set(name, value);
  if (given instanceof Raw && elements(given.text) === null) {
    for (const [name, { value }] of members(given.text) ?? []) {
      found.set(name, new Raw(value, JSON.parse(value)));
    }
  }
  for (const [name, value] of attributes) {
    for (const prefix of [conventions.METADATA_PREFIX, conventions.PROPERTIES_PREFIX]) {
      if (name.startsWith(prefix)) found.set(name.slice(prefix.length), opened(value)!);
    }
  }
  return found;
}

/** Mastra's error of a span whose status says that it has failed. */
function errorOf(
  message: string,
  attributes: Attributes,
  events: { name: string; attributes: Attributes }[],
): Attributes {
  const none: Attributes = new Map();
  const raised = events.filter(({ name }) => name === "exception").at(-1)?.attributes ?? none;
  const type = firstText(attributes, ["error.type"]);
  return new Map<string, Value>([
    [
      "message",
      message ||
        firstText(raised, ["exception.message"]) ||
        firstText(attributes, ["error.message"]) ||
        type ||
        "error",
    ],
    ...filled([
      ["name", firstText(raised, ["exception.type"]) || type],
      ["stack", firstText(raised, ["exception.stacktrace"])],
      ["domain", firstText(attributes, ["error.domain"])],
      ["category", firstText(attributes, ["error.category"])],
    ]),
  ]);
}
