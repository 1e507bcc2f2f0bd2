import { FailedPreconditionError } from "@mbs/contracts";
import type { Device, DeviceChoice } from "@mbs/contracts";
import { GraphBuilder } from "../graph-builder.ts";
import { constantTensor, floatTensor } from "../tensor.ts";
import { executionProviders } from "./runtime.ts";
import { createSession } from "./session.ts";
import type { Session } from "./session.ts";

/** Side of the matrices of the product that is timed: 2 · 1024³ operations, as in a block of a model of a billion parameters. */
const side = 1024;

const repetitions = 3;

/** The graphics processor is taken where it is so many times as fast: below that, what is copied eats the gain up. */
const leastGain = 2;

const shape = [side, side] as const;

/** @throws {FailedPreconditionError} where there is no such device */
function openProbe(device: Device, threads: number): Promise<Session> {
  const graph = new GraphBuilder("probe", { device });
  const product = graph.node("MatMul", [graph.input("states", "float32", shape), graph.input("weight", "float32", shape)]);
  graph.output("made", product, "float32", shape);
  return createSession(graph.build(), { threads, device, name: "probe" });
}

/**
 * How fast a device multiplies states by a weight, the states copied there and back: the best of three.
 *
 * @returns operations a second, in 10⁹
 * @throws {FailedPreconditionError} where there is no such device
 */
export async function measureProduct(device: Device, threads: number): Promise<number> {
  const session = await openProbe(device, threads);
  try {
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
  if (!executionProviders().includes("webgpu")) return "cpu";
  const found = await measureProduct("webgpu", threads).catch((error: unknown) => {
    if (error instanceof FailedPreconditionError) return 0;
    throw error;
  });
  return found > 0 && found >= leastGain * (await measureProduct("cpu", threads)) ? "webgpu" : "cpu";
}
