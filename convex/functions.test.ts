/**
 * `functions.json` says what functions and tables there are; the Python tests compare it with their
 * own. Here it is checked, or with UPDATE=1 written.
 */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import schema from "./schema.js";

const FILE = join(import.meta.dirname, "functions.json");
const modules = import.meta.glob<Record<string, unknown>>(
  ["./*.ts", "./mastra/*.ts", "!./**/*.*.ts"],
  { eager: true },
);

interface Registered {
  isQuery?: true;
  isMutation?: true;
  isPublic?: true;
  exportArgs(): string;
  exportReturns(): string;
}

function isRegistered(value: unknown): value is Registered {
  return typeof value === "function" && "exportArgs" in value;
}

function functions() {
  const found: Record<string, unknown> = {};
  for (const [path, module] of Object.entries(modules)) {
    for (const [name, value] of Object.entries(module)) {
      if (!isRegistered(value)) continue;
      found[`${path.slice(2, -3)}:${name}`] = {
        kind: value.isQuery ? "query" : value.isMutation ? "mutation" : "action",
        visibility: value.isPublic ? "public" : "internal",
        args: JSON.parse(value.exportArgs()),
        returns: JSON.parse(value.exportReturns()),
      };
    }
  }
  return found;
}

function tables() {
  const exported = JSON.parse((schema as unknown as { export(): string }).export());
  return Object.fromEntries(
    exported.tables.map((table: any) => [
      table.tableName,
      {
        fields: Object.fromEntries(
          Object.entries<any>(table.documentType.value).map(([name, { fieldType, optional }]) => [
            name,
            { type: fieldType, optional },
          ]),
        ),
        indexes: Object.fromEntries(
          table.indexes.map((index: any) => [index.indexDescriptor, index.fields]),
        ),
      },
    ]),
  );
}

/** JSON with the members of every object in the order of their names. */
function sorted(value: unknown): string {
  const inOrder = (_: string, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item;
  return `${JSON.stringify(value, inOrder, 2)}\n`;
}

test("functions.json is what the functions and the schema say; UPDATE=1 writes it", async () => {
  const text = sorted({ functions: functions(), tables: tables() });
  if (process.env.UPDATE) await writeFile(FILE, text);
  expect(await readFile(FILE, "utf8")).toBe(text);
});

test("every function is public, a step of one that is, or the operator's", () => {
  const all = Object.entries(functions() as Record<string, { visibility: string }>);
  const internal = all.filter(([, { visibility }]) => visibility === "internal");
  expect(internal.map(([path]) => path).sort()).toEqual([
    "mastra/cache:handle",
    "mastra/storage:deleteMore",
    "mastra/storage:handle",
    "schedules:removeMore",
    "spans:work",
    "system:clearMore",
    "threads:work",
  ]);
});
