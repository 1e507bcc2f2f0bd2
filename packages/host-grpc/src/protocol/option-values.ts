import { UsageError, quoted } from "@mbs/contracts";
import type { Value } from "./messages.ts";

/** The value of an option between client, server and child process. */
export type OptionValue = boolean | number | string | readonly string[];

/** One option's value as a message. */
export function toValue(value: unknown): Value {
  if (typeof value === "boolean") return { flag: value };
  if (typeof value === "number") return { number: value };
  if (typeof value === "string") return { text: value };
  if (Array.isArray(value)) return { list: { items: value.map(String) } };
  throw new UsageError(`an option cannot hold ${typeof value}`);
}

/** The value of an option in a message. Absent fields have defaults in protobuf, so the field that was set is looked for. */
export function fromValue(name: string, value: Value): OptionValue {
  const set = (["flag", "number", "text", "list"] as const).find((field) => Object.hasOwn(value, field));
  const found = set === "list" ? (value.list?.items ?? []) : set && value[set];
  if (found === undefined) throw new UsageError(`option ${quoted(name)} has no value; give it one`, { option: name });
  return found;
}
