// Where the functions are, and which modules of them the Convex CLI deploys.
import { readdir } from "node:fs/promises";
import { basename, join, sep } from "node:path";

export const root = join(import.meta.dirname, "..");
export const functions = join(root, "convex");

/** No generated file, no schema, no name with two dots. */
export async function modules() {
  const files = await readdir(functions, { recursive: true });
  return files
    .filter((file) => /^[^.]+\.[jt]s$/.test(basename(file)))
    .filter((file) => !file.startsWith(`_generated${sep}`) && file !== "schema.ts")
    .map((file) => file.replaceAll(sep, "/"))
    .sort();
}
