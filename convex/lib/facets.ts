/**
 * What discovery lists: values that spans, logs and metrics have had, each kept once.
 *
 * A facet is written when its value is new. Who saves a value that is known only looks: writers of
 * the same service or tag do not wait for one another, and do not conflict. It stays when records
 * go, and goes when their table is cleared.
 */

import type { Reader, Writer } from "./access.js";
import { hasRoom, STEP_RECORDS } from "./steps.js";
import type { Fields } from "./tables.js";

// Values that one call looks up; what is beyond them is noted when a call with fewer has it.
const MOST = 500;
const LONGEST = 256;
export const FIELDS = ["kind", "of", "key", "value"] as const;

/** Kind, what it is of, key, value; see `Facets.note`. */
type Facet = [kind: string, of: string, key: string, value: string];

/** The values that one mutation saves in a table, looked up once each at its end. */
export class Facets {
  private readonly noted = new Map<string, Facet>();

  constructor(
    private readonly ctx: Writer,
    private readonly table: string,
  ) {}

  /** Take in a record that is written. */
  note(record: Fields): void {
    const { entityType = "", entityName = "" } = record;
    if (entityType || entityName) this.add("entity", entityType, "", entityName);
    for (const field of ["serviceName", "environment"]) {
      if (record[field] !== undefined) this.add(field, "", "", record[field]);
    }
    const [tags, labels] = [valueOf(record.tags), valueOf(record.labels)];
    for (const tag of Array.isArray(tags) ? tags : []) this.add("tag", entityType, "", tag);
    if (typeof labels !== "object" || labels === null || Array.isArray(labels)) return;
    for (const [key, value] of Object.entries(labels)) this.add("label", record.name, key, value);
  }

  private add(...facet: unknown[]): void {
    if (facet.every(isShort)) this.noted.set(JSON.stringify(facet), facet as Facet);
  }

  /** Add the facets that are new. */
  async write(): Promise<void> {
    const { table } = this;
    for (const [kind, of, key, value] of [...this.noted.values()].slice(0, MOST)) {
      const known = await this.ctx.db
        .query("facets")
        .withIndex("by_key", (q) =>
          q.eq("kind", kind).eq("of", of).eq("key", key).eq("value", value).eq("table", table),
        )
        .unique();
      if (!known) await this.ctx.db.insert("facets", { kind, of, key, value, table });
    }
  }
}

/** The value of a payload; null for one that is no JSON text, which is stored all the same. */
function valueOf(payload: unknown): unknown {
  try {
    return JSON.parse((payload ?? "null") as string);
  } catch {
    return null;
  }
}

/** Whether a text can be a value in an index; one with half a character cannot. */
function isShort(text: unknown): boolean {
  return typeof text === "string" && [...text].length <= LONGEST && !/\p{Surrogate}/u.test(text);
}

/** Forget the facets of a table that is being cleared, or some of them: then it returns false. */
export async function forget(ctx: Writer, table: string): Promise<boolean> {
  if (!hasRoom(ctx, 0)) return false;
  const some = await ctx.db
    .query("facets")
    .withIndex("by_table", (q) => q.eq("table", table))
    .take(STEP_RECORDS);
  for (const { _id } of some) await ctx.db.delete(_id);
  return some.length < STEP_RECORDS;
}

/** The next values of the field that follows the fields of `path`, each once, in order. */
export async function valuesAfter(
  ctx: Reader,
  path: string[],
  after: string | undefined,
  prefix: string,
  most: number,
): Promise<string[]> {
  const found: string[] = [];
  const field = FIELDS[path.length]!;
  while (found.length < most) {
    const last = found.at(-1) ?? after;
    const facet = await ctx.db
      .query("facets")
      .withIndex("by_key", (q: any) => {
        const below = path.reduce((range, value, i) => range.eq(FIELDS[i], value), q);
        return last === undefined ? below.gte(field, prefix) : below.gt(field, last);
      })
      .first();
    if (!facet?.[field].startsWith(prefix)) break;
    found.push(facet[field]);
  }
  return found;
}
