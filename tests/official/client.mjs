// The official JavaScript clients in the hands of a test: node client.mjs http|socket URL
//
// A command is a line of JSON with a number; so is its answer, {n, value} or {n, error, data}.
import { createInterface } from "node:readline";
import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { makeFunctionReference } from "convex/server";

const [kind, url] = process.argv.slice(2);
const isHttp = kind === "http";
const client = isHttp
  ? new ConvexHttpClient(url, { logger: false })
  : new ConvexClient(url, { unsavedChangesWarning: false, logger: false });
const ref = (path) => makeFunctionReference(path);

/** What a subscription has brought, and who waits for more. */
class Watched {
  constructor() {
    this.values = [];
    this.waiting = null;
  }
  put(value) {
    this.values.push(value);
    this.waiting?.();
  }
  async next() {
    while (this.values.length === 0) await new Promise((resolve) => (this.waiting = resolve));
    return this.values.shift();
  }
}
const watched = new Map();

const commands = {
  login: ({ token }) => client.setAuth(isHttp ? token : async () => token),
  query: ({ path, args }) => client.query(ref(path), args),
  mutation: ({ path, args }) => client.mutation(ref(path), args),
  // All at once, and answered when all are.
  mutations: ({ calls }) =>
    Promise.all(
      calls.map(([path, args]) =>
        client.mutation(ref(path), args).then(
          () => "done",
          (error) => error.data?.code ?? String(error),
        ),
      ),
    ),
  watch: ({ name, path, args }) => {
    const found = new Watched();
    watched.set(name, found);
    client.onUpdate(
      ref(path),
      args,
      (value) => found.put({ value }),
      (error) => found.put({ error: error.data ?? String(error) }),
    );
  },
  next: ({ name }) => watched.get(name).next(),
};

function tell(reply) {
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { n, what, ...rest } = JSON.parse(line);
  try {
    tell({ n, value: (await commands[what](rest)) ?? null });
  } catch (error) {
    tell({ n, error: String(error), data: error.data ?? null });
  }
});
