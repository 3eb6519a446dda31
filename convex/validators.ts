/**
 * Public shapes: what functions take and return, shared with the schema.
 *
 * A payload is JSON text; a time is milliseconds since the epoch.
 */

import { v, type PropertyValidators, type VOptional, type Validator } from "convex/values";

export const payload = v.string;
export const time = v.number;

export const threadFields = {
  id: v.string(),
  resourceId: v.string(),
  title: v.optional(v.string()),
  metadata: v.optional(payload()),
  createdAt: time(),
  updatedAt: time(),
  extra: v.optional(payload()),
};

export const messageFields = {
  id: v.string(),
  threadId: v.string(),
  resourceId: v.optional(v.string()),
  role: v.string(),
  type: v.optional(v.string()),
  content: payload(),
  createdAt: time(),
  seq: v.number(),
  extra: v.optional(payload()),
};

export const resourceFields = {
  id: v.string(),
  workingMemory: v.optional(payload()),
  metadata: v.optional(payload()),
  createdAt: time(),
  updatedAt: time(),
  extra: v.optional(payload()),
};

/** Of a trace whose spans are spans of their own too: the newest change of theirs that it has. */
export const spansAt = { spansAt: v.optional(time()) };
export const traceFields = {
  id: v.string(),
  threadId: v.optional(v.string()),
  transportId: v.optional(v.string()),
  runId: v.optional(v.string()),
  rootRunId: v.optional(v.string()),
  timestamp: time(),
  spans: v.optional(payload()),
  spanDurations: v.optional(payload()),
  properties: v.optional(payload()),
  // The row of a single span, as Mastra had it before its observability domain.
  traceId: v.optional(v.string()),
  parentSpanId: v.optional(v.string()),
  name: v.optional(v.string()),
  scope: v.optional(v.string()),
  kind: v.optional(v.number()),
  attributes: v.optional(payload()),
  status: v.optional(payload()),
  events: v.optional(payload()),
  links: v.optional(payload()),
  other: v.optional(payload()),
  startTime: v.optional(v.number()),
  endTime: v.optional(v.number()),
  createdAt: time(),
  extra: v.optional(payload()),
};

export const evalFields = {
  id: v.string(),
  threadId: v.optional(v.string()),
  agentName: v.string(),
  type: v.union(v.literal("test"), v.literal("live")),
  metadata: v.optional(payload()),
  data: v.optional(payload()),
  // The row of an evaluation, as Mastra had it before its scores domain.
  input: v.optional(v.string()),
  output: v.optional(v.string()),
  result: v.optional(payload()),
  metricName: v.optional(v.string()),
  instructions: v.optional(v.string()),
  testInfo: v.optional(payload()),
  globalRunId: v.optional(v.string()),
  runId: v.optional(v.string()),
  createdAt: time(),
  extra: v.optional(payload()),
};

export const scoreFields = {
  id: v.string(),
  scorerId: v.string(),
  entityId: v.string(),
  entityType: v.optional(v.string()),
  runId: v.string(),
  source: v.union(v.literal("LIVE"), v.literal("TEST")),
  score: v.number(),
  reason: v.optional(v.string()),
  scorer: payload(),
  entity: payload(),
  input: v.optional(payload()),
  output: payload(),
  structuredOutput: v.optional(v.boolean()),
  reasonPrompt: v.optional(v.string()),
  extractPrompt: v.optional(v.string()),
  extractStepResult: v.optional(payload()),
  analyzePrompt: v.optional(v.string()),
  analyzeStepResult: v.optional(payload()),
  preprocessPrompt: v.optional(v.string()),
  preprocessStepResult: v.optional(payload()),
  generateScorePrompt: v.optional(v.string()),
  generateReasonPrompt: v.optional(v.string()),
  additionalContext: v.optional(payload()),
  requestContext: v.optional(payload()),
  metadata: v.optional(payload()),
  traceId: v.optional(v.string()),
  spanId: v.optional(v.string()),
  resourceId: v.optional(v.string()),
  threadId: v.optional(v.string()),
  organizationId: v.optional(v.string()),
  projectId: v.optional(v.string()),
  batchId: v.optional(v.string()),
  datasetId: v.optional(v.string()),
  datasetItemId: v.optional(v.string()),
  createdAt: time(),
  updatedAt: time(),
  extra: v.optional(payload()),
};

