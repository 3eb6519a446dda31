/** Messages with those before and after them in their threads: windows around search results. */

import type { Reader } from "./access.js";
import { checkBatch } from "./batches.js";
import * as chunks from "./chunks.js";
import { invalidArgument } from "./errors.js";
import { MAX_PAGE, threadRange } from "./paging.js";
import { keyOf, walk } from "./ranges.js";
import * as records from "./records.js";
import type { Public, Row } from "./tables.js";
import { Threads } from "./touched.js";

// Rows that are read at a time on one side of a message.
const ROWS = 100;

/** A message, and how many before and after it are wanted. */
export interface Around {
  id: string;
  previous: number;
  next: number;
  /** It is not wanted itself: an earlier call has come as far as here. */
  seen?: boolean;
}

interface Scope {
  resourceId?: string;
  threadIds?: string[];
}

/**
 * The reply of `messages:listBeside`.
 *
 * One call looks at so many messages as a page has; what is left to do is `rest`, the next call's
 * `around`.
 */
export async function messagesBeside(ctx: Reader, around: Around[], scope: Scope) {
  checkBatch(around.length, "messages to look around");
  for (const entry of around) {
    checkCount("previous", entry.previous);
    checkCount("next", entry.next);
  }
  const found = new Walk(ctx, scope);
  const rest: Around[] = [];
  for (const entry of around) {
    if (found.hasRoom) rest.push(...(await found.window(entry)));
    else rest.push(entry);
  }
  return { page: [...found.page.values()], rest };
}

/** What one call has looked at and found. */
class Walk {
  readonly page = new Map<string, Public<"messages">>();
  private readonly threads: Threads;
  private room = MAX_PAGE;
  // Each call comes a message further at least, however large that is.
  private moved = false;

  constructor(
    private readonly ctx: Reader,
    private readonly scope: Scope,
  ) {
    this.threads = new Threads(ctx);
  }

  /** Whether this call may look at more messages. */
  get hasRoom(): boolean {
    if (!this.moved) return true;
    return this.room > 0 && this.ctx.load.room > ROWS * chunks.ROW_READ_BYTES;
  }

  /** Look at the window of one entry; returns what is left of it. */
  async window(entry: Around): Promise<Around[]> {
    const target = await records.byKey(this.ctx, "messages", entry.id);
    this.room -= 1;
    if (!target || !(await this.mayStart(target))) return [];
    if (!entry.seen) {
      if (!(await this.isWanted(target))) return [];
      await this.take(target);
    }
    const before = await this.side(target, "previous", entry.previous);
    const after = await this.side(target, "next", entry.next);
    return [...before, ...after];
  }

  /** Look at `count` messages on one side. */
  private async side(target: Row<"messages">, name: "previous" | "next", count: number) {
    const range = threadRange(target.threadId);
    const order = name === "previous" ? "desc" : "asc";
    let last = target;
    const left = () => [{ id: last.id, previous: 0, next: 0, seen: true, [name]: count }];
    while (count > 0) {
      if (!this.hasRoom) return left();
      const wanted = Math.min(count, this.room, ROWS);
      const rows = await walk(this.ctx, range, order, keyOf(range, last), wanted);
      for (const row of rows as Row<"messages">[]) {
        if (this.moved && chunks.chunkedBytes(row) > this.ctx.load.room) return left();
        this.ctx.load.note(chunks.inlineBytes(row));
        this.room -= 1;
        this.moved = true;
        last = row;
        if (!(await this.isWanted(row))) continue;
        await this.take(row);
        count -= 1;
      }
      if (rows.length < wanted) return [];
    }
    return [];
  }

  /** Whether the caller may see the thread, and it is of an owner that the list is about. */
  private async mayStart(target: Row<"messages">): Promise<boolean> {
    const thread = await this.threads.get(target.threadId);
    if (!thread) return false;
    const { resourceId, threadIds } = this.scope;
    if (resourceId !== undefined || !threadIds) return true;
    for (const id of threadIds) {
      if ((await this.threads.get(id))?.resourceId === thread.resourceId) return true;
    }
    return false;
  }

  private async isWanted(message: Row<"messages">): Promise<boolean> {
    const { resourceId } = this.scope;
    return resourceId === undefined || (await this.threads.ownerOf(message)) === resourceId;
  }

  private async take(message: Row<"messages">): Promise<void> {
    this.moved = true;
    if (!this.page.has(message.id)) this.page.set(message.id, await this.threads.read(message));
  }
}

function checkCount(name: string, count: number): void {
  if (count >= 0 && Number.isSafeInteger(count)) return;
  throw invalidArgument(`${name} must be whole and >= 0, not ${count}`);
}
