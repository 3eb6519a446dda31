// A store of Mastra's, driven from outside: one call per line in, one outcome per line out.
//
//   {"domain": "memory", "method": "getThreadById", "args": [{"threadId": "t"}], "now": 1000000}
//   {"value": null}   or   {"error": "..."}
//
// `args` are the method's arguments in their order. `now` sets the clock, in milliseconds; it stays
// until it is set again. A call of the method "reset" begins with an empty in-memory store, or with
// what its argument is for, a ConvexStore: {deploymentUrl, adminAuthToken}. In arguments and values,
// {"$date": 5} is a Date; in arguments, {"$returns": x} is a function that returns x. What
// is undefined is left out, as JSON does it.
import { createInterface } from "node:readline";
import { ConvexStore } from "@mastra/convex";
import { InMemoryStore } from "@mastra/core/storage";

const RealDate = Date;
let now = 0;

globalThis.Date = class Date extends RealDate {
  constructor(...given) {
    super(...(given.length === 0 ? [now] : given));
  }

  static now() {
    return now;
  }
};

function decoded(value) {
  if (Array.isArray(value)) return value.map(decoded);
  if (value === null || typeof value !== "object") return value;
  if ("$date" in value) return new Date(value.$date);
  if ("$returns" in value) return () => decoded(value.$returns);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decoded(item)]));
}

function encoded(value) {
  if (Array.isArray(value)) return value.map((item) => encoded(item) ?? null);
  if (value instanceof RealDate) return { $date: value.getTime() };
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, encoded(item)]));
}

let store = new InMemoryStore();

async function answer({ domain, method, args }) {
  if (method === "reset") {
    store = args.length === 0 ? new InMemoryStore() : new ConvexStore({ id: "s", ...args[0] });
    return null;
  }
  return (await store.getStore(domain))[method](...decoded(args));
}

for await (const line of createInterface({ input: process.stdin })) {
  const call = JSON.parse(line);
  now = call.now ?? now;
  let outcome;
  try {
    outcome = { value: encoded(await answer(call)) ?? null };
  } catch (error) {
    outcome = { error: String(error?.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}
