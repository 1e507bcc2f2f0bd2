import { readlink, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { UsageError } from "@mbs/contracts";
import { systemError } from "./system-error.ts";

/**
 * The absolute path that a path leads to. Unlike fs.realpath, it need not exist: links to nothing are followed too.
 *
 * @throws {InputOutputError} where links form a loop
 */
export async function followLinks(path: string): Promise<string> {
  const whole = resolve(path);
  const found = await realpath(whole).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ELOOP") throw systemError(cause, "find", path);
    return undefined;
  });
  if (found !== undefined || dirname(whole) === whole) return found ?? whole;
  const followed = join(await followLinks(dirname(whole)), basename(whole));
  const target = await readlink(followed).catch(() => undefined);
  return target === undefined ? followed : followLinks(resolve(dirname(followed), target));
}

/**
 * Refuses an output path that is also read, or is a folder around something that is read: writing it would destroy the input.
 *
 * @throws {UsageError} naming both
 */
export async function requireNotRead(outputs: readonly string[], read: readonly string[]): Promise<void> {
  const followed = await Promise.all(read.map(async (path) => [path, await followLinks(path)] as const));
  for (const output of outputs) {
    const target = await followLinks(output);
    const [own] = followed.find(([, path]) => path === target || path.startsWith(target + sep)) ?? [];
    if (own !== undefined) {
      throw new UsageError(`${output} would replace ${own}, which is read; choose another output`, { output, read: own });
    }
  }
}
