// What the JavaScript client is recorded with: node client.mjs URL TOKEN
import { ConvexClient } from "convex/browser";

const [url, token] = process.argv.slice(2);
const client = new ConvexClient(url, { logger: false });
client.setAuth(async () => token);
const seen = new Promise((resolve) => {
  client.onUpdate("threads:get", { id: "t" }, (value) => value?.title === "two" && resolve());
});
const messages = client.onUpdate(
  "messages:list",
  { threadId: "t", order: "asc", limit: 10 },
  () => {},
  () => {},
);
const thread = (title) => ({ thread: { id: "t", resourceId: "r", title } });
await client.mutation("threads:save", thread("one"));
await client.mutation("messages:save", { messages: [{ id: "m" }] }).catch(() => {});
await client.action("threads:save", {}).catch(() => {});
const content = JSON.stringify("cut me");
const message = { id: "m", threadId: "t", role: "user", content };
// The connection is cut before this is answered; the client sends it again.
await client.mutation("messages:save", { messages: [message] });
messages();
await client.mutation("threads:save", thread("two"));
await seen;
await client.close();
process.exit(0);
