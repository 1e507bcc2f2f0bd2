import { isObject } from "@mbs/contracts";

/** What a field of a JSON object holds; "?" where it may be absent. */
type FieldShape = "number" | "text" | "flag" | "numbers" | "list" | "number?" | "text?" | "flag?";

const fits: Record<"number" | "text" | "flag" | "numbers" | "list", (value: unknown) => boolean> = {
  number: Number.isFinite,
  text: (value) => typeof value === "string",
  flag: (value) => typeof value === "boolean",
  numbers: (value) => isObject(value) && Object.values(value).every(Number.isFinite),
  list: (value) => Array.isArray(value) && value.every(Number.isSafeInteger),
};

/** The first field of `value` that is not of its shape; undefined where all are. */
export function misfit(shape: Readonly<Record<string, FieldShape>>, value: unknown): string | undefined {
  if (!isObject(value)) return "the whole";
  return Object.keys(shape).find((name) => {
    const wanted = shape[name];
    const found = Object.hasOwn(value, name) ? value[name] : undefined;
    if (wanted.endsWith("?") && found === undefined) return false;
    return !fits[wanted.replace("?", "") as keyof typeof fits](found);
  });
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
