/** How many records one call takes. */

import { limitExceeded } from "./errors.js";

// What one transaction may carry on Convex, with room to spare.
export const MAX_BATCH = 1000;

/** Throw LIMIT_EXCEEDED for a batch that is too long. */
export function checkBatch(count: number, what: string): void {
  if (count > MAX_BATCH) {
    throw limitExceeded(
      `${count} ${what} in one call; a transaction takes at most ${MAX_BATCH}, so split them`,
      { limit: MAX_BATCH, given: count },
    );
  }
}
