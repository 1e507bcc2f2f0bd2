import { constants } from "node:fs";
import { open, rm, stat, type FileHandle } from "node:fs/promises";
import { DeniedError, TryAgainError } from "@mbs/contracts";
import { followLinks } from "../output-path.ts";
import { isMissing, systemError } from "../system-error.ts";
import { hostname } from "node:os";
import { parseJson } from "../../json.ts";
import { readBootId, readPidNamespace } from "../process-identity.ts";

/** The process that holds a lock, as it recorded itself. */
interface Holder {
  readonly process: number;
  /** When the process began, ISO 8601. */
  readonly started: string;
  readonly host: string;
  /** As readBootId gives it. */
  readonly boot: string;
  /** The PID namespace that `process` belongs to, as readPidNamespace gives it. */
  readonly namespace: string;
}

/** Far above the size of a record. */
const recordLimit = 4096;

/** This process. */
const ownHolder = (): Holder => ({
  process: process.pid,
  started: new Date(Date.now() - process.uptime() * 1000).toISOString(),
  host: hostname(),
  boot: readBootId(),
  namespace: readPidNamespace(),
});

/**
 * The holder that a lock file names.
 *
 * @returns "nobody" where the process or machine stopped before the record was written; undefined where the file is no lock file
 *   of this program
 */
async function readHolder(file: FileHandle): Promise<Holder | "nobody" | undefined> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(recordLimit), 0, recordLimit, 0);
  const text = buffer.toString("utf8", 0, bytesRead).replace(/^\0+$/, "");
  if (text === "") return "nobody";
  const { process: id, host, started = "", boot = "", namespace = "" } = (parseJson(text) ?? {}) as Partial<Holder>;
  return typeof id === "number" && typeof host === "string" ? { process: id, host, started, boot, namespace } : undefined;
}

/** Names a holder to another process: "process 12 on HOST", or "in another container" where the PID is of another namespace. */
function nameHolder(holder: Holder, own: Holder): string {
  const where = holder.host === own.host ? "" : ` on ${holder.host}`;
  const container = holder.boot === own.boot && holder.namespace !== own.namespace ? " in another container" : "";
  return `process ${holder.process}${where}${container}`;
}

/**
 * Whether a holder runs, or ran, on another machine, whose kernel cannot tell ours that it has ended. The same host with
 * another boot id was restarted since, so its holder is gone.
 */
const isElsewhere = (holder: Holder, own: Holder): boolean => holder.boot !== own.boot && holder.host !== own.host;

/** Whether this process got a file's lock, another has it, or there are none: not on this file system or operating system. */
type LockState = "ours" | "taken" | "none";

/** Locks an open file; tests pass one that answers as a system without locks. */
export type LockFile = (descriptor: number) => Promise<LockState>;

const withoutLocks: ReadonlySet<unknown> = new Set(["ENOSYS", "ENOTSUP", "EOPNOTSUPP", "ENOLCK", "EINVAL"]);

/** The addon exists for Linux with glibc and macOS, on x64 and arm64. */
const loadTryLock = (): Promise<((descriptor: number) => boolean) | undefined> =>
  import("fs-native-extensions").then(
    ({ tryLock }) => tryLock,
    () => undefined,
  );

/**
 * Takes the kernel's lock of an open file: fcntl's of the open file description on Linux, flock on macOS. The kernel gives
 * it back when the file is closed or its process ends, for whatever reason. So a blocked event loop, a reused PID, another
 * PID namespace or a stopped clock do not matter.
 */
const lockFile: LockFile = async (descriptor) => {
  const tryLock = await loadTryLock();
  if (tryLock === undefined) return "none";
  try {
    return tryLock(descriptor) ? "ours" : "taken";
  } catch (cause) {
    if (withoutLocks.has((cause as NodeJS.ErrnoException).code)) return "none";
    throw cause;
  }
};

const lockPath = (path: string): string => `${path}.lock`;

/** An open lock file. */
interface LockHandle {
  readonly file: FileHandle;
  /** Whether this process created it. */
  readonly made: boolean;
  /** False where it belongs to another user. */
  readonly writable: boolean;
}

const codeOf = (cause: unknown): unknown => (cause as NodeJS.ErrnoException).code;

async function openLock(path: string): Promise<LockHandle | undefined> {
  // a link could lead to any file, which the record would overwrite
  const flags = constants.O_RDWR | constants.O_NOFOLLOW;
  try {
    return { file: await open(path, flags | constants.O_CREAT | constants.O_EXCL), made: true, writable: true };
  } catch (cause) {
    if (codeOf(cause) !== "EEXIST") throw cause;
  }
  try {
    return { file: await open(path, flags), made: false, writable: true };
  } catch (cause) {
    if (codeOf(cause) === "EACCES") {
      const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
      return { file, made: false, writable: false };
    }
    // its holder has released it in between
    if (isMissing(cause)) return undefined;
    if (codeOf(cause) === "ELOOP") throw notOurs(path);
    throw cause;
  }
}

/** Whether an open file is still the one at its path: releasing a lock removes its file. */
async function isAt(file: FileHandle, path: string): Promise<boolean> {
  const [own, there] = [await file.stat(), await stat(path).catch(() => undefined)];
  return own.ino === there?.ino && own.dev === there.dev;
}

const notOurs = (path: string): DeniedError =>
  new DeniedError(`${path} is not a lock file of a run; move it away, or choose another output`, { path });

/** @param certain whether the kernel says that the lock is held; otherwise the user has to decide */
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
 * @returns false where the file is no longer at its path
 * @throws {TryAgainError} where another process holds it, or may
 */
async function claim(path: string, { file, made, writable }: LockHandle, lock: LockFile): Promise<boolean> {
  const locked = lockPath(path);
  if (!(await file.stat()).isFile()) throw notOurs(locked);
  // a file that is only readable cannot be locked for writing
  const [own, state] = [ownHolder(), writable ? await lock(file.fd) : "none"];
  const holder = await readHolder(file);
  if (state === "taken") throw inUse(path, holder, own, { certain: true });
  if (!(await isAt(file, locked))) return false;
  if (holder === undefined) throw notOurs(locked);
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

/** Releases a lock. A file at its path that is not ours stays: another process has created it since. */
async function release(path: string, file: FileHandle): Promise<void> {
  try {
    if (await isAt(file, lockPath(path))) await rm(lockPath(path), { force: true });
  } finally {
    await file.close();
  }
}

/**
 * Runs `fn` while this process alone holds the lock of a path; links to the path have the same lock. The path need not
 * exist; its folder must. The kernel locks a file beside the path, which names its holder, and frees it when the holder ends.
 * Where the kernel has no locks, the file stays until the user removes it.
 *
 * @param lock replaces the kernel's lock in tests
 * @throws {TryAgainError} where another process holds it, naming it
 * @throws {InputOutputError} at once where its folder is not there
 * @throws {DeniedError} at once where its folder may not be written, or a file that is not ours is where the lock goes
 */
export async function withLock<T>(path: string, fn: () => Promise<T>, lock: LockFile = lockFile): Promise<T> {
  const whole = await followLinks(path);
  const file = await acquire(whole, lock).catch((cause: unknown) => {
    throw systemError(cause, "lock", path);
  });
  try {
    return await fn();
  } finally {
    await release(whole, file);
  }
}
