/**
 * What a call reads and writes, in a store that is always the same. The tables of the README and the
 * guide say it to users; here they are checked, or with UPDATE=1 written.
 */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import registered from "./functions.json";
import { deploy, type Deployment, type Kind, measured, mutation } from "./lib/harness.test-util.js";

const ROOT = join(import.meta.dirname, "..");
const HEADER = "| What | Function | Documents read | Documents written |";

const page = { order: "desc", limit: 40 };
const text = (kib: number) => JSON.stringify("x".repeat(kib * 1024 - 2));
const message = (id: string, threadId = "t1", content = '"Hello"') => ({
  ...{ id, threadId, role: "user", content },
});
const messages = (count: number, name: string, threadId = "t1") =>
  Array.from({ length: count }, (_, i) => message(`${name}${i}`, threadId));
const trace = (id: string) => ({ id, threadId: "t1", runId: "r", scope: "s", name: "n" });
const spans = Array.from({ length: 10 }, (_, i) => ({
  ...{ traceId: "s", spanId: `s${i}`, name: "n", spanType: "generic", startedAt: i, input: "1" },
  ...(i > 0
    ? { parentSpanId: "s0" }
    : { spanType: "agent_run", resourceId: "alice", messageId: "m" }),
}));
const score = (id: string) => ({ id, threadId: "t1", agentName: "a", type: "live" });
const run = (id: string, stateType: string) => ({
  ...{ id, workflowName: "w", resourceId: "alice", stateType, state: "{}" },
});

const chunk = {
  ...{ id: "c", cycleId: "c", observations: '"x"', tokenCount: 1, messageIds: "[]" },
  ...{ messageTokens: 1, lastObservedAt: 1 },
};
const generation = {
  ...{ id: "o9", threadId: "t9", resourceId: "alice", scope: "thread", originType: "initial" },
  ...{ config: "{}", createdAt: 1, updatedAt: 1, generationCount: 0, activeObservations: '""' },
  ...{ totalTokensObserved: 0, observationTokenCount: 0, pendingMessageTokens: 0 },
  ...{ isReflecting: false, isObserving: false, isBufferingObservation: false },
  ...{ isBufferingReflection: false, lastBufferedAtTokens: 0, bufferedObservationChunks: [] },
};

const snapshot = { id: "s", workflowName: "w", state: '{"status":"running","context":{}}' };
const rating = (id: string) => ({
  ...{ id, scorerId: "tone", entityId: "a", entityType: "AGENT", runId: "r", source: "LIVE" },
  ...{ score: 1, scorer: "{}", entity: "{}", output: "null", traceId: "t", spanId: "n" },
});
const schedule = {
  ...{ id: "d", target: '{"type":"x"}', cron: "*", status: "active", nextFireAt: 1 },
};
const trigger = {
  ...{ id: "h", scheduleId: "d", scheduledFireAt: 1, actualFireAt: 1 },
  ...{ outcome: "published", triggerKind: "schedule-fire" },
};
const task = {
  ...{ id: "k", status: "pending", toolName: "t", toolCallId: "c", args: "{}", agentId: "a" },
  ...{
    runId: "r",
    threadId: "t1",
    resourceId: "alice",
    retryCount: 0,
    maxRetries: 0,
    timeoutMs: 1,
  },
};
const installation = {
  ...{ id: "i", platform: "slack", agentId: "a", status: "active", webhookId: "h", data: "{}" },
};

const ofSpan = { traceId: "t", spanId: "n" };
const logs = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    ...{ logId: `l${i}`, level: "info", message: '"x"', traceId: "l", serviceName: "api" },
  }));
const metrics = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    ...{ metricId: `m${i}`, name: "tokens", value: i, labels: '{"kind":"in","model":"a"}' },
  }));
const opinion = { ...ofSpan, scoreId: "s", scorerId: "tone", score: 1 };
const thumb = {
  ...{ ...ofSpan, feedbackId: "f", feedbackType: "thumb", value: '"up"', feedbackSource: "" },
};
const names = { prefix: "", limit: 40 };

