/** What the functions of observational memory share: generations, chunks, what becomes active. */

import { owns, type Reader, type Writer } from "./access.js";
import { load } from "./chunks.js";
import { iso, plain } from "./columns.js";
import { conflict, limitExceeded, unauthenticated } from "./errors.js";
import * as records from "./records.js";
import { hasRoom } from "./steps.js";
import type { Public, Row, Stored } from "./tables.js";
import { utf8Length } from "./text.js";

const TABLE = "observationalMemory";
const CHUNKS = "observationChunks";
// So that a record can be read with all of its chunks in one transaction.
export const MAX_CHUNKS = 500;
export const MAX_CHUNK_BYTES = 4 * 1024 * 1024;
const AT_ONCE = 50;

type Memory = Row<typeof TABLE>;
type ChunkRow = Row<typeof CHUNKS>;
export type Chunk = Omit<Public<typeof CHUNKS>, "recordId">;

/** A thread, or else a resource. */
export interface Subject {
  threadId?: string;
  resourceId: string;
}

/** The generations of a thread, if one is named, else of a resource. */
export function generations(ctx: Reader, { threadId, resourceId }: Subject) {
  const query = ctx.db.query(TABLE);
  return threadId !== undefined
    ? query.withIndex("by_thread", (q) => q.eq("threadId", threadId))
    : query.withIndex("by_resource", (q) =>
        q.eq("threadId", undefined).eq("resourceId", resourceId),
      );
}

/** The generation with the highest count, or null. */
export async function newest(ctx: Reader, subject: Subject): Promise<Memory | null> {
  return generations(ctx, subject).order("desc").first();
}

/** Whether the caller may see and change it: its owner's, and in a thread of its owner's. */
export async function isVisible(ctx: Reader, subject: Subject): Promise<boolean> {
  if (!owns(ctx, subject.resourceId)) return false;
  return subject.threadId === undefined || records.threadVisible(ctx, subject.threadId);
}

/** Throw UNAUTHENTICATED unless the caller may have memory of this. */
export async function requireSubject(ctx: Reader, subject: Subject): Promise<void> {
  if (await isVisible(ctx, subject)) return;
  throw unauthenticated(
    `observational memory of resource '${subject.resourceId}' is not for this token; use the ` +
      "resource's own token, and its own thread",
  );
}

/** Throw CONFLICT if the record is somebody else's. */
export async function requireVisible(ctx: Reader, record: Memory, id: string): Promise<void> {
  if (await isVisible(ctx, record)) return;
  throw conflict(`observational memory '${id}' cannot be saved; choose another id`, {
    table: TABLE,
    id,
  });
}

/** The chunks of a record that wait, oldest first. */
async function chunksOf(ctx: Reader, id: string): Promise<ChunkRow[]> {
  return ctx.db
    .query(CHUNKS)
    .withIndex("by_record", (q) => q.eq("recordId", id))
    .take(MAX_CHUNKS);
}

async function readChunk(ctx: Reader, row: ChunkRow): Promise<Chunk> {
  const { recordId: _, ...chunk } = await records.read(ctx, row);
  return chunk;
}

/** The record as functions return it. */
export async function withChunks(ctx: Reader, record: Public<typeof TABLE>) {
  const bufferedObservationChunks: Chunk[] = [];
  for (const row of await chunksOf(ctx, record.id)) {
    bufferedObservationChunks.push(await readChunk(ctx, row));
  }
  return { ...record, bufferedObservationChunks };
}

/** Add a chunk to a record, unless one of its cycle is there; whether it was added. */
export async function addChunk(ctx: Writer, id: string, chunk: Chunk): Promise<boolean> {
  if (await records.byKey(ctx, CHUNKS, id, chunk.cycleId)) return false;
  const waiting = await chunksOf(ctx, id);
  const bytes = [...waiting.map(textBytes), inlineText(chunk)].reduce((sum, each) => sum + each, 0);
  if (waiting.length + 1 > MAX_CHUNKS || bytes > MAX_CHUNK_BYTES) {
    throw limitExceeded(
      `observational memory '${id}' has ${waiting.length + 1} chunks of ${bytes} bytes that wait, ` +
        `with this one; at most ${MAX_CHUNKS} of ${MAX_CHUNK_BYTES} can; activate them first`,
      { table: TABLE, id },
    );
  }
  await records.insert(ctx, CHUNKS, { ...chunk, recordId: id });
  return true;
}

