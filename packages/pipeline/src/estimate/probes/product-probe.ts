import { cpus } from "node:os";
import { createBlas } from "@mbs/onnx";
import { sum } from "../sum.ts";
import { measure, noise, processorSeconds } from "./timing.ts";
import type { Taken } from "./timing.ts";

/** Seconds for which products are made, to learn how much of the processor other programs take. */
const loadSeconds = 0.7;

/** Waiting for a quarter of the time is no more than a machine does that nobody else uses. */
const quietSlowdown = 1.25;

export interface ProductTime {
  /** Seconds of a floating-point operation on a quiet machine. */
  readonly operation: number;
  /** How many times as long it takes now. */
  readonly slowdown: number;
}

/** Of all processors and programs, seconds since the machine began; 0 where the system does not tell. */
const busySeconds = (): number => sum(cpus(), ({ times: { user, nice, sys, irq } }) => user + nice + sys + irq) / 1000;

/** Processors that others take while this process waits for none: what a system does for itself. */
const fewProcessors = 0.1;

/** Times large products, and with them how much other programs take of this machine now. */
export async function measureProducts(threads: number): Promise<ProductTime> {
  const blas = createBlas({ threads });
  const size = 1024;
  const matrix = { rows: size, columns: size, values: noise(size * size) };
  await blas.gemm(matrix, matrix);
  const taken: Taken<unknown>[] = [];
  const clock = (): number => sum(taken, (one) => one.clock);
  const [busy, own] = [busySeconds(), processorSeconds()];
  while (clock() < loadSeconds) taken.push(await measure(threads, () => blas.gemm(matrix, matrix)));
  const others = busySeconds() - busy - (processorSeconds() - own);
  await blas.release();
  const slowdown = clock() / sum(taken, ({ quiet }) => quiet);
  // threads that wait for each other are slower than one, too
  const isAlone = slowdown < quietSlowdown || (busy > 0 && others < fewProcessors * clock());
  return { operation: Math.min(...taken.map(({ quiet }) => quiet)) / (2 * size ** 3), slowdown: isAlone ? 1 : slowdown };
}
