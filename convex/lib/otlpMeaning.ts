/** What the attributes of a span mean to Mastra: its type, who did the work, for whom, with what. */

import * as conventions from "./otlpConventions.js";
import type { Attributes, Value } from "./otlpValues.js";
import { opened, Raw } from "./otlpValues.js";

type Names = readonly string[];
type Table = Readonly<Record<string, string>>;
interface Row {
  path: string;
  kind: string;
  names: Names;
}
interface Entity {
  type: string;
  ids: Names;
  names: Names;
  versions: Names;
}

export const MODEL_TYPES: ReadonlySet<string> = new Set(conventions.MODEL_TYPES);
const MASTRA_TYPES: ReadonlySet<string> = new Set(conventions.MASTRA_TYPES);
const VECTOR_DATABASES: ReadonlySet<string> = new Set(conventions.VECTOR_DATABASES);
const TOLD_OTHERWISE: ReadonlySet<string> = new Set(conventions.TOLD_OTHERWISE);
const ROWS: Readonly<Record<string, readonly Row[]>> = conventions.ROWS;
const ENTITIES: Readonly<Record<string, Entity>> = conventions.ENTITIES;
const KINDS: readonly (readonly [string, Table])[] = [
  [conventions.OPERATION, conventions.OPERATIONS],
  [conventions.OPENINFERENCE_KIND, conventions.OPENINFERENCE_KINDS],
  [conventions.TRACELOOP_KIND, conventions.TRACELOOP_KINDS],
  [conventions.REQUEST_TYPE, conventions.REQUEST_TYPES],
];
const SERVER = 2;

/** Mastra's type of a span. */
export function spanType(attributes: Attributes, kind: number, isRoot: boolean): string {
  const own = attributes.get(conventions.MASTRA_TYPE);
  if (typeof own === "string" && MASTRA_TYPES.has(own)) return own;
  if (attributes.has(conventions.MCP_METHOD)) {
    if (kind === SERVER) return "mcp_server_request";
    if (attributes.get(conventions.MCP_METHOD) === "tools/call") return "mcp_tool_call";
  }
  for (const [name, kinds] of KINDS) {
    const given = attributes.get(name);
    if (typeof given === "string" && Object.hasOwn(kinds, given)) {
      return given === "CHAIN" && isRoot ? "workflow_run" : kinds[given]!;
    }
  }
  if (firstText(attributes, conventions.MODEL_NAMES)) return "model_generation";
  const database = firstText(attributes, conventions.DATABASE_NAMES).toLowerCase();
  return VECTOR_DATABASES.has(database) ? "rag_vector_operation" : "generic";
}

/** The first of some attributes that is a text or a whole number, as text; "" for none. */
export function firstText(attributes: Attributes, names: Names): string {
  for (const name of names) {
    const value = attributes.get(name);
    if (typeof value === "bigint") return `${value}`;
    if (typeof value === "string" && value) return value;
  }
  return "";
}

/** The fields of a span of a type that say what did the work, and what it was done for. */
export function identityOf(attributes: Attributes, kind: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [field, names] of Object.entries<Names>(conventions.IDS)) {
    const told = firstText(attributes, names);
    if (told) found[field] = told;
  }
  const entity = ENTITIES[kind];
  if (!entity) return found;
  const id = firstText(attributes, entity.ids);
  const name = firstText(attributes, entity.names);
  if (!id && !name) return found;
  found.entityType = entity.type;
  found.entityId = id || name;
  found.entityName = name || id;
  const version = firstText(attributes, entity.versions);
  if (version) found.entityVersionId = version;
  return found;
}

/** What Mastra's spans of a type have in their attributes, as far as it is told. */
export function typed(attributes: Attributes, kind: string): Attributes {
  const found: Attributes = new Map();
  for (const { path, kind: wanted, names } of ROWS[kind] ?? []) {
    for (const name of names) {
      const value = as(wanted, attributes.get(name));
      if (value !== undefined) {
        put(found, path.split("."), value);
        break;
      }
    }
  }
  const parameters = opened(attributes.get(conventions.INVOCATION));
  if (MODEL_TYPES.has(kind) && parameters instanceof Raw && !Array.isArray(parameters.parsed)) {
    for (const [name, value] of Object.entries(parameters.parsed as object)) {
      const ours = (conventions.INVOCATION_PARAMETERS as Table)[name];
      const known = found.get("parameters") as Attributes | undefined;
      if (ours && value !== null && !known?.has(ours)) {
        put(found, ["parameters", ours], new Raw(JSON.stringify(value), value));
      }
    }
  }
  const cost = found.get("costContext");
  if (cost instanceof Map) {
    cost.set("costUnit", conventions.COST_UNIT);
    for (const name of ["provider", "model"]) {
      const told = found.get(name);
      if (told !== undefined) cost.set(name, told);
    }
  }
  if (attributes.has(conventions.MASTRA_TYPE)) {
    const prefix = `mastra.${kind}.`;
    for (const [name, value] of attributes) {
      const rest = name.startsWith(prefix) ? name.slice(prefix.length) : "";
      if (rest && !TOLD_OTHERWISE.has(rest) && !found.has(camelCase(rest))) {
        found.set(camelCase(rest), opened(value)!);
      }
    }
  }
  return found;
}

function camelCase(name: string): string {
  return name.replace(/_+$/, "").replace(/_+(.?)/g, (_, letter: string) => letter.toUpperCase());
}

/** The value if it is what is wanted, or says it. */
function as(wanted: string, value: Value | undefined): Value | undefined {
  if (value === undefined || value === null) return undefined;
  if (wanted === "text") return typeof value === "string" && value ? value : undefined;
  if (wanted === "number") {
    return typeof value === "number" || typeof value === "bigint" ? value : undefined;
  }
  if (wanted === "flag") return typeof value === "boolean" ? value : undefined;
  const told = opened(value);
  const elements: unknown = told instanceof Raw ? told.parsed : told;
  if (wanted === "list") return Array.isArray(elements) ? told : undefined;
  const first: unknown = Array.isArray(elements) && elements.length ? elements[0] : elements;
  return typeof first === "string" && first ? first : undefined;
}

function put(found: Attributes, [step, ...rest]: string[], value: Value): void {
  if (rest.length === 0) found.set(step!, value);
  else {
    const inner = (found.get(step!) as Attributes | undefined) ?? new Map<string, Value>();
    found.set(step!, inner);
    put(inner, rest, value);
  }
}

/** The tags that attributes carry. */
export function tagsOf(attributes: Attributes): string[] {
  for (const name of conventions.TAGS) {
    const given = opened(attributes.get(name));
    const elements: unknown = given instanceof Raw ? given.parsed : given;
    if (Array.isArray(elements)) {
      return elements.filter((each): each is string => typeof each === "string");
    }
  }
  return [];
}