// In this order, in one store; those with a star are in the README as well.
const CALLS: [what: string, path: string, args: Record<string, unknown>][] = [
  ["a new thread *", "threads:save", { thread: { id: "new", resourceId: "alice" } }],
  ["the same thread once more", "threads:save", { thread: { id: "new", resourceId: "alice" } }],
  ["a thread by its id", "threads:get", { id: "t1" }],
  ["a new title", "threads:update", { id: "t1", title: "New" }],
  [
    "40 threads of a resource, with their total *",
    "threads:list",
    { ...page, resourceId: "alice", orderBy: "updatedAt", withTotal: true },
  ],
  ["the 40 newest threads", "threads:listArrived", { limit: 40 }],
  ["a new message *", "messages:save", { messages: [message("new")] }],
  ["the same message once more", "messages:save", { messages: [message("new")] }],
  ["100 new messages", "messages:save", { messages: messages(100, "many") }],
  ["a message of 100 KiB", "messages:save", { messages: [message("long", "t2", text(100))] }],
  ["a message of 5 MiB", "messages:save", { messages: [message("huge", "t2", text(5120))] }],
  ["the last 40 messages of a thread *", "messages:list", { ...page, threadId: "t1" }],
  ["the 40 messages before them", "messages:list", { ...page, threadId: "t1", skip: 40 }],
  ["those two long ones, in a page of their thread", "messages:list", { ...page, threadId: "t2" }],
  [
    "40 of them, for Convex's clients",
    "messages:paginate",
    { threadId: "t1", order: "desc", paginationOpts: { numItems: 40, cursor: null } },
  ],
  ["the 40 newest messages", "messages:listArrived", { limit: 40 }],
  ["10 messages by their ids", "messages:listById", { ids: messages(10, "m").map((m) => m.id) }],
  ["40 messages of two threads", "messages:listByThreads", { ...page, threadIds: ["t1", "t2"] }],
  ["40 messages of a resource", "messages:listByResource", { ...page, resourceId: "alice" }],
  [
    "how many it has, in two threads",
    "messages:countByResource",
    { resourceId: "alice", limit: 40 },
  ],
  [
    "a message with five before and after it",
    "messages:listBeside",
    { around: [{ id: "m50", previous: 5, next: 5 }] },
  ],
  ["a change of a message", "messages:update", { messages: [{ id: "m1", content: '"Hi"' }] }],
  [
    "a message's move to another thread",
    "messages:update",
    { messages: [{ id: "m2", threadId: "t3" }] },
  ],
  ["deleting a message", "messages:remove", { ids: ["m1"] }],
  [
    "copying a thread, 100 messages",
    "threads:clone",
    { id: "t1", thread: { id: "copy" }, limit: 100 },
  ],
  ["deleting a thread with 100 messages", "threads:remove", { id: "copy" }],
  ["new working memory", "resources:save", { resource: { id: "bob", workingMemory: '"x"' } }],
  ["a change of working memory", "resources:update", { id: "alice", workingMemory: '"y"' }],
  ["working memory", "resources:get", { id: "alice" }],
  [
    "a thread with 1 message to another resource",
    "threads:updateResourceId",
    { id: "t3", resourceId: "bob" },
  ],
  [
    "a first generation of observational memory",
    "observationalMemory:initialize",
    { id: "o1", threadId: "t1", resourceId: "alice", scope: "thread", config: "{}" },
  ],
  ["the newest generation", "observationalMemory:get", { threadId: "t1", resourceId: "alice" }],
  ["a flag of it", "observationalMemory:update", { id: "o1", isObserving: true }],
  [
    "new active observations",
    "observationalMemory:observe",
    { id: "o1", observations: '"x"', tokenCount: 1, lastObservedAt: 1 },
  ],
  ["observations that wait", "observationalMemory:buffer", { id: "o1", chunk }],
  [
    "what waits becomes active",
    "observationalMemory:activate",
    { id: "o1", activationRatio: 1, messageTokensThreshold: 1, currentPendingTokens: 1 },
  ],
  [
    "a reflection that waits",
    "observationalMemory:bufferReflection",
    {
      ...{ id: "o1", reflection: '"x"', tokenCount: 1, inputTokenCount: 1 },
      reflectedObservationLineCount: 1,
    },
  ],
  [
    "it becomes the next generation",
    "observationalMemory:activateReflection",
    { id: "o1", newId: "o2", tokenCount: 1 },
  ],
  [
    "a next generation",
    "observationalMemory:reflect",
    { id: "o2", newId: "o3", reflection: '"x"', tokenCount: 1 },
  ],
  [
    "the generations",
    "observationalMemory:list",
    { threadId: "t1", resourceId: "alice", limit: 10 },
  ],
  ["a ready generation", "observationalMemory:save", { record: generation }],
  [
    "forgetting three generations",
    "observationalMemory:clear",
    { threadId: "t1", resourceId: "alice" },
  ],
  ["a new trace, in four lists *", "traces:save", { trace: trace("new") }],
  ["a trace by its id", "traces:get", { id: "x1" }],
  ["40 traces of a thread", "traces:list", { ...page, threadId: "t1", withTotal: true }],
  ["the names of traces, of which there is one", "traces:listNames", { prefix: "", limit: 40 }],
  ["a new trace of 10 spans", "spans:save", { spans }],
  [
    "the end of a span",
    "spans:update",
    { spans: [{ traceId: "s", spanId: "s1", endedAt: 9, output: "1" }] },
  ],
  ["a span by its id", "spans:get", { traceId: "s", spanId: "s1" }],
  ["the root of a trace", "spans:getRoot", { traceId: "s" }],
  ["its structure, 10 spans", "spans:list", { traceId: "s", order: "asc", limit: 40 }],
  [
    "5 of them whole",
    "spans:listById",
    { spans: spans.slice(1, 6).map(({ traceId, spanId }) => ({ traceId, spanId })) },
  ],
  [
    "the traces of a resource, one",
    "spans:listTraces",
    { ...page, orderBy: "startedAt", resourceId: "alice", withTotal: true },
  ],
  ["all branches, one", "spans:listBranches", { ...page, orderBy: "startedAt" }],
  ["the traces that came in, one", "spans:listArrived", { list: "traces", limit: 40 }],
  ["the traces of a message, one", "spans:listByMessage", { messageId: "m", limit: 40 }],
  ["the messages of a trace, one", "spans:listMessageIds", { traceId: "s", limit: 40 }],
  [
    "what a tracer has left open, of which there is nothing",
    "spans:listOpen",
    { openedBy: "host", order: "asc", limit: 40 },
  ],
  ["deleting a trace of 10 spans", "spans:removeTraces", { traceIds: ["s"] }],
  ["100 new logs of a trace", "logs:save", { logs: logs(100) }],
  ["the same logs once more", "logs:save", { logs: logs(100) }],
  ["40 logs of a level", "logs:list", { ...page, level: "info" }],
  ["the 40 newest logs", "logs:listArrived", { limit: 40 }],
  ["deleting the logs of a trace", "logs:removeOfTraces", { traceIds: ["l"] }],
  ["100 new metrics, with 2 labels", "metrics:save", { metrics: metrics(100) }],
  ["40 metrics of a name", "metrics:list", { ...page, name: "tokens" }],
  ["the 40 newest metrics", "metrics:listArrived", { limit: 40 }],
  ["the names of metrics, of which there is one", "metrics:listNames", { prefix: "", limit: 40 }],
  ["deleting the metrics of a trace", "metrics:removeOfTraces", { traceIds: ["none"] }],
  ["a new score of a trace", "scoreEvents:save", { scores: [opinion] }],
  ["it by its id", "scoreEvents:get", { id: "s" }],
  ["the scores of a span", "scoreEvents:list", { ...page, ...ofSpan, orderBy: "timestamp" }],
  ["the newest scores, one", "scoreEvents:listArrived", { limit: 40 }],
  ["deleting a score of a trace", "scoreEvents:remove", { ids: ["s"] }],
  ["deleting the scores of a trace", "scoreEvents:removeOfTraces", { traceIds: ["none"] }],
  ["new feedback", "feedback:save", { feedback: [thumb] }],
  ["it by its id", "feedback:get", { id: "f" }],
  ["the feedback of a span", "feedback:list", { ...page, ...ofSpan }],
  ["the newest feedback, one", "feedback:listArrived", { limit: 40 }],
  ["its review", "feedback:review", { id: "f", reviewStatus: "reviewed" }],
  ["deleting feedback", "feedback:remove", { ids: ["f"] }],
  ["deleting the feedback of a trace", "feedback:removeOfTraces", { traceIds: ["none"] }],
  ["the keys of a metric's 2 labels", "discovery:list", { path: ["label", "tokens"], ...names }],
  ["a new eval, in four lists", "evals:save", { eval: score("new") }],
  ["an eval by its id", "evals:get", { id: "e1" }],
  ["40 evals of an agent", "evals:list", { ...page, agentName: "a", withTotal: true }],
  ["a new workflow run, in four lists", "workflowRuns:save", { run: run("new", "running") }],
  ["its next snapshot", "workflowRuns:save", { run: { ...run("new", "running"), state: "[1]" } }],
  ["its end", "workflowRuns:save", { run: { ...run("new", "success"), state: "[2]" } }],
  ["a run by its workflow and id", "workflowRuns:get", { id: "r1", workflowName: "w" }],
  ["40 runs of a status", "workflowRuns:list", { ...page, stateType: "running", withTotal: true }],
  ["the snapshot of a run", "workflowRuns:persist", { run: snapshot }],
  [
    "the result of a step",
    "workflowRuns:updateResults",
    { ...{ id: "s", workflowName: "w", stepId: "a" }, result: "1", requestContext: "{}" },
  ],
  [
    "the status of a run",
    "workflowRuns:updateState",
    { id: "s", workflowName: "w", state: '{"status":"success"}' },
  ],
  ["deleting a run", "workflowRuns:remove", { id: "s", workflowName: "w" }],
  ["a new score, in five lists", "scores:save", { score: rating("a") }],
  ["a score by its id", "scores:get", { id: "a" }],
  ["the scores of a scorer", "scores:list", { ...page, scorerId: "tone", withTotal: true }],
  ["a new schedule", "schedules:create", { schedule }],
  ["a schedule by its id", "schedules:get", { id: "d" }],
  ["all schedules, one", "schedules:list", page],
  ["what is to be fired, one", "schedules:listDue", { ...page, order: "asc", now: 5 }],
  ["pausing a schedule", "schedules:update", { id: "d", status: "paused" }],
  ["going on", "schedules:update", { id: "d", status: "active" }],
  [
    "claiming a fire",
    "schedules:advance",
    { id: "d", expectedNextFireAt: 1, newNextFireAt: 9, lastFireAt: 1, lastRunId: "r" },
  ],
  ["what was fired", "schedules:recordTrigger", { trigger }],
  ["its history, one", "schedules:listTriggers", { ...page, scheduleId: "d" }],
  ["deleting a schedule with its history", "schedules:remove", { id: "d" }],
  ["a new task, in seven lists", "backgroundTasks:create", { task }],
  ["a task by its id", "backgroundTasks:get", { id: "k" }],
  ["the tasks of a status", "backgroundTasks:list", { ...page, status: "pending" }],
  ["how many there are", "backgroundTasks:count", { status: "pending" }],
  ["the start of a task", "backgroundTasks:update", { id: "k", update: { status: "running" } }],
  ["deleting a task", "backgroundTasks:remove", { tasks: [{ id: "k", status: "running" }] }],
  ["an installation", "channels:saveInstallation", { installation }],
  ["it by its id", "channels:getInstallation", { id: "i" }],
  ["it by its agent", "channels:getInstallationByAgent", { platform: "slack", agentId: "a" }],
  ["it by its webhook", "channels:getInstallationByWebhookId", { webhookId: "h" }],
  ["the installations of a platform", "channels:listInstallations", { ...page, platform: "slack" }],
  ["deleting it", "channels:removeInstallation", { id: "i" }],
  ["a configuration", "channels:saveConfig", { config: { id: "slack", data: "{}" } }],
  ["it by its platform", "channels:getConfig", { id: "slack" }],
  ["deleting it", "channels:removeConfig", { id: "slack" }],
  ["the versions", "system:version", {}],
  ["statistics", "system:statistics", {}],
  ["clearing 51 evals", "system:clear", { table: "evals" }],
];

