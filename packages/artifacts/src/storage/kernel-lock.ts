/** Whether a file's lock is ours now, is another's, or cannot be had: its file system or this system has none. */
export type LockState = "ours" | "taken" | "none";

/** Locks an open file; tests give one of a system without locks. */
export type LockFile = (descriptor: number) => Promise<LockState>;

const withoutLocks: ReadonlySet<unknown> = new Set(["ENOSYS", "ENOTSUP", "EOPNOTSUPP", "ENOLCK", "EINVAL"]);

/** The addon is there for Linux with glibc and macOS, on x64 and arm64; it is loaded by who needs it. */
const loadTryLock = (): Promise<((descriptor: number) => boolean) | undefined> =>
  import("fs-native-extensions").then(
    ({ tryLock }) => tryLock,
    () => undefined,
  );

/**
 * Takes the kernel's lock of an open file: fcntl's of the open file description on Linux, flock on macOS. The kernel gives
 * it back when the file is closed or its process ends, however that ends; no blocked event loop, reused process id, PID
 * namespace or stopped clock matters to it.
 */
export const lockFile: LockFile = async (descriptor) => {
  const tryLock = await loadTryLock();
  if (tryLock === undefined) return "none";
  try {
    return tryLock(descriptor) ? "ours" : "taken";
  } catch (cause) {
    if (withoutLocks.has((cause as NodeJS.ErrnoException).code)) return "none";
    throw cause;
  }
};
