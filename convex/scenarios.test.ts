/** The scenarios, run on the functions; scenarios/README.md has the format. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  call,
  type Caller,
  deploy,
  type Deployment,
  dump,
  refusal,
} from "./lib/harness.test-util.js";

interface Step {
  call: string;
  kind: "query" | "mutation";
  args?: unknown;
  principal?: Caller;
  now?: number;
  returns?: unknown;
  matches?: unknown;
  error?: string;
  save?: Record<string, (string | number)[]>;
}

interface File {
  given: Record<string, Step[]>;
  scenarios: { name: string; given?: string; steps: Step[] }[];
}

type Saved = Map<string, unknown>;

const START = 1_000_000;
const files = import.meta.glob<File>("../scenarios/*.json", { eager: true, import: "default" });

beforeEach(() => {
  vi.useFakeTimers({ now: START });
});
afterEach(() => {
  vi.useRealTimers();
});

for (const [path, file] of Object.entries(files)) {
  describe(path.replace(/.*\/|\.json$/g, ""), () => {
    test.each(file.scenarios)("$name", async ({ given, steps }) => {
      const deployment = deploy();
      const saved: Saved = new Map();
      const all = [...(given ? file.given[given]! : []), ...steps];
      for (const [number, step] of all.entries()) {
        await run(deployment, step, saved, `step ${number + 1}, ${step.call}`);
      }
    });
  });
}

async function run(deployment: Deployment, step: Step, saved: Saved, where: string) {
  if (step.now !== undefined) vi.setSystemTime(step.now);
  const args = filled(step.args ?? {}, saved) as Record<string, unknown>;
  const caller = step.principal === undefined ? "service" : step.principal;
  const pending = () => call(deployment, step.kind, step.call, args, caller);
  if (step.error !== undefined) {
    const before = await dump(deployment);
    expect(await refusal(pending()), where).toBe(step.error);
    expect(await dump(deployment), `${where}: written in spite of the error`).toEqual(before);
    return;
  }
  const reply: unknown = await pending();
  for (const [name, path] of Object.entries(step.save ?? {})) {
    saved.set(
      name,
      path.reduce((value: any, part) => value[part], reply),
    );
  }
  const partial = "matches" in step;
  const expected = filled(partial ? step.matches : step.returns, saved);
  expect(reply, where).toEqual(expectation(expected, partial));
}

/** A value with the parts put in that stand for others. */
function filled(value: unknown, saved: Saved, i?: number): unknown {
  if (typeof value === "string") return i === undefined ? value : value.replaceAll("{i}", `${i}`);
  if (Array.isArray(value)) return value.map((item) => filled(item, saved, i));
  if (typeof value !== "object" || value === null) return value;
  const special = value as Record<string, any>;
  if ("$saved" in special) return saved.get(special.$saved);
  if ("$repeat" in special) {
    return Array.from({ length: special.$repeat }, (_, n) => filled(special.item, saved, n));
  }
  if ("$number" in special) return special.$number[0] + special.$number[1] * i!;
  return Object.fromEntries(
    Object.entries(special).map(([name, item]) => [name, filled(item, saved, i)]),
  );
}

/** What a reply is compared with: `$any` put in, and with `partial`, objects that may have more. */
function expectation(value: unknown, partial: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => expectation(item, partial));
  if (typeof value !== "object" || value === null) return value;
  if ("$any" in value) return expect.any(value.$any === "number" ? Number : String);
  const members = Object.entries(value).map(([name, item]) => [name, expectation(item, partial)]);
  const object = Object.fromEntries(members);
  return partial ? expect.objectContaining(object) : object;
}
