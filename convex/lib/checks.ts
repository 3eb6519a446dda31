/** Validators at work on values that come in as "anything". */

import type { Validator } from "convex/values";
import { invalidArgument } from "./errors.js";

type Any = Validator<any, any, any>;

/** Throw INVALID_ARGUMENT, naming the place below `name`, unless the value fits. */
export function check(validator: Any, value: unknown, name: string): void {
  const wrong = misfit(validator, value);
  if (wrong !== null) {
    throw invalidArgument(`${name}${wrong} is not what it has to be`, { path: `${name}${wrong}` });
  }
}

/** The place of the first part that does not fit, "" for the whole; null if all fits. */
function misfit(validator: Any, value: unknown): string | null {
  switch (validator.kind) {
    case "any":
      return value === undefined ? "" : null;
    case "null":
      return value === null ? null : "";
    case "string":
    case "boolean":
      return typeof value === validator.kind ? null : "";
    case "float64":
      return typeof value === "number" && !Number.isNaN(value) ? null : "";
    case "literal":
      return value === validator.value ? null : "";
    case "union": {
      const members: Any[] = validator.members;
      return members.some((member) => misfit(member, value) === null) ? null : "";
    }
    case "array":
      if (!Array.isArray(value)) return "";
      return first(value.map((item, at) => [`[${at}]`, misfit(validator.element, item)]));
    case "object":
      return isObject(value) ? misfitOf(validator.fields, value) : "";
    default:
      throw new Error(`a validator of kind ${validator.kind} is not checked here`);
  }
}

function misfitOf(fields: Record<string, Any>, value: Record<string, unknown>): string | null {
  const unknown = Object.keys(value).find((name) => !(name in fields));
  if (unknown !== undefined) return `.${unknown}`;
  return first(
    Object.entries(fields).map(([name, field]) => {
      const isMissing = value[name] === undefined && field.isOptional === "optional";
      return [`.${name}`, isMissing ? null : misfit(field, value[name])];
    }),
  );
}

function first(parts: [string, string | null][]): string | null {
  const found = parts.find(([, below]) => below !== null);
  return found ? `${found[0]}${found[1]}` : null;
}

/** Whether it is an object with members. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) !== null
    ? !Array.isArray(value) && !(value instanceof ArrayBuffer)
    : false;
}
