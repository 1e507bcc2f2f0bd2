import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { isAddress } from "@mbs/artifacts";
import { BadDataError, UsageError, quoted } from "@mbs/contracts";
import type { ErrorFacts, ResourceKind } from "@mbs/contracts";

const plainName = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/;

/** @throws {UsageError} on anything but 64 lower-case hex digits */
export function requireAddress(text: string): string {
  if (!isAddress(text)) throw new UsageError(`${quoted(text)} is no address; an address is 64 digits 0-9a-f`);
  return text;
}

/** The error of a call that names an artifact which is not there. */
export const notStored = (address: string, facts: ErrorFacts, remedy = "put it there with DoPut"): BadDataError =>
  new BadDataError(`no artifact ${address} in the server's store; ${remedy}`, facts);

export interface ResourceRoots {
  /** Root folder of each kind; clients can name no resource of a kind without one. */
  readonly roots: Partial<Readonly<Record<ResourceKind, string>>>;
  /** Names that need no root, such as presets of distributions. */
  readonly builtIn: Partial<Readonly<Record<ResourceKind, readonly string[]>>>;
  /** The content address of the resource at a path; undefined where there is none. */
  readonly addressOf: (kind: ResourceKind, path: string) => Promise<string | undefined>;
}

async function findByAddress(
  { addressOf }: ResourceRoots,
  kind: ResourceKind,
  root: string,
  wanted: string,
  signal: AbortSignal,
): Promise<string> {
  for (const name of (await readdir(root)).sort()) {
    if (!plainName.test(name)) continue;
    signal.throwIfAborted();
    const path = join(root, name);
    if ((await addressOf(kind, path).catch(() => undefined)) === wanted) return path;
  }
  throw new BadDataError(`no ${kind} with address ${wanted} under the server's --${kind}-root; put it there first`, { kind });
}

/**
 * The path of what a client named, always directly under the root of its kind.
 *
 * @param signal ends a search by address, before the next entry of the root is read
 * @throws {UsageError} on a path
 * @throws {BadDataError} where there is nothing of that name or address
 */
export async function resolveResource(
  resources: ResourceRoots,
  kind: ResourceKind,
  name: string,
  signal: AbortSignal,
): Promise<string> {
  if (resources.builtIn[kind]?.includes(name)) return name;
  if (!plainName.test(name)) {
    throw new UsageError(
      `${kind} ${quoted(name)}: a server takes an address or a plain name, never a path; what is to be sent from here must be there, so check the path`,
      { kind },
    );
  }
  const root = resources.roots[kind];
  if (root === undefined) throw new BadDataError(`this server offers no ${kind}; start it with --${kind}-root`, { kind });
  if (isAddress(name)) return findByAddress(resources, kind, root, name, signal);
  if (!(await readdir(root)).includes(name)) {
    throw new BadDataError(
      `no ${kind} named ${name} under the server's --${kind}-root; check the name, or give the path of one of your own`,
      { kind },
    );
  }
  return join(root, name);
}
