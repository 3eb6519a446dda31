// Mastra's memory on @mastra/libsql, timed from outside: one call per line in, its microseconds out,
// by the clock and of the processor.
//
// The file is the first argument. WAL and synchronous=FULL, as ours: the store has no setting for
// that, and opens a new connection after each transaction, so it is set again before each call.
import { createInterface } from "node:readline";
import { createClient } from "@libsql/client";
import { MemoryLibSQL } from "@mastra/libsql";

const client = createClient({ url: `file:${process.argv[2]}` });
await client.execute("PRAGMA journal_mode = WAL");
const memory = new MemoryLibSQL({ client });
await memory.init();

const decoded = (value) => {
  if (Array.isArray(value)) return value.map(decoded);
  if (value === null || typeof value !== "object") return value;
  if ("$date" in value) return new Date(value.$date);
  if ("$returns" in value) return () => decoded(value.$returns);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decoded(item)]));
};

for await (const line of createInterface({ input: process.stdin })) {
  const { method, args } = JSON.parse(line);
  const given = decoded(args);
  await client.execute("PRAGMA synchronous = FULL");
  const start = process.hrtime.bigint();
  const before = process.cpuUsage();
  const value = await memory[method](...given);
  const { user, system } = process.cpuUsage(before);
  const spent = Number(process.hrtime.bigint() - start) / 1000;
  const { rows } = await client.execute("PRAGMA synchronous");
  process.stdout.write(
    `${JSON.stringify({ spent, cpu: user + system, value: value ?? null, synchronous: rows[0][0] })}\n`,
  );
}
