import { readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout } from "node:timers/promises";
import { TryAgainError } from "@mbs/contracts";
import { lock } from "proper-lockfile";
import { parseJson } from "../json.ts";
import { isAlive } from "./process-alive.ts";
import { realPlace } from "./real-place.ts";
import { isMissing, systemError } from "./system-error.ts";

interface Holder {
  readonly process: number;
  readonly host: string;
}

/** Paths whose locks this process holds. A holder of our number that is not in here had our number before us. */
const held = new Set<string>();

const holderPath = (path: string): string => `${path}.lock`;

/** How often, and how long, the milliseconds of another process are waited for. */
const attempts = 60;
const pauseMs = 100;

/** proper-lockfile's own retries would also wait for a folder that is not there, or is read-only, to mend itself. */
async function takeTurn(path: string): Promise<() => Promise<void>> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await lock(path, { realpath: false, lockfilePath: `${path}.lock.busy`, stale: 5000 });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "ELOCKED") throw systemError(cause, "lock", path);
      if (attempt === attempts) {
        throw new TryAgainError(`${path} is being locked by another process; try again`, { path }, { cause });
      }
    }
    await setTimeout(pauseMs * (0.5 + Math.random()));
  }
}

/**
 * Runs a look at the holder and the change that follows from it as one step. The long lock is no lock of
 * proper-lockfile, which takes a process whose event loop is blocked by native code for dead; this one lasts milliseconds.
 */
async function alone<T>(path: string, fn: () => Promise<T>): Promise<T> {
  const release = await takeTurn(path);
  try {
    return await fn();
  } finally {
    await release();
  }
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const holder = parseJson(await readFile(holderPath(path), "utf8")) as Partial<Holder> | undefined;
    // A holder that is no JSON was being written when its process ended.
    return typeof holder?.process === "number" && typeof holder.host === "string" ? (holder as Holder) : undefined;
  } catch (cause) {
    if (isMissing(cause)) return undefined;
    throw systemError(cause, "read", holderPath(path));
  }
}

function lives(path: string, { process: holder, host }: Holder): boolean {
  if (host !== hostname()) return true;
  return holder === process.pid ? held.has(path) : isAlive(holder);
}

async function acquire(path: string): Promise<void> {
  const holder = await readHolder(path);
  if (holder && lives(path, holder)) {
    const elsewhere = holder.host === hostname() ? "" : ` on ${holder.host}; if it is gone, remove ${holderPath(path)}`;
    throw new TryAgainError(`${path} is in use by process ${holder.process}${elsewhere}; try again when it is done`, {
      path,
      process: holder.process,
      host: holder.host,
    });
  }
  try {
    await writeFile(holderPath(path), JSON.stringify({ process: process.pid, host: hostname() } satisfies Holder));
  } catch (cause) {
    throw systemError(cause, "lock", path);
  }
  held.add(path);
}

/**
 * Runs `fn` while this process alone holds the lock of a path, by whatever links it is named. What is at the path need not
 * exist; its folder must. The lock of a process that is gone is taken over.
 *
 * @throws {TryAgainError} where another process holds it, with its id
 * @throws {InputOutputError} at once where its folder is not there
 * @throws {DeniedError} at once where its folder may not be written
 */
export async function withLock<T>(path: string, fn: () => Promise<T>): Promise<T> {
  const whole = await realPlace(path);
  await alone(whole, () => acquire(whole));
  try {
    return await fn();
  } finally {
    await alone(whole, async () => {
      held.delete(whole);
      await rm(holderPath(whole), { force: true });
    });
  }
}
