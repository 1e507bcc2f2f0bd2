import { BadDataError, isAmount, isCount, isObject } from "@mbs/contracts";

type FieldKind = "amount" | "share" | "count" | "text" | "flag" | "weights" | "list";

/** What a field of a JSON object holds; "?" where it may be absent. */
export type FieldShape = FieldKind | `${FieldKind}?`;

const kinds: Readonly<Record<FieldKind, { readonly name: string; readonly fits: (value: unknown) => boolean }>> = {
  amount: { name: "a number of at least 0", fits: isAmount },
  share: { name: "a number from 0 to 1", fits: (value) => isAmount(value) && value <= 1 },
  count: { name: "a whole number of at least 0", fits: isCount },
  text: { name: "a text", fits: (value) => typeof value === "string" },
  flag: { name: "true or false", fits: (value) => typeof value === "boolean" },
  weights: { name: "numbers of at least 0 by name", fits: (value) => isObject(value) && Object.values(value).every(isAmount) },
  list: { name: "a list of whole numbers of at least 0", fits: (value) => Array.isArray(value) && value.every(isCount) },
};

/** What is wrong with the first field of `value` that is not of its shape; undefined where all are. */
export function shapeFault(shape: Readonly<Record<string, FieldShape>>, value: unknown): string | undefined {
  if (!isObject(value)) return `the summary is no JSON object of at most ${mostLevels} levels`;
  for (const [field, wanted] of Object.entries(shape)) {
    const found = Object.hasOwn(value, field) ? value[field] : undefined;
    if (wanted.endsWith("?") && found === undefined) continue;
    const { name, fits } = kinds[wanted.replace("?", "") as FieldKind];
    if (fits(found)) continue;
    return `${field} of the summary is ${found === undefined ? "missing" : JSON.stringify(found).slice(0, 80)}, not ${name}`;
  }
  return undefined;
}

/** Deepest nesting of lists and objects that is read from others: what quotes, compares or writes deeper values recurses. */
const mostLevels = 100;

/** Whether lists and objects are nested deeper than any that is read. */
export const isDeep = (value: unknown, levels = mostLevels): boolean =>
  typeof value === "object" &&
  value !== null &&
  (levels === 0 || Object.values(value).some((inner) => isDeep(inner, levels - 1)));

/** JSON.parse with undefined for what is no JSON, or nested deeper than 100 levels. */
export function parseJson(text: string): unknown {
  try {
    const value = JSON.parse(text) as unknown;
    return isDeep(value) ? undefined : value;
  } catch {
    return undefined;
  }
}

/** JSON with sorted keys, so that equal values have equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}

/** What JSON.parse takes without a word. */
export type JsonFault =
  | { readonly kind: "key"; readonly key: string; readonly offset: number }
  | { readonly kind: "levels"; readonly offset: number }
  | { readonly kind: "number"; readonly text: string; readonly offset: number };

const numberAt = /-?\d[\d.eE+-]*/y;

/**
 * The first key that is repeated in one object of a JSON text, of which JSON.parse silently keeps the last one, the first number
 * beyond the range of float64, of which it makes infinity, or the first place that is nested too deep.
 *
 * @param text JSON that JSON.parse accepts
 * @returns the fault and its offset, or undefined
 */
export function findJsonFault(text: string): JsonFault | undefined {
  const seen: (Set<string> | undefined)[] = [];
  let expectsKey = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === "{" || character === "[") {
      expectsKey = character === "{";
      seen.push(expectsKey ? new Set() : undefined);
      if (seen.length > mostLevels) return { kind: "levels", offset: at };
    } else if (character === "}" || character === "]") {
      seen.pop();
      expectsKey = false;
    } else if (character === ",") {
      expectsKey = seen.at(-1) !== undefined;
    } else if (character === '"') {
      const start = at;
      for (at++; text[at] !== '"'; at++) if (text[at] === "\\") at++;
      const keys = seen.at(-1);
      if (expectsKey && keys !== undefined) {
        const inner = text.slice(start + 1, at);
        // Parsed, so that "\u0061" and "a" count as one key.
        const key = inner.includes("\\") ? (JSON.parse(`"${inner}"`) as string) : inner;
        if (keys.has(key)) return { kind: "key", key, offset: start };
        keys.add(key);
        expectsKey = false;
      }
    } else if (character === "-" || (character !== undefined && character >= "0" && character <= "9")) {
      numberAt.lastIndex = at;
      const number = numberAt.exec(text)?.[0] ?? character;
      if (!Number.isFinite(Number(number))) return { kind: "number", text: number, offset: at };
      at += number.length - 1;
    }
  }
  return undefined;
}

/**
 * @param text JSON that JSON.parse accepts
 * @param what for the message: "header of model.safetensors"
 * @throws {BadDataError} on a key that is repeated in one object, a number beyond the range of float64, and nesting deeper than
 * 100 levels
 */
export function requirePlainJson(text: string, what: string, facts: Readonly<Record<string, string>>): void {
  const fault = findJsonFault(text);
  if (fault === undefined) return;
  const { offset } = fault;
  if (fault.kind === "levels") {
    throw new BadDataError(`${what} is nested deeper than ${mostLevels} levels at character ${offset}; make it flatter`, {
      ...facts,
      offset,
    });
  }
  if (fault.kind === "number") {
    throw new BadDataError(
      `${what} has the number ${fault.text.slice(0, 40)} at character ${offset}, which is beyond the range of float64; correct it`,
      { ...facts, offset },
    );
  }
  throw new BadDataError(
    `${what} has the key ${JSON.stringify(fault.key)} twice, the second time at character ${offset}; remove one of them`,
    { ...facts, name: fault.key, offset },
  );
}