function inlineText(chunk: { observations: string; messageIds: string }): number {
  return utf8Length(chunk.observations) + utf8Length(chunk.messageIds);
}

function textBytes(row: ChunkRow): number {
  const moved = row.chunked ?? [];
  return inlineText(row) + moved.reduce((sum, each) => sum + each.bytes, 0);
}

/** A new generation without observations; `of` has its id and what it takes over. */
export function generation(
  ctx: Writer,
  of: Pick<Public<typeof TABLE>, "id" | "scope" | "resourceId" | "originType" | "config"> &
    Partial<Public<typeof TABLE>>,
  generationCount: number,
): Stored<typeof TABLE> {
  const { id, scope, threadId, resourceId, originType, config, observedTimezone } = of;
  return {
    id,
    scope,
    ...(threadId !== undefined && { threadId }),
    resourceId,
    originType,
    config,
    ...(observedTimezone !== undefined && { observedTimezone }),
    createdAt: ctx.now,
    updatedAt: ctx.now,
    generationCount,
    activeObservations: '""',
    totalTokensObserved: of.totalTokensObserved ?? 0,
    observationTokenCount: 0,
    pendingMessageTokens: 0,
    isReflecting: false,
    isObserving: false,
    isBufferingObservation: false,
    isBufferingReflection: false,
    lastBufferedAtTokens: 0,
    metadata: "{}",
  };
}

/** Add the generation that comes after all that there are. */
export async function nextGeneration(
  ctx: Writer,
  before: Public<typeof TABLE>,
  args: { newId: string; reflection: string; tokenCount: number },
): Promise<Public<typeof TABLE>> {
  const { generationCount } = (await newest(ctx, before))!;
  const takenOver = { ...before, id: args.newId, originType: "reflection" as const };
  return addGeneration(ctx, {
    ...generation(ctx, takenOver, generationCount + 1),
    lastObservedAt: before.lastObservedAt ?? ctx.now,
    activeObservations: args.reflection,
    observationTokenCount: args.tokenCount,
  });
}

/** Add a generation; returns it. Throws CONFLICT if its id is taken. */
export async function addGeneration(
  ctx: Writer,
  made: Stored<typeof TABLE>,
): Promise<Public<typeof TABLE>> {
  if (!(await records.byKey(ctx, TABLE, made.id))) return records.insert(ctx, TABLE, made);
  throw conflict(
    `observational memory '${made.id}' cannot be made: the id is taken; choose another`,
    { table: TABLE, id: made.id },
  );
}

export interface Activation {
  activationRatio: number;
  messageTokensThreshold: number;
  currentPendingTokens: number;
  forceMaxActivation?: boolean;
  lastObservedAt?: number;
  weights?: { cycleId: string; messageTokens: number }[];
}

