/** Operations on threads, resources and observational memory that are one transaction each. */

import { v } from "convex/values";
import { isObject } from "../lib/checks.js";
import * as columns from "../lib/columns.js";
import { CHUNKS, decoded, encoded, milliseconds } from "../lib/columns.js";
import { invalidArgument, limitExceeded } from "../lib/errors.js";
import * as records from "../lib/records.js";
import * as observationalMemory from "../observationalMemory.js";
import * as resources from "../resources.js";
import * as threads from "../threads.js";
import { done, found, operation, type Operation } from "./requests.js";
import { subjectOf } from "./tables.js";

// The most generations that one request reads: each may be large, with its chunks.
const MAX_HISTORY = 500;
const iso = v.string;
const maybeIso = v.optional(v.string());

/** Change title and metadata; null for a thread that is not there. */
const updateThread = operation(
  {
    id: v.string(),
    title: v.optional(v.string()),
    metadata: v.optional(v.any()),
    updatedAt: iso(),
  },
  async (ctx, { id, title, metadata }) => {
    if (!(await records.byKey(ctx, "threads", id))) return found(null);
    const change = { ...(title !== undefined && { title }), ...payloads({ metadata }) };
    return found(columns.THREADS.row(await threads.update.within(ctx, { id, ...change })));
  },
);

/** Change working memory and metadata; a missing resource is created. */
const updateResource = operation(
  {
    resourceId: v.string(),
    workingMemory: v.optional(v.string()),
    metadata: v.optional(v.any()),
    createdAt: iso(),
    updatedAt: iso(),
  },
  async (ctx, { resourceId, workingMemory, metadata }) => {
    const change = { id: resourceId, ...payloads({ workingMemory, metadata }) };
    return found(columns.RESOURCES.row(await resources.update.within(ctx, change)));
  },
);

/** What is given of these, as JSON text. */
function payloads<N extends string>(given: Record<N, unknown>): Partial<Record<N, string>> {
  const present = Object.entries(given).filter(([, value]) => (value ?? null) !== null);
  return Object.fromEntries(present.map(([name, value]) => [name, encoded(value)])) as any;
}

/** The present generation, or null. */
const latest = operation({ lookupKey: v.string() }, async (ctx, { lookupKey }) => {
  const record = await observationalMemory.get.within(ctx, subjectOf(lookupKey));
  return found(record && columns.memoryRow(record));
});

/** The newest generations, those of a range of time, after `offset` of them. */
const history = operation(
  {
    lookupKey: v.string(),
    limit: v.number(),
    from: maybeIso,
    to: maybeIso,
    offset: v.optional(v.number()),
  },
  async (ctx, { lookupKey, from, to, ...args }) => {
    const low = from === undefined ? -Infinity : milliseconds(from);
    const high = to === undefined ? Infinity : milliseconds(to);
    const start = Math.trunc(args.offset ?? 0);
    const end = start + Math.trunc(args.limit);
    if (end > MAX_HISTORY) throw tooMany(`at most ${MAX_HISTORY} generations can be read at once`);
    const asked = { ...subjectOf(lookupKey), limit: MAX_HISTORY };
    const { page, cursor } = await observationalMemory.list.within(ctx, asked);
    const wanted = page.filter(({ createdAt }) => low <= createdAt && createdAt <= high);
    if (wanted.length < end && cursor !== null) {
      throw tooMany(`there are more than ${page.length} generations`);
    }
    return found(wanted.slice(start, end).map(columns.memoryRow));
  },
);

function tooMany(what: string) {
  return limitExceeded(
    `${what} of observational memory; use observationalMemory:list, which has pages`,
    { limit: MAX_HISTORY },
  );
}

/** Replace the active observations. */
const updateActive = operation(
  {
    id: v.string(),
    observations: v.string(),
    tokenCount: v.number(),
    lastObservedAt: iso(),
    observedMessageIds: v.union(v.array(v.string()), v.null()),
    updatedAt: iso(),
  },
  async (ctx, { id, observations, tokenCount, lastObservedAt, observedMessageIds }) => {
    await observationalMemory.observe.within(ctx, {
      id,
      observations: encoded(observations),
      tokenCount,
      lastObservedAt: milliseconds(lastObservedAt),
      ...payloads({ observedMessageIds }),
    });
    return done();
  },
);

