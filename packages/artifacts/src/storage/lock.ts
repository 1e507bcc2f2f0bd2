import { constants } from "node:fs";
import { open, rm, stat, type FileHandle } from "node:fs/promises";
import { DeniedError, TryAgainError } from "@mbs/contracts";
import { lockFile, type LockFile } from "./kernel-lock.ts";
import { isElsewhere, nameHolder, ownHolder, readHolder, type Holder } from "./lock-holder.ts";
import { realPlace } from "./real-place.ts";
import { isMissing, systemError } from "./system-error.ts";

const lockPath = (path: string): string => `${path}.lock`;

/** An open lock file. */
interface LockHandle {
  readonly file: FileHandle;
  /** Whether this process has made it, and no other can have. */
  readonly made: boolean;
  /** Not where it is that of another user. */
  readonly writable: boolean;
}

const codeOf = (cause: unknown): unknown => (cause as NodeJS.ErrnoException).code;

async function openLock(place: string): Promise<LockHandle | undefined> {
  // a link could lead to anybody's file, which the record would overwrite
  const flags = constants.O_RDWR | constants.O_NOFOLLOW;
  try {
    return { file: await open(place, flags | constants.O_CREAT | constants.O_EXCL), made: true, writable: true };
  } catch (cause) {
    if (codeOf(cause) !== "EEXIST") throw cause;
  }
  try {
    return { file: await open(place, flags), made: false, writable: true };
  } catch (cause) {
    if (codeOf(cause) === "EACCES") {
      const file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW);
      return { file, made: false, writable: false };
    }
    // its holder has given it back in between
    if (isMissing(cause)) return undefined;
    if (codeOf(cause) === "ELOOP") throw notOurs(place);
    throw cause;
  }
}

/** Whether an open file still has its path: who gives a lock back removes its file. */
async function isAt(file: FileHandle, place: string): Promise<boolean> {
  const [own, there] = [await file.stat(), await stat(place).catch(() => undefined)];
  return own.ino === there?.ino && own.dev === there.dev;
}

const notOurs = (place: string): DeniedError =>
  new DeniedError(`${place} is no lock file of a run; move it away, or choose another output`, { path: place });

/** Names the holder of a lock; the user's word is asked for only where the kernel has none. */
function inUse(
  path: string,
  holder: Holder | "nobody" | undefined,
  own: Holder,
  { certain }: { certain: boolean },
): TryAgainError {
  const known = holder !== undefined && holder !== "nobody";
  const remedy = certain
    ? "try again when it is done"
    : `if it has ended, which cannot be seen from here, delete ${lockPath(path)} and try again`;
  return new TryAgainError(`${path} is in use by ${known ? nameHolder(holder, own) : "another process"}; ${remedy}`, {
    path,
    ...(known && { process: holder.process, host: holder.host }),
  });
}

/**
 * Takes a lock whose file is open, and writes who holds it.
 *
 * @returns false where the file has lost its path meanwhile
 * @throws {TryAgainError} where another process holds it, or may
 */
async function claim(path: string, { file, made, writable }: LockHandle, lock: LockFile): Promise<boolean> {
  const place = lockPath(path);
  if (!(await file.stat()).isFile()) throw notOurs(place);
  // the kernel locks for writing only what may be written
  const [own, state] = [await ownHolder(), writable ? await lock(file.fd) : "none"];
  const holder = await readHolder(file);
  if (state === "taken") throw inUse(path, holder, own, { certain: true });
  if (!(await isAt(file, place))) return false;
  if (holder === undefined) throw notOurs(place);
  const mayLive = state === "none" ? !made : holder !== "nobody" && isElsewhere(holder, own);
  if (mayLive) throw inUse(path, holder, own, { certain: false });
  await file.truncate();
  await file.write(JSON.stringify(own), 0);
  return true;
}

async function acquire(path: string, lock: LockFile): Promise<FileHandle> {
  for (;;) {
    const opened = await openLock(lockPath(path));
    if (opened === undefined) continue;
    let claimed = false;
    try {
      claimed = await claim(path, opened, lock);
      if (claimed) return opened.file;
    } catch (cause) {
      if (opened.made && !(cause instanceof TryAgainError)) await rm(lockPath(path), { force: true });
      throw cause;
    } finally {
      if (!claimed) await opened.file.close();
    }
  }
}

/** Gives a lock back; a file that somebody has removed, and another process made again, is that one's. */
async function release(path: string, file: FileHandle): Promise<void> {
  try {
    if (await isAt(file, lockPath(path))) await rm(lockPath(path), { force: true });
  } finally {
    await file.close();
  }
}

/**
 * Runs `fn` while this process alone holds the lock of a path, by whatever links it is named. What is at the path need not
 * exist; its folder must. The lock is the kernel's, of a file beside the path that names its holder: that of a process
 * which has ended is free. Where the kernel cannot tell, the lock file stays until the user removes it.
 *
 * @param lock for tests
 * @throws {TryAgainError} where another process holds it, naming it
 * @throws {InputOutputError} at once where its folder is not there
 * @throws {DeniedError} at once where its folder may not be written, or a file of somebody else has the lock's place
 */
export async function withLock<T>(path: string, fn: () => Promise<T>, lock: LockFile = lockFile): Promise<T> {
  const whole = await realPlace(path);
  const file = await acquire(whole, lock).catch((cause: unknown) => {
    throw systemError(cause, "lock", path);
  });
  try {
    return await fn();
  } finally {
    await release(whole, file);
  }
}
