import { totalmem } from "node:os";
import { formatBytes } from "./byte-sizes.ts";
import { groupFolders, readText } from "./control-groups.ts";
import type { ReadText } from "./control-groups.ts";
import { UsageError } from "./errors.ts";

const limitFiles = { 1: ["memory.limit_in_bytes"], 2: ["memory.max", "memory.high"] } as const;

/** The bytes that Linux's control groups leave to this process and others in its groups; undefined without a limit. */
export function memoryLimit(read: ReadText = readText): number | undefined {
  const limits: number[] = [];
  for (const { version, path } of groupFolders("memory", read)) {
    for (const file of limitFiles[version]) {
      const limit = Number.parseInt(read(`${path}/${file}`) ?? "", 10);
      if (limit > 0) limits.push(limit);
    }
  }
  return limits.length === 0 ? undefined : Math.min(...limits);
}

/** Bytes of memory that the machine, or a control group, has for this process. Version 1 states no limit as a huge one. */
export const availableMemory = (): number => Math.min(totalmem(), memoryLimit() ?? Infinity);

/** How much of its memory a run uses to keep what later stages need, bytes of each kind. */
export interface KeptMemory {
  /** What waits between two stages: models, values within a block, worker threads. */
  readonly pool: number;
  /** Artifacts. */
  readonly artifacts: number;
  /** Weights of the blocks that ran last, of a model in use. */
  readonly weights: number;
}

const mebibyte = 1024 * 1024;

/** Enough for one model of which a few blocks are read, and for statistics, factors and states of a site or two. */
const mostByDefault: KeptMemory = { pool: 1024 * mebibyte, artifacts: 256 * mebibyte, weights: 64 * mebibyte };

const sum = ({ pool, artifacts, weights }: KeptMemory): number => pool + artifacts + weights;

/** 1344 MiB, or a sixth of the memory that is available where that is less. */
export const defaultKept = (available = availableMemory()): number => Math.min(sum(mostByDefault), Math.floor(available / 6));

/** Splits a number of bytes: 16 parts of 21 for the pool, 4 for artifacts, 1 for weights. */
export function splitKept(total = defaultKept()): KeptMemory {
  const share = (part: number): number => Math.floor((total / sum(mostByDefault)) * part);
  return { pool: share(mostByDefault.pool), artifacts: share(mostByDefault.artifacts), weights: share(mostByDefault.weights) };
}

/** The weights that a model in use keeps, bytes, beside a pool of a size. */
export const weightsBeside = (pool: number): number => Math.floor((pool / mostByDefault.pool) * mostByDefault.weights);

/** @throws {UsageError} where more is asked for than there is */
export function requireAvailable(bytes: number, option: string, available = availableMemory()): void {
  if (bytes <= available) return;
  throw new UsageError(
    `${option} ${formatBytes(bytes)} is more than the ${formatBytes(available)} of memory here; leave some of that for the work itself`,
    { option, bytes, available },
  );
}
