import { isObject } from "@mbs/contracts";

type FieldKind = "amount" | "share" | "count" | "text" | "flag" | "weights" | "list";

/** What a field of a JSON object holds; "?" where it may be absent. */
export type FieldShape = FieldKind | `${FieldKind}?`;

const isAmount = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value) && value >= 0;
const isCount = (value: unknown): boolean => isAmount(value) && Number.isSafeInteger(value);

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
  if (!isObject(value)) return "the summary is no JSON object";
  for (const [field, wanted] of Object.entries(shape)) {
    const found = Object.hasOwn(value, field) ? value[field] : undefined;
    if (wanted.endsWith("?") && found === undefined) continue;
    const { name, fits } = kinds[wanted.replace("?", "") as FieldKind];
    if (fits(found)) continue;
    return `${field} of the summary is ${found === undefined ? "missing" : JSON.stringify(found).slice(0, 80)}, not ${name}`;
  }
  return undefined;
}

/** JSON.parse with undefined for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
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
