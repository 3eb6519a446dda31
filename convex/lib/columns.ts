/**
 * The rows of `@mastra/convex`, and our records: the same things under other names.
 *
 * Its adapter has a table for each kind of record, with columns of its own. What is a payload here
 * is JSON text there, a plain text, or a value; what is milliseconds here is ISO 8601 text there, or
 * a number. Columns that we do not know are kept in `extra`.
 */

import type { PropertyValidators } from "convex/values";
import {
  backgroundTaskFields,
  channelConfigFields,
  channelInstallationFields,
  chunkFields,
  messageFields,
  observationalMemoryFields,
  resourceFields,
  saved,
  scheduleFields,
  scheduleTriggerFields,
  scoreFields,
  threadFields,
  workflowRunFields,
} from "../validators.js";
import { check, isObject } from "./checks.js";
import { invalidArgument } from "./errors.js";
import { members } from "./payloads.js";
import type { Fields, Whole } from "./tables.js";

const ISO_TEXT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
// The beginning of the year 1, and the end of the year 9999.
const [FIRST, LAST] = [-62_135_596_800_000, 253_402_300_799_999];
const KEY = /^(?!\$)[ -~]{0,1024}$/;
const MAX_DEPTH = 64;
const MAX_ITEMS = 8192;
const MAX_FIELDS = 1024;

/**
 * How the values of a column become ours, and how ours become theirs. Each kind takes values of its
 * own, and a table has columns of every kind.
 */
interface Kind {
  ours(value: any): unknown;
  theirs(value: any): unknown;
}

const same = (value: unknown) => value;

/** The value of JSON text. Throws INVALID_ARGUMENT for what is none. */
export function decoded(text: unknown): any {
  try {
    return JSON.parse(text as string);
  } catch {
    throw invalidArgument("a payload is no JSON text");
  }
}

/** The value of a payload; what is no JSON text, which other clients can store, is itself. */
function opened(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** JSON text of a value. */
export function encoded(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    throw invalidArgument("a payload is a value of JSON, without int64 and bytes");
  }
}

/** JSON text of a column that has it, or the value itself. */
function textOf(value: unknown): string {
  if (typeof value !== "string") return encoded(value);
  decoded(value);
  return value;
}

/** The value of a payload; its text, if Convex has no such value. */
function said(text: string): unknown {
  const value = opened(text);
  return isSayable(value) ? value : text;
}

/** The columns in `extra`. Throws INVALID_ARGUMENT for what is no text of an object. */
function membersOf(text: unknown): Fields {
  const found = typeof text === "string" ? decoded(text) : null;
  if (isObject(found)) return found;
  throw invalidArgument("extra is JSON text of an object", { path: "extra" });
}

/** The text that a payload is; of anything else, what stands there. */
export function plain(text: string): string {
  const value = opened(text);
  return typeof value === "string" ? value : text;
}

/** The time that ISO 8601 text with a zone names. Throws INVALID_ARGUMENT. */
export function milliseconds(text: unknown): number {
  const time = typeof text === "string" && ISO_TEXT.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw invalidArgument(`a time is ISO 8601 text with a zone, not ${String(text).slice(0, 60)}`);
}

/** The time as ISO 8601 text; the nearest that has four digits for its year. */
export function iso(time: number): string {
  return new Date(Math.max(FIRST, Math.min(time, LAST))).toISOString();
}

/** Whether it is a value of Convex, which has fewer keys than JSON. */
function isSayable(value: unknown, depth = 0): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (depth >= MAX_DEPTH) return false;
  const items = Object.values(value);
  if (Array.isArray(value)) {
    if (items.length > MAX_ITEMS) return false;
  } else if (items.length > MAX_FIELDS || !Object.keys(value).every((key) => KEY.test(key))) {
    return false;
  }
  return items.every((item) => isSayable(item, depth + 1));
}

const SAME: Kind = { ours: same, theirs: same };
/** A payload, as JSON text on both sides. */
const TEXT: Kind = { ours: textOf, theirs: same };
/** A payload that is a plain text there. */
const PLAIN: Kind = { ours: encoded, theirs: plain };
/** A payload that is a value there. */
const VALUE: Kind = { ours: encoded, theirs: said };
const ISO: Kind = { ours: milliseconds, theirs: iso };

type Columns = Record<string, [ours: string, kind: Kind]>;

/** A row as the adapter has it: nothing about it is known until it has been converted. */
export type Row = Record<string, any>;

