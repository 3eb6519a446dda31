/** Every public function, asked by the service, the owner, another resource and nobody. */

import { beforeEach, expect, test } from "vitest";
import registered from "./functions.json";
import {
  call,
  type Caller,
  deploy,
  type Deployment,
  dump,
  type Kind,
  mutation,
  refusal,
} from "./lib/harness.test-util.js";

const page = { order: "desc", limit: 10 };
const DENIED = "UNAUTHENTICATED";
const FINE = "no error";

const SPAN = {
  ...{ traceId: "s", spanId: "root", name: "n", spanType: "agent_run", startedAt: 1 },
  resourceId: "alice",
};

// Arguments for alice's records; what alice and bob get. The service is never refused, and nobody
// gets anything. Where bob is not refused, what he asks for is as absent as if it did not exist.
const CASES: Record<string, [args: Record<string, unknown>, alice: string, bob: string]> = {
  "threads:get": [{ id: "t" }, FINE, FINE],
  "threads:list": [{ ...page, orderBy: "createdAt", resourceId: "alice" }, FINE, FINE],
  "threads:listArrived": [{ limit: 10 }, DENIED, DENIED],
  "threads:save": [{ thread: { id: "t", resourceId: "alice" } }, FINE, "CONFLICT"],
  "threads:update": [{ id: "t", title: "New" }, FINE, "NOT_FOUND"],
  "threads:remove": [{ id: "t" }, FINE, FINE],
  "threads:clone": [{ id: "t", thread: { id: "new" } }, FINE, "NOT_FOUND"],
  "messages:list": [{ ...page, threadId: "t" }, FINE, FINE],
  "messages:listArrived": [{ limit: 10 }, DENIED, DENIED],
  "messages:listById": [{ ids: ["m"] }, FINE, FINE],
  "messages:save": [
    { messages: [{ id: "m", threadId: "t", role: "x", content: "1" }] },
    FINE,
    "NOT_FOUND",
  ],
  "messages:update": [{ messages: [{ id: "m", role: "x" }] }, FINE, FINE],
  "messages:remove": [{ ids: ["m"] }, FINE, FINE],
  "resources:get": [{ id: "alice" }, FINE, FINE],
  "resources:save": [{ resource: { id: "alice" } }, FINE, DENIED],
  "resources:update": [{ id: "alice", workingMemory: "1" }, FINE, DENIED],
  "traces:get": [{ id: "x" }, FINE, FINE],
  "traces:list": [{ ...page, threadId: "t" }, FINE, FINE],
  "traces:listNames": [{ prefix: "", limit: 10 }, DENIED, DENIED],
  "traces:save": [{ trace: { id: "x" } }, DENIED, DENIED],
  "spans:get": [{ traceId: "s", spanId: "root" }, FINE, FINE],
  "spans:getRoot": [{ traceId: "s" }, FINE, FINE],
  "spans:list": [{ ...page, traceId: "s" }, FINE, FINE],
  "spans:listById": [{ traceId: "s", spanIds: ["root"] }, FINE, FINE],
  "spans:save": [{ spans: [SPAN] }, DENIED, DENIED],
  "spans:update": [{ spans: [{ traceId: "s", spanId: "root", name: "x" }] }, DENIED, DENIED],
  "spans:removeTraces": [{ traceIds: ["s"] }, DENIED, DENIED],
  "evals:get": [{ id: "e" }, FINE, FINE],
  "evals:list": [{ ...page, threadId: "t" }, FINE, FINE],
  "evals:save": [{ eval: { id: "e", agentName: "a", type: "live" } }, DENIED, DENIED],
  "workflowRuns:get": [{ id: "w" }, FINE, FINE],
  "workflowRuns:list": [{ ...page, resourceId: "alice" }, FINE, FINE],
  "workflowRuns:save": [{ run: { id: "w", workflowName: "f" } }, DENIED, DENIED],
  "system:version": [{}, FINE, FINE],
  "system:statistics": [{}, DENIED, DENIED],
  "system:clear": [{ table: "threads" }, DENIED, DENIED],
};
const OPEN = "system:version";

const [alice, bob] = [{ resourceId: "alice" }, { resourceId: "bob" }];
let deployment: Deployment;

beforeEach(async () => {
  deployment = deploy();
  const thread = { id: "t", resourceId: "alice" };
  await mutation(deployment, "threads:save", { thread });
  const messages = [{ id: "m", threadId: "t", role: "user", content: '"x"' }];
  await mutation(deployment, "messages:save", { messages });
  await mutation(deployment, "resources:save", { resource: { id: "alice" } });
  await mutation(deployment, "traces:save", { trace: { id: "x", threadId: "t", name: "n" } });
  const score = { id: "e", threadId: "t", agentName: "a", type: "live" };
  await mutation(deployment, "evals:save", { eval: score });
  await mutation(deployment, "spans:save", { spans: [SPAN] });
  const run = { id: "w", workflowName: "f", resourceId: "alice" };
  await mutation(deployment, "workflowRuns:save", { run });
});

test("no public function is left out", () => {
  const all = Object.entries(registered.functions);
  const open = all.filter(([, { visibility }]) => visibility === "public").map(([path]) => path);
  expect(Object.keys(CASES).sort()).toEqual(open.sort());
});

function ask(path: string, caller: Caller): Promise<any> {
  const { kind } = registered.functions[path as keyof typeof registered.functions];
  return call(deployment, kind as Kind, path, CASES[path]![0], caller);
}

/** Whether a reply holds nothing of anybody: null, or no records. */
function isNothing(reply: any): boolean {
  return reply === null || (reply.page ?? reply).length === 0;
}

test.each(Object.keys(CASES))("%s", async (path) => {
  const [, forAlice, forBob] = CASES[path]!;
  const before = await dump(deployment);
  expect(await refusal(ask(path, null))).toBe(DENIED);
  expect(await refusal(ask(path, bob))).toBe(forBob);
  if (forBob === FINE && path !== OPEN) expect(isNothing(await ask(path, bob))).toBe(true);
  expect(await dump(deployment)).toEqual(before);
  expect(await refusal(ask(path, alice))).toBe(forAlice);
  if (forAlice !== FINE) expect(await dump(deployment)).toEqual(before);
});

test.each(Object.keys(CASES))("%s for the service", async (path) => {
  expect(await refusal(ask(path, "service"))).toBe(FINE);
});

test.each([[{ subject: "alice" }], [{ subject: "alice", role: "admin" }]])(
  "a token that says %o is worth nothing",
  async (identity) => {
    const asked = deployment.withIdentity(identity);
    expect(await refusal(call(asked as Deployment, "query", "system:version", {}, null))).toBe(
      DENIED,
    );
  },
);

test("an owner reads what a resource may not write", async () => {
  for (const path of ["threads:get", "traces:get", "spans:get", "evals:get", "workflowRuns:get"]) {
    expect(await ask(path, alice)).not.toBeNull();
  }
});
