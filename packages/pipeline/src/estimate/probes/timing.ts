import { performance } from "node:perf_hooks";
import { sum } from "../sum.ts";

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