/**
 * The rows of one of their tables: which of ours it is, and its columns by their names.
 *
 * `derived` are columns that follow from others; what a row says in them is not looked at.
 */
export class Rows<T extends Whole = Whole> {
  private readonly derived: Set<string>;
  private readonly saved;

  constructor(
    readonly table: T,
    fields: PropertyValidators,
    readonly columns: Columns,
    derived = "",
  ) {
    this.derived = new Set(["_id", "_creationTime", ...derived.split(" ")]);
    this.saved = saved(fields);
  }

  /** The record of a row. Throws INVALID_ARGUMENT for what is none of the table. */
  record(row: Row): any {
    return this.checked(this.changes(row));
  }

  /** The fields of a part of a row; null for what is to be taken away. */
  changes(row: Row): Fields {
    if (!isObject(row)) {
      throw invalidArgument(`a row of ${this.table} is an object`, { path: this.table });
    }
    const found: Fields = {};
    let unknown: Fields = {};
    for (const [name, value] of Object.entries(row)) {
      const column = this.columns[name];
      if (column) found[column[0]] = value === null ? null : column[1].ours(value);
      else if (name === "extra") unknown = { ...membersOf(value), ...unknown };
      else if (!this.derived.has(name)) unknown[name] = value;
    }
    if (Object.keys(unknown).length > 0) found.extra = encoded(unknown);
    return found;
  }

  /** A record of all that is not null. Throws INVALID_ARGUMENT for a wrong one. */
  checked(changes: Fields): any {
    const given = Object.entries(changes).filter(([, x]) => x !== null && x !== undefined);
    const found = Object.fromEntries(given);
    check(this.saved, found, this.table);
    return found;
  }

  /**
   * The row of a record. Of what we do not know, only what Convex has no names or values for
   * stays in `extra`.
   */
  row(record: Fields): Row {
    const found: Row = {};
    const unsaid: string[] = [];
    const extra = (record.extra as string | undefined) ?? "{}";
    const known = opened(extra) === extra ? null : members(extra);
    for (const [key, member] of known ?? []) {
      const value = decoded(member.value);
      if (isSayable({ [key]: value })) found[key] = value;
      else unsaid.push(`${member.name}:${member.value}`);
    }
    if (unsaid.length > 0) found.extra = `{${unsaid.join(",")}}`;
    for (const [name, [ours, kind]] of Object.entries(this.columns)) {
      if (record[ours] !== undefined) found[name] = kind.theirs(record[ours]);
    }
    return found;
  }
}

/** Columns of one kind: `theirs:ours`, or one name for both. */
function of(kind: Kind, ...names: string[]): Columns {
  const pairs = names.flatMap((some) => some.split(" ")).map((name) => name.split(":"));
  return Object.fromEntries(pairs.map(([theirs, ours = theirs]) => [theirs, [ours!, kind]]));
}

export const THREADS = new Rows("threads", threadFields, {
  ...of(SAME, "id resourceId title"),
  ...of(TEXT, "metadata"),
  ...of(ISO, "createdAt updatedAt"),
});

export const MESSAGES = new Rows("messages", messageFields, {
  ...of(SAME, "id thread_id:threadId resourceId role type"),
  ...of(TEXT, "content"),
  ...of(ISO, "createdAt"),
});

export const RESOURCES = new Rows("resources", resourceFields, {
  ...of(SAME, "id"),
  ...of(PLAIN, "workingMemory"),
  ...of(TEXT, "metadata"),
  ...of(ISO, "createdAt updatedAt"),
});

export const WORKFLOW_RUNS = new Rows(
  "workflowRuns",
  workflowRunFields,
  {
    ...of(SAME, "workflow_name:workflowName run_id:id resourceId"),
    ...of(TEXT, "snapshot:state"),
    ...of(ISO, "createdAt updatedAt"),
  },
  "id",
);

export const SCORES = new Rows("scores", scoreFields, {
  ...of(SAME, "id scorerId entityId entityType runId source score reason"),
  ...of(SAME, "structuredOutput reasonPrompt extractPrompt analyzePrompt"),
  ...of(SAME, "preprocessPrompt generateScorePrompt generateReasonPrompt"),
  ...of(SAME, "traceId spanId resourceId threadId organizationId projectId"),
  ...of(SAME, "batchId datasetId datasetItemId"),
  ...of(VALUE, "scorer entity input output extractStepResult analyzeStepResult"),
  ...of(VALUE, "preprocessStepResult additionalContext requestContext metadata"),
  ...of(ISO, "createdAt updatedAt"),
});