export const workflowRunFields = {
  id: v.string(),
  workflowName: v.string(),
  resourceId: v.optional(v.string()),
  stateType: v.optional(v.string()),
  state: v.optional(payload()),
  error: v.optional(payload()),
  createdAt: time(),
  updatedAt: time(),
  extra: v.optional(payload()),
};

// What lists and filters look at. `parentSpanId` is missing in a root, `endedAt` while it runs, and
// `error` unless it failed.
export const spanRowFields = {
  traceId: v.string(),
  spanId: v.string(),
  parentSpanId: v.optional(v.string()),
  name: v.string(),
  spanType: v.string(),
  isEvent: v.optional(v.boolean()),
  startedAt: time(),
  endedAt: v.optional(time()),
  error: v.optional(payload()),
  metadata: v.optional(payload()),
  scope: v.optional(payload()),
  tags: v.optional(payload()),
  entityType: v.optional(v.string()),
  entityId: v.optional(v.string()),
  entityName: v.optional(v.string()),
  entityVersionId: v.optional(v.string()),
  parentEntityType: v.optional(v.string()),
  parentEntityId: v.optional(v.string()),
  parentEntityName: v.optional(v.string()),
  parentEntityVersionId: v.optional(v.string()),
  rootEntityType: v.optional(v.string()),
  rootEntityId: v.optional(v.string()),
  rootEntityName: v.optional(v.string()),
  rootEntityVersionId: v.optional(v.string()),
  userId: v.optional(v.string()),
  organizationId: v.optional(v.string()),
  resourceId: v.optional(v.string()),
  runId: v.optional(v.string()),
  sessionId: v.optional(v.string()),
  threadId: v.optional(v.string()),
  messageId: v.optional(v.string()),
  requestId: v.optional(v.string()),
  environment: v.optional(v.string()),
  source: v.optional(v.string()),
  serviceName: v.optional(v.string()),
  experimentId: v.optional(v.string()),
  // While it is traced live: by what, and in which process of it. Gone when it has ended.
  openedBy: v.optional(v.string()),
  openedIn: v.optional(v.string()),
  createdAt: time(),
  updatedAt: time(),
};

// What only a reader of the span itself looks at; it may be large.
export const spanBodyFields = {
  input: v.optional(payload()),
  output: v.optional(payload()),
  attributes: v.optional(payload()),
  requestContext: v.optional(payload()),
  links: v.optional(payload()),
  extra: v.optional(payload()),
};

export const spanFields = { ...spanRowFields, ...spanBodyFields };

// The beginning of the input, as text: lists show it without reading the input. Clients make it.
export const spanPreview = { inputPreview: v.optional(v.string()) };
/** What is saved of a span. */
export const savedSpanFields = { ...spanFields, ...spanPreview };

export const LIGHT = [
  "traceId",
  "spanId",
  "parentSpanId",
  "name",
  "spanType",
  "isEvent",
  "startedAt",
  "endedAt",
  "error",
  "entityType",
  "entityId",
  "entityName",
  "createdAt",
  "updatedAt",
  "openedBy",
  "openedIn",
] as const;
export const lightSpanFields = pick(spanRowFields, LIGHT);

/** A row of the list of traces or branches: a span without its body. */
export const listedSpanFields = {
  ...spanRowFields,
  ...spanPreview,
  // Whether any span of the trace has an error; of traces alone.
  hasChildError: v.optional(v.boolean()),
};
/** What both lists can be narrowed by, each equal to the field of that name. */
export const spanFilters = {
  spanType: v.optional(v.string()),
  traceId: v.optional(v.string()),
  status: v.optional(v.union(v.literal("success"), v.literal("error"), v.literal("running"))),
  ...pick(spanRowFields, [
    "entityType",
    "entityId",
    "entityName",
    "entityVersionId",
    "parentEntityType",
    "parentEntityId",
    "parentEntityName",
    "parentEntityVersionId",
    "rootEntityType",
    "rootEntityId",
    "rootEntityName",
    "rootEntityVersionId",
    "userId",
    "organizationId",
    "resourceId",
    "runId",
    "sessionId",
    "threadId",
    "messageId",
    "requestId",
    "environment",
    "source",
    "serviceName",
    "experimentId",
  ]),
};

