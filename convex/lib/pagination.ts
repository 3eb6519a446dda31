/**
 * Pages as Convex's own clients ask for them: `usePaginatedQuery` and its kin.
 *
 * Such a page is an interval of an index. Convex remembers where it ended, so that pages that are
 * watched neither overlap nor leave a gap while records come and go.
 */

import type { PaginationOptions, PaginationResult } from "convex/server";
import type { Reader } from "./access.js";
import { chunkedBytes, inlineBytes } from "./chunks.js";
import { limitExceeded } from "./errors.js";
import { limitOf } from "./paging.js";
import { read } from "./records.js";
import type { PublicOf, Row } from "./tables.js";

/** The page of a list whose subject the caller may not see: where it ends is still open. */
export function nothingPaginated(options: PaginationOptions) {
  limitOf(options.numItems);
  return { page: [], isDone: true, continueCursor: "" };
}

interface Paginating<R> {
  paginate(options: PaginationOptions): Promise<PaginationResult<R>>;
}

/**
 * The page that `paginationOpts` describe; `query` is in order, inside its range. `recordOf` gives
 * the record of a row.
 *
 * Where the records have more text than a call may read, the page is split, if Convex says where.
 */
export async function paginated<R extends Row>(
  ctx: Reader,
  query: Paginating<R>,
  options: PaginationOptions,
  recordOf: (row: R) => Promise<PublicOf<R>> = (row) => read(ctx, row),
): Promise<PaginationResult<PublicOf<R>>> {
  limitOf(options.numItems);
  const found = await query.paginate(options);
  let bytes = 0;
  for (const row of found.page) bytes += inlineBytes(row) + chunkedBytes(row);
  if (found.page.length > 1 && bytes > ctx.load.room) {
    if (found.splitCursor) return { ...found, page: [], pageStatus: "SplitRequired" };
    throw limitExceeded(
      `a page of ${found.page.length} records with ${bytes} bytes, and ${ctx.load.room} can be ` +
        "read in one call; ask for fewer at a time",
      { limit: ctx.load.room, given: bytes },
    );
  }
  const page: PublicOf<R>[] = [];
  for (const row of found.page) page.push(await recordOf(row));
  return { ...found, page };
}
