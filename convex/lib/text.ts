/** Sizes and hashes of text. */

const encoder = new TextEncoder();

/** How many bytes a text has in UTF-8. */
export function utf8Length(text: string): number {
  return encoder.encode(text).length;
}

/** FNV-1a, 32 bits: fast, and the same everywhere; no protection against forgery. */
export function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  }
  return value >>> 0;
}

/** The id of a message's copy in a thread: it follows from both, in the form of a UUID. */
export async function copyId(threadId: string, messageId: string): Promise<string> {
  const digits = await hexDigits(`${threadId}\n${messageId}`);
  return `${await copyPrefix(threadId)}${digits.slice(0, 4)}-${digits.slice(4)}`;
}

/** What the ids of all copies in a thread begin with: half of each, and a hyphen. */
export async function copyPrefix(threadId: string): Promise<string> {
  const digits = await hexDigits(threadId);
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12)}-`;
}

/** The first 8 bytes of a text's SHA-256, as 16 digits. */
async function hexDigits(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", encoder.encode(text));
  return [...new Uint8Array(digest, 0, 8)].map((b) => b.toString(16).padStart(2, "0")).join("");
}
