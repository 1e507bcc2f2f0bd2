import { randomBytes } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { isGone, thisProcess, type ProcessIdentity } from "../process-identity.ts";

/** `tmp` is what is being written, `old` what it is about to replace. */
type Ending = "tmp" | "old";

const prefixOf = (path: string): string => `.${basename(path)}.${hostname()}.`;

const makerPattern = /^(\d+)\.(?:([0-9a-f]+)-([0-9a-f]+)-([0-9a-f]+)-)?[0-9a-f]+\.(?:tmp|old)$/;

/** The process that made a temporary name, from the part after the host. */
function makerOf(rest: string): ProcessIdentity | undefined {
  const [found, id, started, boot, namespace] = makerPattern.exec(rest) ?? [];
  if (found === undefined) return undefined;
  const details = started !== undefined && boot !== undefined && namespace !== undefined && { started, boot, namespace };
  return { id: Number(id), ...(details && { details }) };
}

/**
 * An unused name beside a path that identifies the process which made it: `.NAME.HOST.PID.DETAILS-RANDOM.tmp`. The details
 * tell the process from others with the same PID.
 */
export function temporaryName(path: string, ending: Ending = "tmp"): string {
  const { id, details } = thisProcess();
  const known = details ? `${details.started}-${details.boot}-${details.namespace}-` : "";
  return join(dirname(path), `${prefixOf(path)}${id}.${known}${randomBytes(4).toString("hex")}.${ending}`);
}

/** Whether a path is a temporary name for another path, made by any process on any machine. */
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
    // Another user's leftovers cannot be removed, which is no reason to fail.
    if (maker && isGone(maker)) await rm(join(folder, name), { recursive: true, force: true }).catch(() => undefined);
  }
}
