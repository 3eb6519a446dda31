/** Public shapes of the signals: logs, metrics, scores and feedback of the observability domain. */

import { v, type PropertyValidators, type Validator, type VOptional } from "convex/values";
import { payload, time } from "./validators.js";

const text = v.optional(v.string());

const context = {
  traceId: text,
  spanId: text,
  messageId: text,
  threadId: text,
  runId: text,
  resourceId: text,
  entityType: text,
  entityId: text,
  entityName: text,
  entityVersionId: text,
  parentEntityType: text,
  parentEntityId: text,
  parentEntityName: text,
  parentEntityVersionId: text,
  rootEntityType: text,
  rootEntityId: text,
  rootEntityName: text,
  rootEntityVersionId: text,
  userId: text,
  organizationId: text,
  sessionId: text,
  requestId: text,
  experimentId: text,
  environment: text,
  serviceName: text,
  executionSource: text,
};
/** What a signal says of where it comes from: text by which every list may be narrowed. */
export const CONTEXT = Object.keys(context);

const common = {
  ...context,
  scope: v.optional(payload()),
  tags: v.optional(payload()),
  metadata: v.optional(payload()),
  timestamp: time(),
  createdAt: time(),
  extra: v.optional(payload()),
};

export const logFields = {
  logId: v.string(),
  level: v.union(
    v.literal("debug"),
    v.literal("info"),
    v.literal("warn"),
    v.literal("error"),
    v.literal("fatal"),
  ),
  message: payload(),
  data: v.optional(payload()),
  ...common,
};

export const metricFields = {
  metricId: v.string(),
  name: v.string(),
  value: v.number(),
  labels: v.optional(payload()),
  provider: v.optional(v.string()),
  model: v.optional(v.string()),
  estimatedCost: v.optional(v.number()),
  costUnit: v.optional(v.string()),
  costMetadata: v.optional(payload()),
  ...common,
};

export const scoreEventFields = {
  scoreId: v.string(),
  scorerId: v.string(),
  scorerName: v.optional(v.string()),
  scorerVersion: v.optional(v.string()),
  scoreSource: v.optional(v.string()),
  score: v.number(),
  reason: v.optional(payload()),
  scoreTraceId: v.optional(v.string()),
  ...common,
};

export const feedbackFields = {
  feedbackId: v.string(),
  feedbackType: v.string(),
  // A number, or a text.
  value: payload(),
  feedbackSource: v.string(),
  feedbackUserId: v.optional(v.string()),
  comment: v.optional(payload()),
  sourceId: v.optional(v.string()),
  reviewStatus: v.union(v.literal("needs-review"), v.literal("reviewed")),
  ...common,
};

type Criteria<F extends PropertyValidators, K extends keyof F> = {
  [N in K]: F[N] extends Validator<any, "required", any> ? VOptional<F[N]> : F[N];
} & typeof context;

/** Arguments of a list of signals: its context, and fields of its own. */
export function criteria<F extends PropertyValidators, K extends keyof F & string>(
  fields: F,
  ...own: K[]
) {
  const named: PropertyValidators = { ...context };
  for (const name of own) {
    const field = fields[name]!;
    named[name] = field.isOptional === "optional" ? field : v.optional(field as never);
  }
  return named as Criteria<F, K>;
}

/** Whose signals are deleted, if not everybody's. */
export const tenant = { organizationId: text, resourceId: text };

export const removalArgs = { traceIds: v.array(v.string()), ...tenant, cursor: text };
/** How many of the traces are not done with, the first of them up to the cursor. */
export const removalResult = v.object({
  rest: v.number(),
  cursor: v.union(v.string(), v.null()),
});