const { traceId: _t, spanId: _s, createdAt: _c, updatedAt: _u, ...changeable } = savedSpanFields;
const { name, spanType, startedAt, ...clearable } = changeable;
const CLEARABLE = Object.keys(clearable) as (keyof typeof clearable)[];
/** What an update takes: any of a span's fields, and the names of those to remove. */
export const spanChange = {
  traceId: v.string(),
  spanId: v.string(),
  ...clearable,
  name: v.optional(name),
  spanType: v.optional(spanType),
  startedAt: v.optional(startedAt),
  cleared: v.optional(v.array(v.union(...CLEARABLE.map((field) => v.literal(field))))),
};

function pick<F, N extends keyof F>(fields: F, names: readonly N[]): Pick<F, N> {
  return Object.fromEntries(names.map((each) => [each, fields[each]])) as Pick<F, N>;
}

export const observationalMemoryFields = {
  id: v.string(),
  scope: v.union(v.literal("thread"), v.literal("resource")),
  threadId: v.optional(v.string()),
  resourceId: v.string(),
  createdAt: time(),
  updatedAt: time(),
  lastObservedAt: v.optional(time()),
  originType: v.union(v.literal("initial"), v.literal("reflection")),
  generationCount: v.number(),
  activeObservations: payload(),
  bufferedReflection: v.optional(payload()),
  bufferedReflectionTokens: v.optional(v.number()),
  bufferedReflectionInputTokens: v.optional(v.number()),
  reflectedObservationLineCount: v.optional(v.number()),
  observedMessageIds: v.optional(payload()),
  observedTimezone: v.optional(v.string()),
  totalTokensObserved: v.number(),
  observationTokenCount: v.number(),
  pendingMessageTokens: v.number(),
  isReflecting: v.boolean(),
  isObserving: v.boolean(),
  isBufferingObservation: v.boolean(),
  isBufferingReflection: v.boolean(),
  lastBufferedAtTokens: v.number(),
  lastBufferedAtTime: v.optional(time()),
  config: payload(),
  metadata: v.optional(payload()),
  extra: v.optional(payload()),
};

// Observations of one cycle that wait to become active.
export const chunkFields = {
  id: v.string(),
  cycleId: v.string(),
  observations: payload(),
  tokenCount: v.number(),
  messageIds: payload(),
  messageTokens: v.number(),
  lastObservedAt: time(),
  createdAt: time(),
  suggestedContinuation: v.optional(payload()),
  currentTask: v.optional(payload()),
  threadTitle: v.optional(payload()),
  extractedValues: v.optional(payload()),
  extractionFailures: v.optional(payload()),
  extra: v.optional(payload()),
};

export const scheduleFields = {
  id: v.string(),
  target: payload(),
  workflowId: v.optional(v.string()),
  cron: v.string(),
  timezone: v.optional(v.string()),
  status: v.union(v.literal("active"), v.literal("paused")),
  nextFireAt: time(),
  lastFireAt: v.optional(time()),
  lastRunId: v.optional(v.string()),
  ownerType: v.optional(v.string()),
  ownerId: v.optional(v.string()),
  metadata: v.optional(payload()),
  createdAt: time(),
  updatedAt: time(),
  extra: v.optional(payload()),
};

export const scheduleTriggerFields = {
  id: v.string(),
  scheduleId: v.string(),
  runId: v.optional(v.string()),
  scheduledFireAt: time(),
  actualFireAt: time(),
  outcome: v.string(),
  error: v.optional(v.string()),
  triggerKind: v.string(),
  parentTriggerId: v.optional(v.string()),
  metadata: v.optional(payload()),
  createdAt: time(),
  extra: v.optional(payload()),
};