export const SCHEDULES = new Rows("schedules", scheduleFields, {
  ...of(SAME, "id cron timezone status next_fire_at:nextFireAt"),
  ...of(SAME, "last_fire_at:lastFireAt last_run_id:lastRunId"),
  ...of(SAME, "owner_type:ownerType owner_id:ownerId workflow_id:workflowId"),
  ...of(SAME, "created_at:createdAt updated_at:updatedAt"),
  ...of(TEXT, "target metadata"),
});

export const SCHEDULE_TRIGGERS = new Rows("scheduleTriggers", scheduleTriggerFields, {
  ...of(SAME, "id schedule_id:scheduleId run_id:runId outcome error"),
  ...of(SAME, "scheduled_fire_at:scheduledFireAt actual_fire_at:actualFireAt"),
  ...of(SAME, "trigger_kind:triggerKind parent_trigger_id:parentTriggerId"),
  ...of(TEXT, "metadata"),
});

export const BACKGROUND_TASKS = new Rows("backgroundTasks", backgroundTaskFields, {
  ...of(SAME, "id status tool_call_id:toolCallId tool_name:toolName"),
  ...of(SAME, "agent_id:agentId run_id:runId thread_id:threadId"),
  ...of(SAME, "resource_id:resourceId retry_count:retryCount"),
  ...of(SAME, "max_retries:maxRetries timeout_ms:timeoutMs"),
  ...of(TEXT, "args result error suspend_payload:suspendPayload"),
  ...of(ISO, "createdAt startedAt suspendedAt completedAt"),
});

export const CHANNEL_INSTALLATIONS = new Rows("channelInstallations", channelInstallationFields, {
  ...of(SAME, "id platform agentId status webhookId configHash error"),
  ...of(TEXT, "data"),
  ...of(ISO, "createdAt updatedAt"),
});

export const CHANNEL_CONFIGS = new Rows(
  "channelConfigs",
  channelConfigFields,
  { ...of(SAME, "platform:id"), ...of(TEXT, "data"), ...of(ISO, "createdAt updatedAt") },
  "id",
);

/** What waits in a record of observational memory: elements of a list in one of its columns. */
export const CHUNKS = new Rows("observationChunks", chunkFields, {
  ...of(SAME, "id cycleId tokenCount messageTokens"),
  ...of(PLAIN, "observations suggestedContinuation currentTask threadTitle"),
  ...of(VALUE, "messageIds extractedValues extractionFailures"),
  ...of(ISO, "lastObservedAt createdAt"),
});

export const OBSERVATIONAL_MEMORY = new Rows(
  "observationalMemory",
  observationalMemoryFields,
  {
    ...of(SAME, "id scope threadId resourceId originType generationCount"),
    ...of(SAME, "bufferedReflectionTokens bufferedReflectionInputTokens"),
    ...of(SAME, "reflectedObservationLineCount observedTimezone"),
    ...of(SAME, "totalTokensObserved observationTokenCount pendingMessageTokens"),
    ...of(SAME, "isReflecting isObserving isBufferingObservation isBufferingReflection"),
    ...of(SAME, "lastBufferedAtTokens"),
    ...of(PLAIN, "activeObservations bufferedReflection"),
    ...of(TEXT, "config metadata"),
    ...of(VALUE, "observedMessageIds"),
    ...of(ISO, "createdAt updatedAt lastObservedAt lastBufferedAtTime"),
  },
  "lookupKey lastReflectionAt bufferedObservationChunks activeObservationsPendingUpdate " +
    "bufferedObservations bufferedObservationTokens bufferedMessageIds",
);

/** The chunks that wait in a row of observational memory. */
export function chunksOfRow(row: Row): any[] {
  const given = row.bufferedObservationChunks || [];
  const chunks = typeof given === "string" ? decoded(given) : given;
  if (!Array.isArray(chunks)) {
    throw invalidArgument("bufferedObservationChunks is JSON text of a list");
  }
  return chunks.map((each) => CHUNKS.record(each));
}

/** The row of a record of observational memory with its chunks. */
export function memoryRow(record: Fields): Row {
  const { threadId, resourceId, bufferedObservationChunks } = record;
  const chunks = (bufferedObservationChunks as Fields[]).map((each) => CHUNKS.row(each));
  return {
    ...OBSERVATIONAL_MEMORY.row(record),
    lookupKey: threadId === undefined ? `resource:${resourceId}` : `thread:${threadId}`,
    bufferedObservationChunks: JSON.stringify(chunks),
  };
}