/** Threads of alice's with 200 messages, and 60 that are hers in two more; 50 of everything else. */
async function store(): Promise<Deployment> {
  const deployment = deploy();
  for (let i = 0; i < 50; i += 1) {
    vi.setSystemTime(1_000_000 + i);
    const thread = { id: `t${i}`, resourceId: "alice" };
    await mutation(deployment, "threads:save", { thread });
    await mutation(deployment, "traces:save", { trace: trace(`x${i}`) });
    await mutation(deployment, "evals:save", { eval: score(`e${i}`) });
    await mutation(deployment, "workflowRuns:save", { run: run(`r${i}`, "running") });
  }
  await mutation(deployment, "messages:save", { messages: messages(200, "m") });
  const own = [...messages(30, "a", "t5"), ...messages(30, "b", "t6")];
  await mutation(deployment, "messages:save", {
    messages: own.map((each) => ({ ...each, resourceId: "alice" })),
  });
  await mutation(deployment, "resources:save", { resource: { id: "alice", workingMemory: '"x"' } });
  return deployment;
}

/** The rows of the table, each as its cells. */
async function rows(): Promise<string[][]> {
  const deployment = await store();
  const found = [];
  for (const [what, path, args] of CALLS) {
    const kind = registered.functions[path as keyof typeof registered.functions].kind as Kind;
    const { documents, written } = await measured(deployment, path, args, kind);
    found.push([what, `\`${path}\``, `${documents}`, `${written}`]);
  }
  return found;
}

