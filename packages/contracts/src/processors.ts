import { availableParallelism } from "node:os";
import { groupFolders, readText } from "./control-groups.ts";
import type { ReadText } from "./control-groups.ts";

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

/** The processors that Linux's control groups leave to this process, a fraction where it is one; undefined without a limit. */
export function processorLimit(read: ReadText = readText): number | undefined {
  const limits: number[] = [];
  for (const { version, path } of groupFolders("cpu", read)) {
    const limit = version === 2 ? unifiedLimit(read, path) : separateLimit(read, path);
    if (limit !== undefined) limits.push(limit);
  }
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/** The most threads that anyone may ask for: a typing error must not start more than the system allows. */
export const mostThreads = 1024;

/** How many threads can run at the same time, at least 1: by affinity, as Node counts them, and by control groups. */
export function availableProcessors(): number {
  const limit = processorLimit() ?? Infinity;
  return Math.max(1, Math.min(mostThreads, availableParallelism(), Math.ceil(limit)));
}
