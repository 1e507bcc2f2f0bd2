import { createHash } from "node:crypto";
import type { Helpers } from "../helpers/helpers.ts";
import { Float } from "../python/values.ts";
import { FunctionReference } from "../yaml/function-reference.ts";
import type { Settings, YamlValue } from "../yaml/read-yaml.ts";

/** SHA-256 of the settings of a task and of the files of its functions; the order of settings does not matter. */
export async function addressOf(
  settings: Settings,
  choice: { readonly fewShot: number; readonly seed: number },
  helpers: Helpers,
): Promise<string> {
  const described = [await describe(new Map(settings), helpers), choice.fewShot, choice.fewShot > 0 ? choice.seed : 0];
  return createHash("sha256").update(JSON.stringify(described)).digest("hex");
}

async function describe(value: YamlValue, helpers: Helpers): Promise<unknown> {
  if (value instanceof FunctionReference)
    return { function: value.toString(), file: await helpers.digest(value).catch(() => "") };
  if (value instanceof Float) return { float: String(value.value) };
  if (Array.isArray(value)) return Promise.all(value.map((item) => describe(item, helpers)));
  if (!(value instanceof Map)) return value;
  const entries = await Promise.all(
    Array.from(value, async ([key, item]) => [await describe(key, helpers), await describe(item, helpers)] as const),
  );
  return { map: entries.sort(([left], [right]) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1)) };
}
