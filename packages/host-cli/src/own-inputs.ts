import { realpath } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { UsageError } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";

/** Where a path really lies, whether it is there or not: links of the part that is there are followed. */
async function placeOf(path: string): Promise<string> {
  const whole = resolve(path);
  const found = await realpath(whole).catch(() => undefined);
  if (found !== undefined || dirname(whole) === whole) return found ?? whole;
  return join(await placeOf(dirname(whole)), basename(whole));
}

/** The models, corpora and distributions that options name; names that are no paths here are among them. */
export const resourcePaths = (table: OptionTable, options: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(options).flatMap(([name, value]) => (table[name]?.kind === "resource" ? [value].flat().map(String) : []));

/**
 * Refuses an output at the place of something that is read, or around it: `--force` would replace what nobody has twice.
 *
 * @throws {UsageError} naming both
 */
export async function requireForeign(outputs: readonly string[], read: readonly string[]): Promise<void> {
  const places = await Promise.all(read.map(async (path) => [path, await placeOf(path)] as const));
  for (const output of outputs) {
    const target = await placeOf(output);
    const [own] = places.find(([, place]) => place === target || place.startsWith(target + sep)) ?? [];
    if (own !== undefined) {
      throw new UsageError(`${output} would replace ${own}, which is read; choose another output`, { output, read: own });
    }
  }
}
