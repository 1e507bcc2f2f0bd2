import { randomBytes } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { isGone, thisProcess, type ProcessIdentity } from "../process-identity.ts";

/** `tmp` is what is being written, `old` what it is about to replace. */
type Ending = "tmp" | "old";

const prefixOf = (path: string): string => `.${basename(path)}.${hostname()}.`;

const makerPattern = /^(\d+)\.(?:([0-9a-f]+)-([0-9a-f]+)-([0-9a-f]+)-)?[0-9a-f]+\.(?:tmp|old)$/;

/** Who made a temporary name, from what stands behind the host. */
function makerOf(rest: string): ProcessIdentity | undefined {
  const [found, id, started, boot, namespace] = makerPattern.exec(rest) ?? [];
  if (found === undefined) return undefined;
  const details = started !== undefined && boot !== undefined && namespace !== undefined && { started, boot, namespace };
  return { id: Number(id), ...(details && { details }) };
}

/**
 * A name beside a path that nothing has, and that tells who made it: `.NAME.HOST.PROCESS.DETAILS-RANDOM.tmp`, with the
 * details that tell the process from others of the same id.
 */
export function temporaryName(path: string, ending: Ending = "tmp"): string {
  const { id, details } = thisProcess();
  const known = details ? `${details.started}-${details.boot}-${details.namespace}-` : "";
  return join(dirname(path), `${prefixOf(path)}${id}.${known}${randomBytes(4).toString("hex")}.${ending}`);
}

/** Whether a path is a temporary one of another, made by whatever process of whatever machine. */
export function isTemporaryOf(path: string, candidate: string): boolean {
  const [name, start] = [basename(candidate), `.${basename(path)}.`];
  const isBeside = dirname(candidate) === dirname(path) && name.startsWith(start);
  return isBeside && /^.+\.\d+\.[0-9a-f-]+\.(tmp|old)$/.test(name.slice(start.length));
}

/** Removes the files and folders that killed processes of this machine left of writing the same path. */
export async function removeLeftovers(path: string, ending: Ending = "tmp"): Promise<void> {
  const folder = dirname(path);
  const prefix = prefixOf(path);
  for (const name of await readdir(folder)) {
    if (!name.startsWith(prefix) || !name.endsWith(`.${ending}`)) continue;
    const maker = makerOf(name.slice(prefix.length));
    // What another user left is not ours to remove, and no reason to fail.
    if (maker && isGone(maker)) await rm(join(folder, name), { recursive: true, force: true }).catch(() => undefined);
  }
}
