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

const memory = {
  id: "o",
  threadId: "t",
  resourceId: "alice",
  scope: "thread",
  originType: "initial",
  config: "{}",
  createdAt: 1,
  updatedAt: 1,
  generationCount: 0,
  activeObservations: '""',
  bufferedReflection: '"x"',
  totalTokensObserved: 0,
  observationTokenCount: 0,
  pendingMessageTokens: 0,
  isReflecting: false,
  isObserving: false,
  isBufferingObservation: false,
  isBufferingReflection: false,
  lastBufferedAtTokens: 0,
  bufferedObservationChunks: [],
};
const chunk = {
  id: "c",
  cycleId: "c",
  observations: '""',
  tokenCount: 1,
  messageIds: "[]",
  messageTokens: 1,
  lastObservedAt: 1,
};
// Records of alice's, where they can be somebody's.
const RUN = { id: "w", workflowName: "f" };
const SCORE = {
  ...{ id: "s", scorerId: "tone", entityId: "a", runId: "w", source: "LIVE", score: 1 },
  ...{ scorer: "{}", entity: "{}", output: "null", resourceId: "alice" },
};
const SCHEDULE = { id: "d", target: '{"type":"x"}', cron: "*", status: "active", nextFireAt: 1 };
const TASK = {
  ...{ id: "k", status: "pending", toolName: "t", toolCallId: "c", args: "{}", agentId: "a" },
  ...{ runId: "w", resourceId: "alice", retryCount: 0, maxRetries: 0, timeoutMs: 1 },
};
const INSTALLATION = {
  ...{ id: "i", platform: "slack", agentId: "a", status: "active" },
  ...{ webhookId: "h", data: "{}" },
};
const SPAN = {
  ...{ traceId: "s", spanId: "root", name: "n", spanType: "agent_run", startedAt: 1 },
  ...{ resourceId: "alice", messageId: "m" },
};
const OF = { traceId: "s", resourceId: "alice", entityType: "agent", timestamp: 1 };
const LOG = { ...OF, logId: "l", level: "info", message: '"x"' };
const METRIC = { ...OF, metricId: "m", name: "n", value: 1 };
const RATING = { ...OF, scoreId: "s", scorerId: "tone", score: 1 };
const FEEDBACK = { ...OF, feedbackId: "f", feedbackType: "t", value: "1", feedbackSource: "" };