export const backgroundTaskFields = {
  id: v.string(),
  status: v.union(
    v.literal("pending"),
    v.literal("running"),
    v.literal("suspended"),
    v.literal("completed"),
    v.literal("failed"),
    v.literal("cancelled"),
    v.literal("timed_out"),
  ),
  toolName: v.string(),
  toolCallId: v.string(),
  args: payload(),
  agentId: v.string(),
  threadId: v.optional(v.string()),
  resourceId: v.optional(v.string()),
  runId: v.string(),
  result: v.optional(payload()),
  error: v.optional(payload()),
  suspendPayload: v.optional(payload()),
  createdAt: time(),
  startedAt: v.optional(time()),
  suspendedAt: v.optional(time()),
  completedAt: v.optional(time()),
  retryCount: v.number(),
  maxRetries: v.number(),
  timeoutMs: v.number(),
  extra: v.optional(payload()),
};

export const channelInstallationFields = {
  id: v.string(),
  platform: v.string(),
  agentId: v.string(),
  status: v.union(v.literal("pending"), v.literal("active"), v.literal("error")),
  webhookId: v.optional(v.string()),
  data: payload(),
  configHash: v.optional(v.string()),
  error: v.optional(v.string()),
  createdAt: time(),
  updatedAt: time(),
  extra: v.optional(payload()),
};

export const channelConfigFields = {
  id: v.string(),
  data: payload(),
  createdAt: time(),
  updatedAt: time(),
  extra: v.optional(payload()),
};

// What Mastra's server caches: a value, a number, or the head of a list (lib/cache.ts).
export const cacheEntryFields = {
  key: v.string(),
  prefix: v.string(),
  kind: v.union(v.literal("value"), v.literal("counter"), v.literal("list")),
  value: v.optional(payload()),
  // The number, or how long the list is.
  count: v.optional(v.number()),
  expiresAt: v.optional(time()),
};

/** What an update takes: nothing, a new value, or null to take the field away. */
export const nullable = <T>(field: Validator<T, "required", any>) =>
  v.optional(v.union(field, v.null()));

/** What a get or a list returns. */
export const record = <F extends PropertyValidators>(fields: F) => v.object(fields);

type SetByStore = "createdAt" | "updatedAt" | "timestamp";
type Saved<F extends PropertyValidators> = {
  [K in Exclude<keyof F, "seq">]: K extends SetByStore
    ? VOptional<F[K] & Validator<number, "required">>
    : F[K];
};

/** What a save takes: the record, with what the store sets left out or given. */
export function saved<F extends PropertyValidators>(fields: F) {
  const { seq: _, ...given } = fields as PropertyValidators;
  for (const name of ["createdAt", "updatedAt", "timestamp"] as const) {
    if (name in given) given[name] = v.optional(time());
  }
  return v.object(given as Saved<F>);
}

/**
 * What a list returns: records, the cursor after them (null at the end), the total if asked.
 * `skipped` answers `skip`: how many of the list were passed over before the page.
 */
export const page = <F extends PropertyValidators>(fields: F) =>
  v.object({
    page: v.array(record(fields)),
    cursor: v.union(v.string(), v.null()),
    total: v.optional(v.number()),
    skipped: v.optional(v.number()),
  });

/** What a list of arrivals returns: records, and the place to go on from. */
export const arrivals = <F extends PropertyValidators>(fields: F) =>
  v.object({ page: v.array(record(fields)), position: v.number(), isDone: v.boolean() });

export const arrivalsArgs = { after: v.optional(v.number()), limit: v.number() };

/**
 * Arguments that every list has. `from` and `to` bound the list's time field, both inclusive; `skip`
 * is how many records to pass over before the page.
 */
export const listArgs = {
  from: v.optional(time()),
  to: v.optional(time()),
  order: v.union(v.literal("asc"), v.literal("desc")),
  cursor: v.optional(v.string()),
  skip: v.optional(v.number()),
  limit: v.number(),
  withTotal: v.optional(v.boolean()),
};