/** The page with its table replaced: the one whose header is ours. */
function withTable(page: string, cells: string[][]): string {
  const lines = cells.map((row) => `| ${row.join(" | ")} |`);
  const [before, after] = page.split(HEADER) as [string, string];
  const rest = after.slice(after.search(/\n\n/));
  return [before, HEADER, "\n|---|---|--:|--:|\n", lines.join("\n"), rest].join("");
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

test("no public function is left out", () => {
  const all = Object.entries(registered.functions);
  const open = all.filter(([, { visibility }]) => visibility === "public").map(([path]) => path);
  expect([...new Set(CALLS.map(([, path]) => path))].sort()).toEqual(open.sort());
});

test("the tables of README and guide say what calls cost; UPDATE=1 writes them", async () => {
  const all = await rows();
  const plain = all.map(([what, ...cells]) => [what!.replace(" *", ""), ...cells]);
  const short = plain.filter((_, i) => all[i]![0]!.endsWith(" *"));
  for (const [file, cells] of [
    ["README.md", short],
    ["docs/guides/deploy.md", plain],
  ] as const) {
    const path = join(ROOT, file);
    const text = await readFile(path, "utf8");
    const expected = withTable(text, cells);
    if (process.env.UPDATE) await writeFile(path, expected);
    else expect(text, file).toBe(expected);
  }
});
