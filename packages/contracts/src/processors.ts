import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { posix } from "node:path";

/** Reads a small file; undefined where there is none. */
type ReadText = (path: string) => string | undefined;

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

const processorsOf = (quota: number, period: number): number | undefined =>
  quota > 0 && period > 0 ? quota / period : undefined;

/** Version 2: one file with quota and period in microseconds, "max" where there is no limit. */
function unifiedLimit(read: ReadText, folder: string): number | undefined {
  const [quota = NaN, period = NaN] = (read(`${folder}/cpu.max`) ?? "").split(/\s+/).map(Number);
  return processorsOf(quota, period);
}

/** Version 1: a file each, -1 where there is no limit. */
function separateLimit(read: ReadText, folder: string): number | undefined {
  const number = (name: string): number => Number(read(`${folder}/${name}`) ?? NaN);
  return processorsOf(number("cpu.cfs_quota_us"), number("cpu.cfs_period_us"));
}

/** A folder and those above it: a limit on any of them holds. */
function* upwards(folder: string): Generator<string, void, undefined> {
  for (let path = posix.normalize(folder); ; path = posix.dirname(path)) {
    yield path === "/" ? "" : path;
    if (path === "/" || path === ".") return;
  }
}

/**
 * The processors that Linux's control groups leave to this process, a fraction where it is one; undefined without a limit.
 *
 * In a container the group's own folder is often not visible, and its limit lies in the root.
 *
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max)
 */
export function processorLimit(read: ReadText = readText): number | undefined {
  const limits: number[] = [];
  for (const line of (read("/proc/self/cgroup") ?? "").split("\n")) {
    const [, controllers, group] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || group === undefined) continue;
    for (const folder of upwards(group)) {
      const limit =
        controllers === ""
          ? unifiedLimit(read, `/sys/fs/cgroup${folder}`)
          : controllers.split(",").includes("cpu")
            ? separateLimit(read, `/sys/fs/cgroup/${controllers}${folder}`)
            : undefined;
      if (limit !== undefined) limits.push(limit);
    }
  }
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/** How many threads can run at the same time, at least 1: by affinity, as Node counts them, and by control groups. */
export function availableProcessors(): number {
  const limit = processorLimit() ?? Infinity;
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(limit)));
}
