/**
 * Tables and indexes, each index with its purpose.
 *
 * `extra` is JSON text of the fields that we do not know: they survive a round trip.
 * Times are milliseconds since the epoch. Every index ends, unseen, in `_creationTime`.
 * `tables` is for projects with tables of their own: `defineSchema({ ...tables, ... })`.
 */

import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";
import {
  chunkFields,
  backgroundTaskFields,
  cacheEntryFields,
  channelConfigFields,
  channelInstallationFields,
  evalFields,
  messageFields,
  observationalMemoryFields,
  payload,
  resourceFields,
  scheduleFields,
  scheduleTriggerFields,
  scoreFields,
  spanBodyFields,
  spanPreview,
  spanRowFields,
  spansAt,
  threadFields,
  time,
  traceFields,
  workflowRunFields,
} from "./validators.js";
import { feedbackFields, logFields, metricFields, scoreEventFields } from "./validatorsSignals.js";

// Fields whose text rests in `chunks`, and how long it is there (lib/chunks.ts).
const chunked = v.optional(v.array(v.object({ field: v.string(), bytes: v.number() })));

// What the lists of traces and branches have of a span: what they are narrowed and ordered by.
const listedFields = {
  trace: v.string(),
  spanId: v.string(),
  startedAt: time(),
  // When it ended; while it runs, later than anything (lib/listed.ts).
  endsAt: time(),
  status: v.string(),
  resourceId: v.optional(v.string()),
  threadId: v.optional(v.string()),
  runId: v.optional(v.string()),
  entityId: v.optional(v.string()),
  chunked,
};