/** Move chunks into the active observations of a record; returns them, as they were. */
export async function activate(ctx: Writer, row: Memory, args: Activation): Promise<Chunk[]> {
  const weights = args.weights && new Map(args.weights.map((w) => [w.cycleId, w.messageTokens]));
  const waiting = (await chunksOf(ctx, row.id)).filter(
    (chunk) => !weights || weights.has(chunk.cycleId),
  );
  if (waiting.length === 0) return [];
  const tokensOf = (chunk: ChunkRow) => weights?.get(chunk.cycleId) ?? chunk.messageTokens;
  const count = howMany(waiting.map(tokensOf), args);
  for (const chunk of waiting.slice(count)) {
    await records.patchRow(ctx, CHUNKS, chunk, { messageTokens: tokensOf(chunk) });
  }
  const chosen: Chunk[] = [];
  for (const chunk of waiting.slice(0, count)) {
    chosen.push({ ...(await readChunk(ctx, chunk)), messageTokens: tokensOf(chunk) });
    await records.remove(ctx, CHUNKS, chunk);
  }
  const before = await load(ctx, row);
  const lastObservedAt = args.lastObservedAt ?? chosen.at(-1)!.lastObservedAt;
  const fresh = chosen.map((chunk) => plain(chunk.observations)).join("\n\n");
  const active = plain(before.record.activeObservations);
  const boundary = `\n\n--- message boundary (${iso(lastObservedAt)}) ---\n\n`;
  const sum = (field: "tokenCount" | "messageTokens") =>
    chosen.reduce((total, chunk) => total + chunk[field], 0);
  await records.patch(ctx, TABLE, before, {
    activeObservations: JSON.stringify(active ? `${active}${boundary}${fresh}` : fresh),
    observationTokenCount: row.observationTokenCount + sum("tokenCount"),
    pendingMessageTokens: Math.max(0, row.pendingMessageTokens - sum("messageTokens")),
    lastObservedAt,
    updatedAt: records.later(ctx, row),
  });
  return chosen;
}

/**
 * How many chunks to activate, so that what is left is close to the retention floor.
 *
 * Rather a little more than too little; but not so much that nearly nothing would be left.
 */
function howMany(weights: number[], args: Activation): number {
  const floor = args.messageTokensThreshold * (1 - args.activationRatio);
  const pending = args.currentPendingTokens;
  const target = Math.max(0, pending - floor);
  let [over, overTokens, under, underTokens, tokens] = [0, 0, 0, 0, 0];
  for (const [position, weight] of weights.entries()) {
    tokens += weight;
    if (tokens >= target) {
      if (over === 0 || tokens < overTokens) [over, overTokens] = [position + 1, tokens];
    } else if (tokens > underTokens) [under, underTokens] = [position + 1, tokens];
  }
  const least = Math.min(1000, floor);
  const leavesEnough = over > 0 && pending - overTokens >= least;
  const isClose = overTokens - target <= floor * 0.95;
  if (leavesEnough && (args.forceMaxActivation || isClose)) return over;
  if (under > 0 && pending - underTokens >= least) return under;
  return over || 1;
}

/** Two texts with an empty line between, or the second alone; both are payloads. */
export function joined(before: string | undefined, text: string): string {
  const old = before === undefined ? "" : plain(before);
  return old ? JSON.stringify(`${old}\n\n${plain(text)}`) : text;
}

/** The reflection put aside, and the lines of observations that it has not seen: a payload. */
export function reflectionAndRest(record: Public<typeof TABLE>): string {
  const reflection = record.bufferedReflection;
  if (reflection === undefined || plain(reflection) === "") {
    throw conflict(
      `observational memory '${record.id}' has no reflection to activate; somebody else may have ` +
        "activated it",
      { table: TABLE, id: record.id },
    );
  }
  const lines = plain(record.activeObservations).split("\n");
  const rest = lines
    .slice(record.reflectedObservationLineCount ?? 0)
    .join("\n")
    .trim();
  return rest ? joined(reflection, JSON.stringify(rest)) : reflection;
}

/** Delete the generations of a subject with their chunks; whether that was all. */
export async function removeAll(ctx: Writer, subject: Subject): Promise<boolean> {
  const found = await generations(ctx, subject).take(AT_ONCE);
  let removed = 0;
  for (const record of found) {
    if (!hasRoom(ctx, AT_ONCE)) return false;
    if (!(await isVisible(ctx, record))) continue;
    await removeMemory(ctx, record);
    removed += 1;
  }
  return removed === 0 || found.length < AT_ONCE;
}

/** Delete a record with its chunks. */
export async function removeMemory(ctx: Writer, record: Memory): Promise<void> {
  for (const chunk of await chunksOf(ctx, record.id)) await records.remove(ctx, CHUNKS, chunk);
  await records.remove(ctx, TABLE, record);
}
