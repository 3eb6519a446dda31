// @vitest-environment node
/** The rules of eslint.config.mjs fire. */

import { ESLint } from "eslint";
import { expect, test } from "vitest";

const eslint = new ESLint();

async function rulesBroken(file: string, line: string) {
  const [result] = await eslint.lintText(`${line}\n`, { filePath: file });
  return result!.messages.map((message) => message.ruleId);
}

test.each([
  ["convex/evals.ts", 'import { get } from "./threads.js";'],
  ["convex/lib/paging.ts", 'import { get } from "../messages";'],
  ["convex/evals.ts", 'import { readFile } from "node:fs/promises";'],
  ["convex/lib/paging.ts", 'import { createHash } from "crypto";'],
  ["convex/mastra/tables.ts", 'import { readFile } from "node:fs/promises";'],
  ["convex/lib/paging.ts", 'import { deploy } from "./harness.test-util.js";'],
])("%s must not say %s", async (file, line) => {
  expect(await rulesBroken(file, line)).toEqual(["no-restricted-imports"]);
});

test.each([
  ["convex/evals.ts", 'import { page } from "./validators.js";'],
  ["convex/evals.ts", 'import { Threads } from "./lib/touched.js";'],
  ["convex/lib/tables.ts", 'import schema from "../schema.js";'],
  ["convex/mastra/tables.ts", 'import { get } from "../threads.js";'],
  ["convex/evals.test.ts", 'import { get } from "./threads.js";'],
])("%s may say %s", async (file, line) => {
  expect(await rulesBroken(file, line)).toEqual([]);
});