export const tables = {
  threads: defineTable({
    ...threadFields,
    // Both change with the thread's messages, in their transaction.
    messageCount: v.number(),
    lastSeq: v.number(),
    // Messages up to this number belong to the thread's owner, whatever they say (lib/ownership.ts).
    takenOver: v.optional(v.number()),
    chunked,
  })
    // get, save, update
    .index("by_key", ["id"])
    // lists of one owner
    .index("by_resource_created", ["resourceId", "createdAt"])
    .index("by_resource_updated", ["resourceId", "updatedAt"])
    // lists of everything
    .index("by_created", ["createdAt"])
    .index("by_updated", ["updatedAt"]),
  messages: defineTable({ ...messageFields, chunked })
    // get, save, update
    .index("by_key", ["id"])
    // a thread's messages in Mastra's order; date ranges
    .index("by_thread_created", ["threadId", "createdAt", "seq"])
    // a resource's messages in all threads
    .index("by_resource_created", ["resourceId", "createdAt", "seq"]),
  resources: defineTable({ ...resourceFields, chunked })
    // get, save, update
    .index("by_key", ["id"]),
  traces: defineTable({ ...traceFields, ...spansAt, chunked })
    // get, save
    .index("by_key", ["id"])
    // lists by one criterion, in time
    .index("by_timestamp", ["timestamp"])
    .index("by_thread", ["threadId", "timestamp"])
    .index("by_run", ["runId", "timestamp"])
    .index("by_scope", ["scope", "timestamp"])
    // names that begin with a text
    .index("by_name", ["name", "timestamp"]),
  // One document a trace of spans. Its spans name it by its `_id` as text in `trace`, so that they
  // are there for readers as long as it is, and one that is deleted may come anew.
  spanTraces: defineTable({
    traceId: v.string(),
    // The root, or until there is one the first span that came: whose the trace is.
    headSpanId: v.string(),
    resourceId: v.optional(v.string()),
    organizationId: v.optional(v.string()),
    // Of the root; missing until there is one.
    startedAt: v.optional(time()),
    // Whether any span has an error (their number is a counter).
    failed: v.boolean(),
    chunked,
  })
    // get, save
    .index("by_key", ["traceId"]),
  spans: defineTable({ trace: v.string(), ...spanRowFields, ...spanPreview, chunked })
    // get, save, update
    .index("by_key", ["trace", "spanId"])
    // a trace's structure, in the order of arrival: what comes later moves no page before it
    .index("by_trace", ["trace"])
    // the traces that name a message, and the messages that a trace names
    .index("by_message", ["messageId", "trace"])
    .index("by_trace_message", ["trace", "messageId"])
    // what somebody traces at present, or has left behind
    .index("by_opener", ["openedBy"]),
  // What is large of a span, so that lists and structures need not read it.
  spanBodies: defineTable({
    trace: v.string(),
    spanId: v.string(),
    ...spanBodyFields,
    chunked,
  })
    // get, save, update
    .index("by_key", ["trace", "spanId"]),
  // The list of traces: one document for each that has a root, with what is kept of it.
  traceRoots: defineTable({
    ...listedFields,
    messageId: v.optional(v.string()),
    failed: v.boolean(),
  })
    // get, save
    .index("by_key", ["trace"])
    // lists by one criterion, by beginning
    .index("by_started", ["startedAt"])
    .index("by_message_started", ["messageId", "startedAt"])
    .index("by_run_started", ["runId", "startedAt"])
    .index("by_thread_started", ["threadId", "startedAt"])
    .index("by_resource_started", ["resourceId", "startedAt"])
    .index("by_entity_started", ["entityId", "startedAt"])
    .index("by_status_started", ["status", "startedAt"])
    // and by end
    .index("by_ended", ["endsAt"])
    .index("by_message_ended", ["messageId", "endsAt"])
    .index("by_run_ended", ["runId", "endsAt"])
    .index("by_thread_ended", ["threadId", "endsAt"])
    .index("by_resource_ended", ["resourceId", "endsAt"])
    .index("by_entity_ended", ["entityId", "endsAt"])
    .index("by_status_ended", ["status", "endsAt"]),
  // The list of branches: one document for each span that anchors one (lib/listed.ts).
  traceBranches: defineTable(listedFields)
    // get, save
    .index("by_key", ["trace", "spanId"])
    // lists by one criterion, by beginning
    .index("by_started", ["startedAt"])
    .index("by_trace_started", ["trace", "startedAt"])
    .index("by_run_started", ["runId", "startedAt"])
    .index("by_thread_started", ["threadId", "startedAt"])
    .index("by_resource_started", ["resourceId", "startedAt"])
    .index("by_entity_started", ["entityId", "startedAt"])
    // and by end
    .index("by_ended", ["endsAt"])
    .index("by_trace_ended", ["trace", "endsAt"])
    .index("by_run_ended", ["runId", "endsAt"])
    .index("by_thread_ended", ["threadId", "endsAt"])
    .index("by_resource_ended", ["resourceId", "endsAt"])
    .index("by_entity_ended", ["entityId", "endsAt"]),
  logs: defineTable({ ...logFields, chunked })
    // get, save
    .index("by_key", ["logId"])
    // lists by one criterion, in time
    .index("by_timestamp", ["timestamp"])
    .index("by_level", ["level", "timestamp"])
    .index("by_trace", ["traceId", "timestamp"])
    .index("by_run", ["runId", "timestamp"])
    .index("by_thread", ["threadId", "timestamp"])
    .index("by_resource", ["resourceId", "timestamp"]),
  metrics: defineTable({ ...metricFields, chunked })
    // get, save
    .index("by_key", ["metricId"])
    // lists by one criterion, in time; and the names
    .index("by_timestamp", ["timestamp"])
    .index("by_name", ["name", "timestamp"])
    .index("by_trace", ["traceId", "timestamp"])
    .index("by_resource", ["resourceId", "timestamp"]),
  // Scores of the observability domain.
  scoreEvents: defineTable({ ...scoreEventFields, chunked })
    // get, save
    .index("by_key", ["scoreId"])
    // lists by one criterion, in time
    .index("by_timestamp", ["timestamp"])
    .index("by_scorer", ["scorerId", "timestamp"])
    .index("by_trace", ["traceId", "timestamp"])
    .index("by_span", ["traceId", "spanId", "timestamp"])
    .index("by_message", ["messageId", "timestamp"])
    .index("by_run", ["runId", "timestamp"])
    .index("by_thread", ["threadId", "timestamp"])
    .index("by_resource", ["resourceId", "timestamp"])
    // the best or the worst
    .index("by_score", ["score"])
    .index("by_scorer_score", ["scorerId", "score"]),
  feedback: defineTable({ ...feedbackFields, chunked })
    // get, save, review
    .index("by_key", ["feedbackId"])
    // lists by one criterion, in time
    .index("by_timestamp", ["timestamp"])
    .index("by_type", ["feedbackType", "timestamp"])
    .index("by_review", ["reviewStatus", "timestamp"])
    .index("by_trace", ["traceId", "timestamp"])
    .index("by_span", ["traceId", "spanId", "timestamp"])
    .index("by_message", ["messageId", "timestamp"])
    .index("by_run", ["runId", "timestamp"])
    .index("by_thread", ["threadId", "timestamp"])
    .index("by_resource", ["resourceId", "timestamp"]),
  evals: defineTable({ ...evalFields, chunked })
    // get, save
    .index("by_key", ["id"])
    // lists by one criterion, in time
    .index("by_created", ["createdAt"])
    .index("by_agent", ["agentName", "createdAt"])
    .index("by_agent_type", ["agentName", "type", "createdAt"])
    .index("by_type", ["type", "createdAt"])
    .index("by_thread", ["threadId", "createdAt"]),
  workflowRuns: defineTable({ ...workflowRunFields, chunked })
    // get, save: the workflow's name and the run's id together
    .index("by_key", ["workflowName", "id"])
    // get without the workflow's name: the newest run of that id
    .index("by_run", ["id", "createdAt"])
    // lists by one criterion, in time
    .index("by_created", ["createdAt"])
    .index("by_workflow", ["workflowName", "createdAt"])
    .index("by_workflow_status", ["workflowName", "stateType", "createdAt"])
    .index("by_resource", ["resourceId", "createdAt"])
    .index("by_status", ["stateType", "createdAt"]),
  observationalMemory: defineTable({ ...observationalMemoryFields, chunked })
    // change
    .index("by_key", ["id"])
    // the generations of a thread; those of a resource have no thread
    .index("by_thread", ["threadId", "generationCount"])
    .index("by_resource", ["threadId", "resourceId", "generationCount"]),
  // What waits to become active in a record of observational memory (lib/observations.ts).
  observationChunks: defineTable({ ...chunkFields, recordId: v.string(), chunked })
    // whether a cycle is there
    .index("by_key", ["recordId", "cycleId"])
    // a record's, oldest first
    .index("by_record", ["recordId", "createdAt"]),
  scores: defineTable({ ...scoreFields, chunked })
    // get, save
    .index("by_key", ["id"])
    // lists by one criterion, in time
    .index("by_scorer", ["scorerId", "createdAt"])
    .index("by_scorer_source", ["scorerId", "source", "createdAt"])
    .index("by_run", ["runId", "createdAt"])
    .index("by_entity", ["entityId", "entityType", "createdAt"])
    .index("by_span", ["traceId", "spanId", "createdAt"])
    // lists of one resource's own
    .index("by_resource", ["resourceId", "createdAt"]),
  schedules: defineTable({ ...scheduleFields, chunked })
    // get, create, update
    .index("by_key", ["id"])
    // what is to be fired, in time
    .index("by_due", ["status", "nextFireAt"])
    // lists by one criterion, in time
    .index("by_created", ["createdAt"])
    .index("by_workflow", ["workflowId", "createdAt"])
    .index("by_owner", ["ownerType", "ownerId", "createdAt"]),
  scheduleTriggers: defineTable({ ...scheduleTriggerFields, chunked })
    // record
    .index("by_key", ["id"])
    // a schedule's history, in time
    .index("by_schedule", ["scheduleId", "actualFireAt"]),
  backgroundTasks: defineTable({ ...backgroundTaskFields, chunked })
    // get, create, update
    .index("by_key", ["id"])
    // lists by one criterion, in time
    .index("by_created", ["createdAt"])
    .index("by_tool_call", ["toolCallId", "createdAt"])
    .index("by_run", ["runId", "createdAt"])
    .index("by_thread", ["threadId", "createdAt"])
    .index("by_resource", ["resourceId", "createdAt"])
    .index("by_agent", ["agentId", "createdAt"])
    .index("by_agent_status", ["agentId", "status", "createdAt"])
    .index("by_status", ["status", "createdAt"])
    .index("by_tool", ["toolName", "createdAt"]),
  channelInstallations: defineTable({ ...channelInstallationFields, chunked })
    // get, save
    .index("by_key", ["id"])
    // that of an agent, the best status first
    .index("by_agent", ["platform", "agentId", "status"])
    // that of a webhook
    .index("by_webhook", ["webhookId"])
    // lists, in time
    .index("by_platform", ["platform", "createdAt"]),
  channelConfigs: defineTable({ ...channelConfigFields, chunked })
    // get, save; the id is the platform
    .index("by_key", ["id"]),
  // What Mastra's server caches (lib/cache.ts); no records of users, and so in no statistics.
  cacheEntries: defineTable(cacheEntryFields)
    // get, set
    .index("by_key", ["key"])
    // clear
    .index("by_prefix", ["prefix"])
    // what has expired
    .index("by_expiry", ["expiresAt"]),
  // The elements of a list, which they name by its `_id` as text.
  cacheItems: defineTable({ list: v.string(), position: v.number(), value: payload() })
    // a range of a list
    .index("by_key", ["list", "position"]),
  // What discovery lists: values that spans, logs and metrics have had (lib/facets.ts).
  facets: defineTable({
    kind: v.string(),
    // What it is of, and its key, or empty.
    of: v.string(),
    key: v.string(),
    value: v.string(),
    table: v.string(),
  })
    // save; the values of one kind, each once
    .index("by_key", ["kind", "of", "key", "value", "table"])
    // what is forgotten with a table
    .index("by_table", ["table"]),
  // How many documents an index has under its leading values: totals of lists are read, not
  // counted (lib/counters.ts).
  counters: defineTable({
    table: v.string(),
    index: v.string(),
    first: v.string(),
    // Empty for an index with one leading value.
    second: v.string(),
    count: v.number(),
  })
    .index("by_key", ["table", "index", "first", "second"])
    // what is counted of a thread, when it goes
    .index("by_second", ["table", "index", "second"]),
  // Text that a small document has no room for (lib/chunks.ts).
  chunks: defineTable({
    record: v.string(),
    field: v.string(),
    position: v.number(),
    text: v.string(),
  })
    // all parts of a record, in order
    .index("by_record", ["record", "field", "position"]),
  // Documents and bytes of a table, as the sum of its shards (lib/totals.ts).
  totals: defineTable({
    table: v.string(),
    shard: v.number(),
    documents: v.number(),
    bytes: v.number(),
  })
    // the sum; one shard to add to
    .index("by_table", ["table", "shard"]),
  // Threads that are being deleted, copied or given away, in steps (lib/cascade.ts).
  jobs: defineTable({
    threadId: v.string(),
    kind: v.union(v.literal("remove"), v.literal("clone"), v.literal("own")),
    // The step that comes next: one that is started twice finds another number here.
    step: v.number(),
    clone: v.optional(
      v.object({
        source: v.id("threads"),
        sourceId: v.string(),
        // What the thread will be when all its messages are there.
        thread: v.object(threadFields),
        lastSeq: v.number(),
        copied: v.number(),
        // The newest message that was copied.
        lastMessageId: v.optional(v.string()),
        // The owner that the copies get instead of their own.
        resourceId: v.optional(v.string()),
        from: v.optional(time()),
        to: v.optional(time()),
        // The ids that are still to be copied, newest message first.
        messageIds: v.optional(v.array(v.string())),
        limit: v.number(),
        // Where the walk through the source stands.
        after: v.optional(v.array(v.union(v.number(), v.string()))),
      }),
    ),
    own: v.optional(
      v.object({
        resourceId: v.string(),
        lastSeq: v.number(),
        // Where the walk through the thread stands.
        after: v.optional(v.array(v.union(v.number(), v.string()))),
      }),
    ),
  })
    // whether a thread's id is held
    .index("by_thread", ["threadId"]),
};

export default defineSchema(tables);
