import { performance } from "node:perf_hooks";
import { sum } from "../sum.ts";
import { at } from "@mbs/contracts";

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

/** A probe that has run once is measured three times, or less often where that takes longer than this, seconds. */
const enough = 0.5;

async function measure(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** The shortest of three: what disturbs a kernel, as the garbage of the probe before it, only makes it slower. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const found: number[] = [];
  while (found.length < 3 && sum(found, (taken) => taken) < enough) found.push(await measure(work));
  return Math.min(...found);
}

/** The mean of six: the collection of the buffers that the work leaves behind is a part of it. */
export async function secondsWithGarbage(work: () => Promise<unknown>): Promise<number> {
  const times = 6;
  return (
    (await measure(async () => {
      for (let time = 0; time < times; time++) await work();
    })) / times
  );
}
