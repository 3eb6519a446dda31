// What the files of convex/ may import: shared code lives in lib/ as plain functions.
import parser from "@typescript-eslint/parser";
import { builtinModules } from "node:module";

const entities =
  "threads|messages|resources|traces|evals|workflowRuns|observationalMemory|scores|" +
  "schedules|backgroundTasks|channels|system";

const node = {
  regex: `^(node:|(${builtinModules.join("|")})(/|$))`,
  message: "Functions run inside Convex, which is not Node.js.",
};
const registered = {
  regex: `^\\.{1,2}/(${entities})(\\.js)?$`,
  message:
    "Registered functions are called by clients, and by mastra/; what is shared lives in lib/.",
};
const tests = {
  regex: "\\.test(-util)?(\\.js)?$",
  message: "Tests are not deployed.",
};

export default [
  { ignores: ["convex/_generated/"] },
  {
    files: ["convex/**/*.ts"],
    languageOptions: { parser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: { "no-unreachable": "error", "prefer-const": "error", eqeqeq: "error" },
  },
  {
    files: ["convex/**/*.ts"],
    ignores: ["**/*.test.ts", "**/*.test-util.ts"],
    rules: {
      "no-restricted-imports": ["error", { patterns: [node, registered, tests] }],
      "no-console": "error",
    },
  },
  {
    // Mastra's requests are made of what our own functions do.
    files: ["convex/mastra/*.ts"],
    rules: { "no-restricted-imports": ["error", { patterns: [node, tests] }] },
  },
];