// Arguments for alice's records; what alice and bob get. The service is never refused, and nobody
// gets anything. Where bob is not refused, what he asks for is as absent as if it did not exist.
const CASES: Record<string, [args: Record<string, unknown>, alice: string, bob: string]> = {
  "threads:get": [{ id: "t" }, FINE, FINE],
  "threads:list": [{ ...page, orderBy: "createdAt", resourceId: "alice" }, FINE, FINE],
  "threads:listArrived": [{ limit: 10 }, DENIED, DENIED],
  "threads:save": [{ thread: { id: "t", resourceId: "alice" } }, FINE, "CONFLICT"],
  "threads:update": [{ id: "t", title: "New" }, FINE, "NOT_FOUND"],
  "threads:updateResourceId": [{ id: "t", resourceId: "bob" }, "CONFLICT", "NOT_FOUND"],
  "threads:remove": [{ id: "t" }, FINE, FINE],
  "threads:clone": [{ id: "t", thread: { id: "new" } }, FINE, "NOT_FOUND"],
  "messages:list": [{ ...page, threadId: "t" }, FINE, FINE],
  "messages:paginate": [
    { threadId: "t", order: "asc", paginationOpts: { numItems: 9, cursor: null } },
    FINE,
    FINE,
  ],
  "messages:listArrived": [{ limit: 10 }, DENIED, DENIED],
  "messages:listById": [{ ids: ["m"] }, FINE, FINE],
  "messages:listByThreads": [{ ...page, threadIds: ["t"] }, FINE, FINE],
  "messages:listByResource": [{ ...page, resourceId: "alice" }, FINE, FINE],
  "messages:countByResource": [{ resourceId: "alice", limit: 10 }, FINE, FINE],
  "messages:listBeside": [{ around: [{ id: "m", previous: 1, next: 1 }] }, FINE, FINE],
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
  "spans:listById": [{ spans: [{ traceId: "s", spanId: "root" }] }, FINE, FINE],
  "spans:listTraces": [{ ...page, orderBy: "startedAt", resourceId: "alice" }, FINE, FINE],
  "spans:listBranches": [{ ...page, orderBy: "endedAt", traceId: "s" }, FINE, FINE],
  "spans:listArrived": [{ list: "traces", limit: 10 }, DENIED, DENIED],
  "spans:listByMessage": [{ messageId: "m", limit: 10 }, FINE, FINE],
  "spans:listMessageIds": [{ traceId: "s", limit: 10 }, FINE, FINE],
  "spans:listOpen": [{ ...page, openedBy: "host" }, DENIED, DENIED],
  "spans:save": [{ spans: [SPAN] }, DENIED, DENIED],
  "spans:update": [{ spans: [{ traceId: "s", spanId: "root", name: "x" }] }, DENIED, DENIED],
  "spans:removeTraces": [{ traceIds: ["s"] }, DENIED, DENIED],
  "evals:get": [{ id: "e" }, FINE, FINE],
  "evals:list": [{ ...page, threadId: "t" }, FINE, FINE],
  "evals:save": [{ eval: { id: "e", agentName: "a", type: "live" } }, DENIED, DENIED],
  "workflowRuns:get": [{ id: "w" }, FINE, FINE],
  "workflowRuns:list": [{ ...page, resourceId: "alice" }, FINE, FINE],
  "workflowRuns:save": [{ run: { id: "w", workflowName: "f" } }, DENIED, DENIED],
  "observationalMemory:get": [{ threadId: "t", resourceId: "alice" }, FINE, FINE],
  "observationalMemory:list": [{ threadId: "t", resourceId: "alice", limit: 5 }, FINE, FINE],
  "observationalMemory:initialize": [
    { id: "new", threadId: "t", resourceId: "alice", scope: "thread", config: "{}" },
    FINE,
    DENIED,
  ],
  "observationalMemory:save": [{ record: { ...memory, id: "new" } }, FINE, DENIED],
  "observationalMemory:update": [{ id: "o", isObserving: true }, FINE, "NOT_FOUND"],
  "observationalMemory:observe": [
    { id: "o", observations: '""', tokenCount: 1, lastObservedAt: 1 },
    FINE,
    "NOT_FOUND",
  ],
  "observationalMemory:buffer": [{ id: "o", chunk }, FINE, "NOT_FOUND"],
  "observationalMemory:activate": [
    { id: "o", activationRatio: 1, messageTokensThreshold: 1, currentPendingTokens: 1 },
    FINE,
    "NOT_FOUND",
  ],
  "observationalMemory:reflect": [
    { id: "o", newId: "p", reflection: '""', tokenCount: 1 },
    FINE,
    "NOT_FOUND",
  ],
  "observationalMemory:bufferReflection": [
    {
      id: "o",
      reflection: '""',
      tokenCount: 1,
      inputTokenCount: 1,
      reflectedObservationLineCount: 1,
    },
    FINE,
    "NOT_FOUND",
  ],
  "observationalMemory:activateReflection": [
    { id: "o", newId: "p", tokenCount: 1 },
    FINE,
    "NOT_FOUND",
  ],
  "observationalMemory:clear": [{ threadId: "t", resourceId: "alice" }, FINE, FINE],
  "workflowRuns:persist": [{ run: { ...RUN, state: "{}" } }, DENIED, DENIED],
  "workflowRuns:updateResults": [
    { ...RUN, stepId: "s", result: "1", requestContext: "{}" },
    DENIED,
    DENIED,
  ],
  "workflowRuns:updateState": [{ ...RUN, state: '{"status":"x"}' }, DENIED, DENIED],
  "workflowRuns:remove": [RUN, DENIED, DENIED],
  "logs:list": [page, DENIED, DENIED],
  "logs:listArrived": [{ limit: 9 }, DENIED, DENIED],
  "logs:save": [{ logs: [LOG] }, DENIED, DENIED],
  "logs:removeOfTraces": [{ traceIds: ["s"] }, DENIED, DENIED],
  "metrics:list": [page, DENIED, DENIED],
  "metrics:listArrived": [{ limit: 9 }, DENIED, DENIED],
  "metrics:listNames": [{ prefix: "", limit: 9 }, DENIED, DENIED],
  "metrics:save": [{ metrics: [METRIC] }, DENIED, DENIED],
  "metrics:removeOfTraces": [{ traceIds: ["s"] }, DENIED, DENIED],
  "scoreEvents:get": [{ id: "s" }, FINE, FINE],
  "scoreEvents:list": [{ ...page, orderBy: "timestamp", traceId: "s" }, FINE, FINE],
  "scoreEvents:listArrived": [{ limit: 9 }, DENIED, DENIED],
  "scoreEvents:save": [{ scores: [RATING] }, DENIED, DENIED],
  "scoreEvents:remove": [{ ids: ["s"] }, DENIED, DENIED],
  "scoreEvents:removeOfTraces": [{ traceIds: ["s"] }, DENIED, DENIED],
  "feedback:get": [{ id: "f" }, FINE, FINE],
  "feedback:list": [{ ...page, traceId: "s" }, FINE, FINE],
  "feedback:listArrived": [{ limit: 9 }, DENIED, DENIED],
  "feedback:save": [{ feedback: [FEEDBACK] }, DENIED, DENIED],
  "feedback:review": [{ id: "f", reviewStatus: "reviewed" }, DENIED, DENIED],
  "feedback:remove": [{ ids: ["f"] }, DENIED, DENIED],
  "feedback:removeOfTraces": [{ traceIds: ["s"] }, DENIED, DENIED],
  "discovery:list": [{ path: ["entity"], prefix: "", limit: 9 }, DENIED, DENIED],
  "scores:get": [{ id: "s" }, FINE, FINE],
  "scores:list": [{ ...page, scorerId: "tone" }, FINE, FINE],
  "scores:save": [{ score: SCORE }, DENIED, DENIED],
  "schedules:get": [{ id: "d" }, DENIED, DENIED],
  "schedules:list": [page, DENIED, DENIED],
  "schedules:listDue": [{ ...page, now: 1 }, DENIED, DENIED],
  "schedules:create": [{ schedule: SCHEDULE }, DENIED, DENIED],
  "schedules:update": [{ id: "d", cron: "x" }, DENIED, DENIED],
  "schedules:advance": [
    { id: "d", expectedNextFireAt: 1, newNextFireAt: 2, lastFireAt: 1, lastRunId: "r" },
    DENIED,
    DENIED,
  ],
  "schedules:remove": [{ id: "d" }, DENIED, DENIED],
  "schedules:recordTrigger": [
    {
      trigger: {
        ...{ id: "f", scheduleId: "d", scheduledFireAt: 1, actualFireAt: 1 },
        ...{ outcome: "published", triggerKind: "schedule-fire" },
      },
    },
    DENIED,
    DENIED,
  ],
  "schedules:listTriggers": [{ ...page, scheduleId: "d" }, DENIED, DENIED],
  "backgroundTasks:get": [{ id: "k" }, FINE, FINE],
  "backgroundTasks:list": [{ ...page, status: "pending" }, FINE, FINE],
  "backgroundTasks:count": [{ status: "pending" }, DENIED, DENIED],
  "backgroundTasks:create": [{ task: TASK }, DENIED, DENIED],
  "backgroundTasks:update": [{ id: "k", update: {} }, DENIED, DENIED],
  "backgroundTasks:remove": [{ tasks: [{ id: "k" }] }, DENIED, DENIED],
  "channels:saveInstallation": [{ installation: INSTALLATION }, DENIED, DENIED],
  "channels:getInstallation": [{ id: "i" }, DENIED, DENIED],
  "channels:getInstallationByAgent": [{ platform: "slack", agentId: "a" }, DENIED, DENIED],
  "channels:getInstallationByWebhookId": [{ webhookId: "h" }, DENIED, DENIED],
  "channels:listInstallations": [{ ...page, platform: "slack" }, DENIED, DENIED],
  "channels:removeInstallation": [{ id: "i" }, DENIED, DENIED],
  "channels:saveConfig": [{ config: { id: "slack", data: "{}" } }, DENIED, DENIED],
  "channels:getConfig": [{ id: "slack" }, DENIED, DENIED],
  "channels:removeConfig": [{ id: "slack" }, DENIED, DENIED],
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
  const message = { id: "m", threadId: "t", resourceId: "alice", role: "user", content: '"x"' };
  await mutation(deployment, "messages:save", { messages: [message] });
  await mutation(deployment, "resources:save", { resource: { id: "alice" } });
  await mutation(deployment, "traces:save", { trace: { id: "x", threadId: "t", name: "n" } });
  const score = { id: "e", threadId: "t", agentName: "a", type: "live" };
  await mutation(deployment, "evals:save", { eval: score });
  await mutation(deployment, "spans:save", { spans: [SPAN] });
  await deployment.run(async (ctx) => {
    // As saving them would: in one transaction, for it is done before every test.
    await ctx.db.insert("logs", { ...LOG, level: "info", createdAt: 1 });
    await ctx.db.insert("metrics", { ...METRIC, createdAt: 1 });
    await ctx.db.insert("scoreEvents", { ...RATING, createdAt: 1 });
    const feedback = { ...FEEDBACK, reviewStatus: "needs-review" as const, createdAt: 1 };
    await ctx.db.insert("feedback", feedback);
  });
  const run = { ...RUN, resourceId: "alice", state: '{"context":{}}' };
  await mutation(deployment, "workflowRuns:save", { run });
  await mutation(deployment, "observationalMemory:save", { record: memory });
  await mutation(deployment, "scores:save", { score: SCORE });
  await mutation(deployment, "schedules:create", { schedule: SCHEDULE });
  await mutation(deployment, "backgroundTasks:create", { task: TASK });
  await mutation(deployment, "channels:saveInstallation", { installation: INSTALLATION });
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

/** Whether a reply holds nothing of anybody: null, zero, or no records. */
function isNothing(reply: any): boolean {
  // What there is to clear of others is nothing.
  if (reply === null || reply === true) return true;
  return reply.count === 0 || (reply.page ?? reply).length === 0;
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
  const jobs = ["workflowRuns", "scores", "backgroundTasks", "scoreEvents", "feedback"];
  const entities = ["threads", "traces", "spans", "evals", ...jobs];
  for (const entity of entities) expect(await ask(`${entity}:get`, alice)).not.toBeNull();
  expect((await ask("scores:list", alice)).page).toHaveLength(1);
  for (const entity of ["backgroundTasks", "scoreEvents", "feedback"]) {
    expect((await ask(`${entity}:list`, alice)).page).toHaveLength(1);
  }
});
