import { randomBytes } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { isAlive } from "./process-alive.ts";

/** `tmp` is what is being written, `old` what it is about to replace. */
type Ending = "tmp" | "old";

const prefixOf = (path: string): string => `.${basename(path)}.${hostname()}.`;

/** A name beside a path that nothing has, and that tells who made it: `.NAME.HOST.PROCESS.RANDOM.tmp`. */
export const temporaryName = (path: string, ending: Ending = "tmp"): string =>
  join(dirname(path), `${prefixOf(path)}${process.pid}.${randomBytes(4).toString("hex")}.${ending}`);

/** Whether a path is a temporary one of another, made by whatever process of whatever machine. */
export function isTemporaryOf(path: string, candidate: string): boolean {
  const [name, start] = [basename(candidate), `.${basename(path)}.`];
  const isBeside = dirname(candidate) === dirname(path) && name.startsWith(start);
  return isBeside && /^.+\.\d+\.[0-9a-f]+\.(tmp|old)$/.test(name.slice(start.length));
}

/** Removes the files and folders that killed processes of this machine left of writing the same path. */
export async function removeLeftovers(path: string, ending: Ending = "tmp"): Promise<void> {
  const folder = dirname(path);
  const prefix = prefixOf(path);
  for (const name of await readdir(folder)) {
    const rest = name.startsWith(prefix) && name.endsWith(`.${ending}`) ? name.slice(prefix.length) : "";
    const maker = /^(\d+)\.[0-9a-f]+\.[a-z]+$/.exec(rest)?.[1];
    if (maker !== undefined && !isAlive(Number(maker))) await rm(join(folder, name), { recursive: true, force: true });
  }
}
