// The domains of Mastra's storage and their public members, as JSON: read from the types of
// @mastra/core, where abstract methods are too.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const folder = dirname(fileURLToPath(import.meta.resolve("@mastra/core/storage")));
const classes = new Map();
const domains = new Map();

const { PrivateKeyword, ProtectedKeyword, StaticKeyword } = ts.SyntaxKind;
const HIDDEN = new Set([PrivateKeyword, ProtectedKeyword, StaticKeyword]);
const isOpen = (member) =>
  member.name &&
  !member.name.text.startsWith("#") &&
  !member.modifiers?.some((m) => HIDDEN.has(m.kind));

function read(path) {
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest);
  for (const each of source.statements) {
    if (ts.isClassDeclaration(each)) {
      const base = each.heritageClauses?.[0]?.types[0]?.expression.text;
      const members = each.members.filter(isOpen).map((member) => member.name.text);
      classes.set(each.name.text, { base, members });
    }
    if (ts.isTypeAliasDeclaration(each) && each.name.text === "StorageDomains") {
      for (const { name, type } of each.type.members) domains.set(name.text, type.typeName.text);
    }
  }
}

function membersOf(name) {
  const found = classes.get(name);
  return found ? [...membersOf(found.base), ...found.members] : [];
}

read(join(folder, "base.d.ts"));
for (const path of readdirSync(join(folder, "domains"), { recursive: true })) {
  if (path.endsWith("base.d.ts")) read(join(folder, "domains", path));
}
const found = [...domains].map(([domain, name]) => [domain, [...new Set(membersOf(name))]]);
process.stdout.write(JSON.stringify(Object.fromEntries(found)));
