import { readlink, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { UsageError } from "@mbs/contracts";
import { systemError } from "./system-error.ts";

/**
 * Where a path really lies, whether it is there or not: links are followed, also those that lead to nothing yet.
 *
 * @throws {InputOutputError} where links lead in a circle
 */
export async function realPlace(path: string): Promise<string> {
  const whole = resolve(path);
  const found = await realpath(whole).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ELOOP") throw systemError(cause, "find", path);
    return undefined;
  });
  if (found !== undefined || dirname(whole) === whole) return found ?? whole;
  const place = join(await realPlace(dirname(whole)), basename(whole));
  const target = await readlink(place).catch(() => undefined);
  return target === undefined ? place : realPlace(resolve(dirname(place), target));
}

/**
 * Refuses an output at the place of something that is read, or around it: to replace it would destroy what is read.
 *
 * @throws {UsageError} naming both
 */
export async function requireForeign(outputs: readonly string[], read: readonly string[]): Promise<void> {
  const places = await Promise.all(read.map(async (path) => [path, await realPlace(path)] as const));
  for (const output of outputs) {
    const target = await realPlace(output);
    const [own] = places.find(([, place]) => place === target || place.startsWith(target + sep)) ?? [];
    if (own !== undefined) {
      throw new UsageError(`${output} would replace ${own}, which is read; choose another output`, { output, read: own });
    }
  }
}
