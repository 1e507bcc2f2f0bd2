import { isObject } from "@mbs/contracts";
import type { ChatMessage, Conversation } from "@mbs/contracts";

/** Text with U+FFFD for halves of surrogate pairs. */
export const wellFormed = (text: string): string => text.replaceAll(/\p{Surrogate}/gu, "\uFFFD");

/** A value of JSON with U+FFFD for halves of surrogate pairs. */
function cleaned(value: unknown): unknown {
  if (typeof value === "string") return wellFormed(value);
  if (Array.isArray(value)) return value.map(cleaned);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, own]) => [key, cleaned(own)]));
}

/** A message without the keys that are null, which transformers leaves out too. Undefined where it is none. */
function parseMessage(value: unknown): ChatMessage | undefined {
  if (!isObject(value)) return undefined;
  const message = Object.fromEntries(Object.entries(value).filter(([, own]) => own !== null));
  const { role, content } = message;
  if (typeof role !== "string" || (content !== undefined && typeof content !== "string")) return undefined;
  return cleaned(message) as ChatMessage;
}

/** Tools as a list, or as a text of JSON, as tables of one type a column have them. Undefined where they are neither. */
function parseTools(value: unknown): readonly unknown[] | undefined {
  if (typeof value !== "string") return Array.isArray(value) ? (cleaned(value) as unknown[]) : undefined;
  try {
    const parsed: unknown = JSON.parse(value);
    return Array.isArray(parsed) ? (cleaned(parsed) as unknown[]) : undefined;
  } catch {
    return undefined;
  }
}

const isAbsent = (value: unknown): boolean =>
  value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);

/**
 * A conversation of a row: a list of objects with a `role` and a text `content`.
 *
 * @param tools of the row; undefined, null, "" or [] where there are none
 * @returns undefined where it is none
 */
export function parseConversation(value: unknown, tools: unknown): Conversation | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const messages = value.map(parseMessage).filter((message) => message !== undefined);
  if (messages.length < value.length) return undefined;
  if (isAbsent(tools)) return { messages };
  const parsed = parseTools(tools);
  return parsed === undefined ? undefined : { messages, tools: parsed };
}
