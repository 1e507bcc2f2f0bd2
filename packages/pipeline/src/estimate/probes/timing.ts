import { performance } from "node:perf_hooks";
import { at } from "@mbs/contracts";
import { measureEngine } from "@mbs/onnx";

/** Repeatable numbers of about the size of states. */
export function noise(length: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Repeatable numbers distributed like weights, most of them near zero: how long a search over grids takes depends on that. */
export function bell(length: number): Float32Array {
  const values = new Float32Array(length);
  for (const seed of [1, 2, 3, 4]) noise(length, seed).forEach((value, index) => (values[index] = at(values, index) + value));
  return values;
}

/** Processor time of this process so far, seconds, of all its threads. */
export function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** How long work takes. */
export interface Taken<Result> {
  readonly result: Result;
  /**
   * Seconds where no other program is at work: processor time, of which the threads of the engine share theirs. Other programs
   * make the work wait, and add nothing to it.
   */
  readonly quiet: number;
  /** Seconds that have passed meanwhile. */
  readonly clock: number;
}

/** @param threads of the engine, which take as much time each */
export async function measure<Result>(threads: number, work: () => Promise<Result>): Promise<Taken<Result>> {
  const [clock, before] = [performance.now(), processorSeconds()];
  const { result, seconds: engine } = await measureEngine(work);
  const others = Math.max(0, processorSeconds() - before - engine);
  return { result, quiet: others + engine / threads, clock: (performance.now() - clock) / 1000 };
}

/** A probe that has run once is measured three times, or less often where that takes longer than this, seconds. */
const enough = 0.5;

/** The mean of three: the collection of what the work leaves behind is a part of it. */
export async function seconds(threads: number, work: () => Promise<unknown>): Promise<number> {
  let [sum, count] = [0, 0];
  for (; count < 3 && sum < enough; count++) sum += (await measure(threads, work)).quiet;
  return sum / count;
}

/** The mean of six: the collection of the buffers that the work leaves behind is a part of it. */
export async function secondsWithGarbage(work: () => Promise<unknown>): Promise<number> {
  const times = 6;
  const { quiet } = await measure(1, async () => {
    for (let time = 0; time < times; time++) await work();
  });
  return quiet / times;
}
