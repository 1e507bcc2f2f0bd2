import type { Marked } from "./processes.ts";

/** Numbers from 0 up to 1. */
export type Random = () => number;

/** Something that was done to a run. */
export interface Strike {
  /** What it hit: "coordinator", "worker", … */
  readonly at: string;
  /** Whether a process was killed. */
  readonly isKill: boolean;
}

/** A node that was done now, by a name that is the same whenever the same is done. */
export type OnNode = (node: string) => void;

/** An engine whose runs are struck. */
export interface ChaosEngine {
  /** Starts what a run needs besides its own process; what an earlier run has left there is gone. */
  prepare(onNode: OnNode): Promise<void>;
  /** Starts or resumes a run, on as many processors and workers as comes up. */
  startRun(recipe: string, random: Random): Marked;
  /** Does something bad; what it has killed besides the run comes back by itself. @returns undefined where it hit nothing */
  strike(run: Marked, random: Random): Promise<Strike | undefined>;
  /** Waits until all is there again. @returns processes that have outlived those that had started them, since the last call */
  settle(): Promise<number>;
  /** Ends all; as `settle`. */
  end(): Promise<number>;
}

/** One of several, each with its weight. */
export function choose<T>(random: Random, choices: readonly (readonly [T, weight: number])[]): T {
  let left = random() * choices.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [choice, weight] of choices) {
    left -= weight;
    if (left < 0) return choice;
  }
  throw new Error("there is nothing to choose from");
}

/** What a process is started on. */
export const processorCounts = [
  ["all", 1],
  ["one", 1],
] as const;