/** Add a chunk of observations, unless one of its cycle is there. */
const appendChunk = operation(
  { id: v.string(), chunk: v.any(), lastBufferedAtTime: maybeIso, updatedAt: iso() },
  async (ctx, { id, lastBufferedAtTime, ...args }) => {
    // The store sets `createdAt`.
    const { createdAt: _, ...chunk } = CHUNKS.record(args.chunk);
    const time = lastBufferedAtTime !== undefined && {
      lastBufferedAtTime: milliseconds(lastBufferedAtTime),
    };
    await observationalMemory.buffer.within(ctx, { id, chunk, ...time });
    return done();
  },
);

/** Make the first chunks active; tells which, and what they hold. */
const swapBuffered = operation(
  {
    id: v.string(),
    activationRatio: v.number(),
    messageTokensThreshold: v.number(),
    currentPendingTokens: v.number(),
    forceMaxActivation: v.optional(v.boolean()),
    lastObservedAt: maybeIso,
    bufferedChunks: v.optional(v.array(v.any())),
    now: iso(),
  },
  async (ctx, { op: _, tableName: __, now: ___, lastObservedAt, bufferedChunks, ...args }) => {
    const weights = bufferedChunks?.map((each) => {
      const { cycleId, messageTokens } = CHUNKS.record(each);
      return { cycleId, messageTokens };
    });
    const activated = await observationalMemory.activate.within(ctx, {
      ...args,
      ...(weights && { weights }),
      ...(lastObservedAt !== undefined && { lastObservedAt: milliseconds(lastObservedAt) }),
    });
    const chunks = activated.map((each) => CHUNKS.row(each));
    const ids = chunks.flatMap((each) => each.messageIds);
    const sum = (name: string) => chunks.reduce((total, each) => total + each[name], 0);
    const last = chunks.at(-1);
    return found({
      chunksActivated: chunks.length,
      messageTokensActivated: sum("messageTokens"),
      observationTokensActivated: sum("tokenCount"),
      messagesActivated: ids.length,
      activatedCycleIds: chunks.map(({ cycleId }) => cycleId),
      activatedMessageIds: ids,
      ...(last && {
        observations: chunks.map(({ observations }) => observations).join("\n\n"),
        perChunk: chunks.map((each) => ({
          cycleId: each.cycleId,
          messageTokens: each.messageTokens,
          observationTokens: each.tokenCount,
          messageCount: each.messageIds.length,
          observations: each.observations,
        })),
        ...("suggestedContinuation" in last && {
          suggestedContinuation: last.suggestedContinuation,
        }),
        ...("currentTask" in last && { currentTask: last.currentTask }),
      }),
    });
  },
);

/** Put a reflection aside until it is activated. */
const bufferReflection = operation(
  {
    id: v.string(),
    reflection: v.string(),
    tokenCount: v.number(),
    inputTokenCount: v.number(),
    reflectedObservationLineCount: v.number(),
    updatedAt: iso(),
  },
  async (ctx, { op: _, tableName: __, updatedAt: ___, reflection, ...args }) => {
    const given = { ...args, reflection: encoded(reflection) };
    await observationalMemory.bufferReflection.within(ctx, given);
    return done();
  },
);

/** Make the next generation of the reflection put aside. */
const swapReflection = operation(
  { currentRecord: v.any(), newId: v.string(), tokenCount: v.number(), now: iso() },
  async (ctx, { currentRecord, newId, tokenCount }) => {
    if (!isObject(currentRecord) || typeof currentRecord.id !== "string") {
      throw invalidArgument("currentRecord has an id", { path: "currentRecord" });
    }
    const given = { id: currentRecord.id, newId, tokenCount };
    return found(
      columns.memoryRow(await observationalMemory.activateReflection.within(ctx, given)),
    );
  },
);

/** Merge into the configuration, maps in maps too. */
const updateConfig = operation(
  { id: v.string(), config: v.string(), updatedAt: iso() },
  async (ctx, { id, config }) => {
    decoded(config);
    await observationalMemory.update.within(ctx, { id, config });
    return done();
  },
);

export const OPERATIONS: Record<string, Operation> = {
  updateThread,
  updateResource,
  omGetLatest: latest,
  omGetHistory: history,
  omUpdateActive: updateActive,
  omAppendBufferedChunk: appendChunk,
  omSwapBuffered: swapBuffered,
  omUpdateBufferedReflection: bufferReflection,
  omSwapBufferedReflection: swapReflection,
  omUpdateConfig: updateConfig,
};
