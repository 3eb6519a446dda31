/** Snapshots: merging text equals merging values; large ones; concurrent results; one winner. */

import { expect, test } from "vitest";
import {
  deploy,
  dump,
  measured,
  mutation,
  query,
  raced,
  refusal,
} from "./lib/harness.test-util.js";
import { withState, withStepResult } from "./lib/snapshots.js";

const MIB = 1024 * 1024;
const MARKER = { __mastra_pending__: true };
const SLOTS = [null, 0, "x", [1], MARKER, { status: "success" }, { status: "suspended" }].concat([
  { status: "suspended", suspendPayload: { a: 1 } } as never,
  { ...MARKER, more: 1 } as never,
]);

/** A generator of numbers below `limit` that gives the same ones each time. */
function seeded(seed: number) {
  let state = seed;
  return (limit: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** What a step has after another result, by the rules for values. */
function expected(old: any, fresh: any): unknown {
  if (!Array.isArray(old?.output) || !Array.isArray(fresh?.output)) return fresh;
  const isMarker = (slot: any) =>
    slot?.__mastra_pending__ === true && Object.keys(slot).length === 1;
  const isOpen = (slot: any) =>
    slot === null || isMarker(slot) || (slot.status === "suspended" && "suspendPayload" in slot);
  const pending = fresh.output.some(isMarker);
  const output: unknown[] = [];
  for (let at = 0; at < Math.max(old.output.length, fresh.output.length); at += 1) {
    const [kept, given] = [old.output[at] ?? null, fresh.output[at] ?? null];
    if (isMarker(given)) output.push(isOpen(kept) ? null : kept);
    else output.push(given === null || pending ? kept : given);
  }
  return { ...old, ...(pending ? {} : fresh), output };
}

test("merging a result as text equals merging it as values", () => {
  const random = seeded(11);
  const slots = () => Array.from({ length: random(5) }, () => SLOTS[random(SLOTS.length)]!);
  const results = () =>
    [null, "x", { status: "x" }, { output: 1 }, { a: 1, output: slots(), b: random(9) }][
      random(9)
    ] ?? { output: slots(), status: "y", c: random(9) };
  for (let i = 0; i < 3000; i += 1) {
    const [old, fresh] = [results(), results()];
    const snapshot = {
      status: "running",
      context: { input: {}, s: old },
      requestContext: { a: 1 },
    };
    const run = { id: "w", workflowName: "f", state: JSON.stringify(snapshot) };
    const merged = withStepResult(run, "s", JSON.stringify(fresh), '{"b":2}');
    const context = { input: {}, s: expected(old, fresh) };
    expect(merged.context).toBe(JSON.stringify(context));
    expect(merged.state).toBe(
      JSON.stringify({ ...snapshot, context, requestContext: { a: 1, b: 2 } }),
    );
    const state = JSON.stringify({ status: "done", value: fresh });
    expect(withState(run, state)).toBe(
      JSON.stringify({ ...snapshot, status: "done", value: fresh }),
    );
  }
});

const persist = (deployment: ReturnType<typeof deploy>, state: unknown, stateType = "running") =>
  mutation(deployment, "workflowRuns:persist", {
    run: { id: "w", workflowName: "f", stateType, state: JSON.stringify(state) },
  });

const result = (deployment: ReturnType<typeof deploy>, stepId: string, value: unknown) =>
  mutation(deployment, "workflowRuns:updateResults", {
    ...{ id: "w", workflowName: "f", stepId },
    ...{ result: JSON.stringify(value), requestContext: "{}" },
  });

test("results are merged into a snapshot of 5 MiB", { timeout: 60_000 }, async () => {
  const deployment = deploy();
  const input = "é".repeat(2.5 * MIB);
  await persist(deployment, { status: "suspended", context: { input } }, "suspended");
  await result(deployment, "a", { status: "success", output: 1 });
  const args = { id: "w", workflowName: "f" };
  const claim = { ...args, state: '{"status":"running"}', expectedStatus: ["suspended"] };
  const state = await mutation(deployment, "workflowRuns:updateState", claim);
  const context = { input, a: { status: "success", output: 1 } };
  const whole = JSON.stringify({ status: "running", context, requestContext: {} });
  expect(state === whole).toBe(true);
  const { reply, bytes } = await measured(deployment, "workflowRuns:get", args);
  expect(reply.state === whole).toBe(true);
  expect(reply.stateType).toBe("running");
  expect(bytes).toBeLessThan(5.1 * MIB);
  expect((await dump(deployment)).chunks).toHaveLength(6);
  const large = await refusal(result(deployment, "b", "x".repeat(2.5 * MIB)));
  expect(large).toBe("LIMIT_EXCEEDED");
  await mutation(deployment, "workflowRuns:remove", args);
  const { chunks, totals, workflowRuns } = await dump(deployment);
  expect([chunks, workflowRuns]).toEqual([[], []]);
  expect(totals!.reduce((sum, each) => sum + each.bytes, 0)).toBe(0);
});

test("results that race one another are all there", async () => {
  const deployment = deploy();
  await persist(deployment, { status: "running", context: { s: { output: [] } } });
  const slot = (at: number) => {
    const output = Array.from({ length: 20 }, (_, i) => (i === at ? at : null));
    return () => result(deployment, "s", { output });
  };
  for (let at = 0; at < 20; at += 2) await raced(slot(at), slot(at + 1));
  const { state } = await query(deployment, "workflowRuns:get", { id: "w" });
  expect(JSON.parse(state).context.s.output).toEqual(Array.from({ length: 20 }, (_, i) => i));
});

test("of claims that race one another, one wins", async () => {
  const deployment = deploy();
  await persist(deployment, { status: "suspended", context: {} }, "suspended");
  const claims: unknown[] = [];
  const claim = async () => {
    const args = { id: "w", workflowName: "f", state: '{"status":"running"}' };
    const expectedStatus = ["suspended"];
    const found = await mutation(deployment, "workflowRuns:updateState", {
      ...args,
      expectedStatus,
    });
    claims.push(found);
    return found;
  };
  const second = await raced(claim, claim);
  // The first run was in vain, the other call landed, and then there was nothing left to claim.
  expect(claims.slice(-2).map((each) => each !== null)).toEqual([true, false]);
  expect(second).toBeNull();
});
