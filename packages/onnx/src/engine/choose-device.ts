import { MbsError } from "@mbs/contracts";
import type { Device, DeviceChoice } from "@mbs/contracts";
import { GraphBuilder } from "../graph-builder.ts";
import { constantTensor, floatTensor } from "../tensor.ts";
import { uncounted } from "./device-memory.ts";
import { createSession } from "./session.ts";
import type { Session } from "./session.ts";
import type { Tensor } from "../tensor.ts";

/** Sides of the matrices of products that are timed: as in a block of a model of a billion parameters, and one that tells a GPU made of software. */
const sides = { usual: 1024, small: 256 } as const;

const repetitions = 3;

/** The graphics processor is taken where it is so many times as fast: below that, what is copied eats the gain up. */
const leastGain = 2;

/** A small product shows a tenth of what a graphics processor can do at the least; programs that do its work are 300 times slower. */
const leastSmallGain = 1 / 50;

/** Rate of a small product, in 10⁹ operations a second, below which it is a program that does the work: a large product would take minutes. */
const slowRate = 2;

/** @throws {FailedPreconditionError} where there is no such device */
function openProbe(device: Device, threads: number): Promise<Session> {
  const graph = new GraphBuilder("probe", { device });
  const inputs = [graph.input("states", "float32", ["M", "K"]), graph.input("weight", "float32", ["K", "N"])];
  graph.output("made", graph.node("MatMul", inputs), "float32", ["M", "N"]);
  return createSession(graph.build(), { threads, device, name: "probe" });
}

/** The best of three runs. */
async function secondsOf(session: Session, feeds: Readonly<Record<string, Tensor>>): Promise<number> {
  // the first run compiles, and copies a weight
  await session.run(feeds);
  let best = Infinity;
  for (let run = 0; run < repetitions; run += 1) {
    const start = performance.now();
    await session.run(feeds);
    best = Math.min(best, performance.now() - start);
  }
  return best / 1000;
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
      return (2 * side ** 3) / ((await secondsOf(session, feeds)) * 1e9);
    } finally {
      await session.release();
    }
  });

/** What a graphics processor does in a second. */
export interface GraphicsSpeed {
  /** Operations of a product whose values are there. */
  readonly operations: number;
  /** Bytes that are copied there, or back. */
  readonly bytes: number;
}

/** Seconds to copy a square matrix of float32 there and back: the best of three. */
const measureCopies = (side: number): Promise<number> =>
  uncounted(async () => {
    const graph = new GraphBuilder("copies", { device: "webgpu" });
    graph.output("made", graph.node("Identity", [graph.input("states", "float32", [side, side])]), "float32", [side, side]);
    const session = await createSession(graph.build(), { threads: 1, device: "webgpu", name: "copies" });
    try {
      return await secondsOf(session, { states: floatTensor(new Float32Array(side * side), [side, side]) });
    } finally {
      await session.release();
    }
  });

/** A part of the time of a product that is its own in any case: beside copies that vary it could come out as none. */
const leastShare = 0.1;

/**
 * How fast the graphics processor multiplies, and how fast values are copied: the probe of "auto" with its copies apart. One that
 * is made of software is told by a small product.
 *
 * @throws {FailedPreconditionError} where there is none
 */
export async function measureGraphics(threads: number): Promise<GraphicsSpeed> {
  const small = await measureProduct("webgpu", threads, sides.small);
  const isSlow = small < slowRate;
  const side = isSlow ? sides.small : sides.usual;
  const rate = isSlow ? small : await measureProduct("webgpu", threads);
  const operations = 2 * side ** 3;
  const [whole, copies] = [operations / (rate * 1e9), await measureCopies(side)];
  return { operations: operations / Math.max(whole - copies, leastShare * whole), bytes: (2 * 4 * side ** 2) / copies };
}

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
