/** The beginning of a span's input, as lists show it: clients make it, and here we are the client. */

const LENGTH = 100;

/** A short text for an input, which is given as its JSON text; nothing for an empty one. */
export function previewOf(json: string): string | undefined {
  const shown = shownOf(json);
  const characters = [...shown];
  if (characters.length > LENGTH) return `${characters.slice(0, LENGTH).join("")}…`;
  return shown || undefined;
}

function shownOf(json: string): string {
  let text = json;
  let value: unknown = json;
  if (json.startsWith('"')) {
    const told = JSON.parse(json) as string;
    text = told.trim();
    if (!text) return "";
    if (!/^[{["]/.test(text)) return told;
    try {
      value = JSON.parse(text);
    } catch {
      return text.startsWith('"') ? told : "";
    }
    if (typeof value === "string") return value;
  } else if (json.startsWith("[") || (json.startsWith("{") && json.includes('"messages"'))) {
    value = JSON.parse(json);
  }
  const messages = isObject(value) && !Array.isArray(value) ? value.messages : value;
  if (!Array.isArray(messages)) return text === "null" ? "" : text;
  return messages
    .filter((each) => isObject(each) && each.role === "user")
    .map((each) => textOf("content" in each ? each.content : each.parts))
    .filter(Boolean)
    .join(" | ");
}

/**
 * The text of a message's content: a text, or a list of parts.
 *
 * Parts of Mastra's messages have a `text`; those of OpenTelemetry's, in `parts`, a `content`.
 */
function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  const parts: unknown[] = Array.isArray(content) ? content : [];
  return parts
    .map((part) => (isObject(part) ? partText(part) : part))
    .filter((text): text is string => typeof text === "string" && text !== "")
    .join(" ");
}

function partText(part: Record<string, unknown>): unknown {
  if (part.type !== "text") return undefined;
  return "text" in part ? part.text : part.content;
}

function isObject(value: unknown): value is Record<string, any> {
  return typeof value === "object" && value !== null;
}
