/**
 * Messages of several threads as one list: by `createdAt`, then the order of threads, then `seq`.
 *
 * Of each thread a few rows are read at a time, and more where they are used up.
 */

import type { Reader } from "./access.js";
import { chunkedBytes, inlineBytes, ROW_READ_BYTES } from "./chunks.js";
import * as counters from "./counters.js";
import { decodeCursor, encodeCursor } from "./cursor.js";
import {
  type ListArgs,
  limitOf,
  MAX_LOOK,
  type Page,
  skipOf,
  threadRange,
  WALK,
} from "./paging.js";
import { type Key, keyOf, walk } from "./ranges.js";
import type { Row } from "./tables.js";
import type { Threads } from "./touched.js";

export const MAX_THREADS = 100;

type Message = Row<"messages">;
type Thread = Row<"threads">;

interface Args extends ListArgs {
  threadIds: string[];
  resourceId?: string;
}

/**
 * The reply of `messages:listByThreads`.
 *
 * With a `resourceId`, of what belongs to it. Messages of others are looked at and left out.
 */
export async function messagesOf(
  ctx: Reader,
  threads: Threads,
  args: Args,
): Promise<Page<"messages">> {
  const [limit, skip] = [limitOf(args.limit), skipOf(args.skip)];
  const { threadIds, resourceId, from, to, order } = args;
  const identity = ["messages", threadIds, from ?? null, to ?? null, order, resourceId ?? null];
  // The place of the thread, then the message's own key.
  const after = args.cursor === undefined ? null : decodeCursor(identity, args.cursor, 5);
  const found: [number, Thread][] = [];
  for (const [rank, id] of threadIds.entries()) {
    const thread = await threads.get(id);
    if (thread) found.push([rank, thread]);
  }
  const step = Math.ceil((limit + skip) / Math.max(found.length, 1)) + 1;
  const lists = found.map(([rank, thread]) => new Walk(ctx, args, rank, thread, after, step));
  const reply: Page<"messages"> = { page: [], cursor: null };
  let [last, skipped, more] = [after, 0, false];
  for (let looked = 0; ;) {
    const next = await first(lists, order);
    if (!next) break;
    const message = next.row!;
    more = reply.page.length >= limit || looked >= MAX_LOOK || ctx.load.room < ROW_READ_BYTES;
    more ||= reply.page.length > 0 && chunkedBytes(message) > ctx.load.room;
    if (more) break;
    looked += 1;
    last = next.take();
    if (resourceId !== undefined && (await threads.ownerOf(message)) !== resourceId) continue;
    if (skipped < skip) skipped += 1;
    else reply.page.push(await threads.read(message));
  }
  if (more && last) reply.cursor = encodeCursor(identity, last);
  if (args.withTotal && from === undefined && to === undefined) {
    const total = await totalOf(ctx, found, resourceId);
    if (total !== undefined) reply.total = total;
  }
  if (skip > 0) reply.skipped = skipped;
  return reply;
}

/** How many messages are in the list; undefined where owners are not counted yet. */
async function totalOf(ctx: Reader, found: [number, Thread][], resourceId?: string) {
  let total = 0;
  for (const [, thread] of found) {
    if (resourceId === undefined) total += thread.messageCount;
    else if (thread.takenOver !== undefined) return undefined;
    else total += await counters.owned(ctx, resourceId, thread.id);
  }
  return total;
}

/** The list whose message comes next, if any has one. */
async function first(lists: Walk[], order: ListArgs["order"]): Promise<Walk | null> {
  let found: Walk | null = null;
  for (const list of lists) {
    if (!(await list.peek())) continue;
    if (!found || list.isBefore(found, order)) found = list;
  }
  return found;
}

/** The messages of one thread in the list, after a key of the list. */
class Walk {
  private rows: Message[] = [];
  private ended = false;
  private last: Key | null;
  private readonly range;

  constructor(
    private readonly ctx: Reader,
    private readonly args: Args,
    private readonly rank: number,
    thread: Thread,
    after: Key | null,
    private readonly step: number,
  ) {
    this.range = { ...threadRange(thread.id), from: args.from, to: args.to };
    this.last = after && resumed(after, rank);
  }

  /** The next message, which is read already. */
  get row(): Message | undefined {
    return this.rows[0];
  }

  /** Read on if need be; whether there is a message. */
  async peek(): Promise<boolean> {
    if (this.rows.length > 0 || this.ended) return this.rows.length > 0;
    const room = Math.floor(this.ctx.load.room / ROW_READ_BYTES);
    const count = Math.max(1, Math.min(this.step, WALK, room));
    const found = await walk(this.ctx, this.range, this.args.order, this.last, count);
    for (const row of found) this.ctx.load.note(inlineBytes(row));
    this.ended = found.length < count;
    this.rows = found as Message[];
    return found.length > 0;
  }

  /** Whether the next message here comes before that of another thread. */
  isBefore(other: Walk, order: ListArgs["order"]): boolean {
    const times = this.row!.createdAt - other.row!.createdAt;
    const ahead = times === 0 ? this.rank - other.rank : times;
    return order === "asc" ? ahead < 0 : ahead > 0;
  }

  /** Leave the next message behind; returns its key in the list. */
  take(): Key {
    this.last = keyOf(this.range, this.rows.shift()!);
    return [this.rank, ...this.last];
  }
}

/** Where a thread's messages go on after a key of the list. */
function resumed([at, ...key]: Key, rank: number): Key {
  if (at === rank) return key;
  // Of the same time, a thread's messages lie all on one side of another thread's.
  const end = rank < Number(at) ? Infinity : -Infinity;
  return [key[0]!, end, end, rank < Number(at) ? "\uffff" : ""];
}
