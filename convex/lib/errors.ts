/** Errors with stable codes, the same as on the Python side, where `errors.py` has the tree. */

import { ConvexError, type Value } from "convex/values";

type Data = Record<string, Value>;

const error =
  (code: string) =>
  (message: string, data: Data = {}) =>
    new ConvexError({ code, message, data });

/** An argument has the wrong form or is outside its range. */
export const invalidArgument = error("INVALID_ARGUMENT");

/** The operation needs a record that does not exist. */
export const notFound = error("NOT_FOUND");

/** The record exists, or has changed, in a way that forbids the operation. */
export const conflict = error("CONFLICT");

/** More was asked for than one transaction may carry; nothing was written. */
export const limitExceeded = error("LIMIT_EXCEEDED");

/** The caller has no principal, or one that may not do this. */
export const unauthenticated = error("UNAUTHENTICATED");
