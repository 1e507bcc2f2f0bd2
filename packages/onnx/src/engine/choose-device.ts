import { MbsError } from "@mbs/contracts";
import type { Device, DeviceChoice } from "@mbs/contracts";
import { GraphBuilder } from "../graph-builder.ts";
import { constantTensor, floatTensor } from "../tensor.ts";
import { uncounted } from "./device-memory.ts";
import { createSession } from "./session.ts";
import type { Session } from "./session.ts";

/** Sides of the matrices of products that are timed: as in a block of a model of a billion parameters, and one that tells a GPU made of software. */
const sides = { usual: 1024, small: 256 } as const;

const repetitions = 3;

/** The graphics processor is taken where it is so many times as fast: below that, what is copied eats the gain up. */
const leastGain = 2;

/** A small product shows a tenth of what a graphics processor can do at the least; programs that do its work are 300 times slower. */
const leastSmallGain = 1 / 50;

/** @throws {FailedPreconditionError} where there is no such device */
function openProbe(device: Device, threads: number): Promise<Session> {
  const graph = new GraphBuilder("probe", { device });
  const inputs = [graph.input("states", "float32", ["M", "K"]), graph.input("weight", "float32", ["K", "N"])];
  graph.output("made", graph.node("MatMul", inputs), "float32", ["M", "N"]);
  return createSession(graph.build(), { threads, device, name: "probe" });
}

/**
 * How fast a device multiplies states by a weight, the states copied there and back: the best of three.
 *
 * @param side of both matrices
 * @returns operations a second, in 10⁹
 * @throws {FailedPreconditionError} where there is no such device
 */
export const measureProduct = (device: Device, threads: number, side: number = sides.usual): Promise<number> =>
  uncounted(async () => {
    const session = await openProbe(device, threads);
    try {
      const shape = [side, side] as const;
      const values = Float32Array.from({ length: side * side }, (_, index) => ((index * 7) % 13) - 6);
      const feeds = { states: floatTensor(values, shape), weight: constantTensor(values.slice(), shape) };
      // the first run compiles and copies the weight
      await session.run(feeds);
      let best = Infinity;
      for (let run = 0; run < repetitions; run += 1) {
        const start = performance.now();
        await session.run(feeds);
        best = Math.min(best, performance.now() - start);
      }
      return (2 * side ** 3) / (best * 1e6);
    } finally {
      await session.release();
    }
  });

async function isFaster(threads: number): Promise<boolean> {
  const own = await measureProduct("cpu", threads);
  if ((await measureProduct("webgpu", threads, sides.small)) < leastSmallGain * own) return false;
  return (await measureProduct("webgpu", threads)) >= leastGain * own;
}

/**
 * What is to compute: what was asked for, or with "auto" the graphics processor where there is one that multiplies at least
 * twice as fast as the processor.
 *
 * @throws {FailedPreconditionError} where "webgpu" was asked for and there is none
 */
export async function chooseDevice(choice: DeviceChoice, threads: number): Promise<Device> {
  if (choice === "cpu") return choice;
  if (choice === "webgpu") {
    await (await openProbe(choice, threads)).release();
    return choice;
  }
  try {
    return (await isFaster(threads)) ? "webgpu" : "cpu";
  } catch (error) {
    // none that works
    if (error instanceof MbsError) return "cpu";
    throw error;
  }
}
