import { MbsError } from "@mbs/contracts";
import type { Device } from "@mbs/contracts";
import { DeviceTensor, freeTensor, isOnDevice } from "../device-tensor.ts";
import type { PlacedTensor } from "../device-tensor.ts";
import { bringTensor, runWithConstants } from "./device-memory.ts";
import { engineError, openOrtSession, OrtTensor } from "./runtime.ts";
import type { Tensor } from "../tensor.ts";

export interface SessionOptions {
  /** Threads inside one operator, ≥ 1. The same number gives the same bytes. */
  readonly threads: number;
  /** Whether it keeps the most memory that a run has used: for small graphs that run often. Default false. */
  readonly keepsMemory?: boolean;
  /** What it runs on. Default "cpu". */
  readonly device?: Device | undefined;
  /** Whether `runKept` leaves outputs on a graphics processor. Default false. */
  readonly keepsOutputs?: boolean;
  /** What the graph is called where it is said which of them a device cannot run as a whole. */
  readonly name?: string;
}

/** A graph that is ready to run. */
export interface Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /**
   * Runs the graph, which blocks the event loop.
   *
   * @param feeds every input; arrays are read in place, and must not be views on a SharedArrayBuffer. What is constant is
   *   copied to a graphics processor once
   * @param into tensors that take outputs by name, written in place
   * @throws {InternalError} with the node that failed
   * @throws {BadDataError} where it asks for more memory than there is
   * @throws {DeviceFullError} where a graphics processor has no space for it
   * @throws {FailedPreconditionError} where that is gone
   */
  run(feeds: Readonly<Record<string, PlacedTensor>>, into?: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>;
  /** The same, without copying back what a session that keeps its outputs has made on a graphics processor. */
  runKept(feeds: Readonly<Record<string, PlacedTensor>>): Promise<Record<string, PlacedTensor>>;
  /** Frees the native memory; the session cannot run afterwards. */
  release(): Promise<void>;
}

/** Microseconds of the work that is measured now. */
let measured: { microseconds: number } | undefined;

/**
 * Does some work, and counts the processor time that graphs take in it, seconds of all their threads together. A run blocks the
 * event loop, so nothing else of this thread is among them.
 */
export async function measureEngine<Result>(work: () => Promise<Result>): Promise<{ result: Result; seconds: number }> {
  const own = { microseconds: 0 };
  measured = own;
  try {
    const result = await work();
    return { result, seconds: own.microseconds / 1e6 };
  } finally {
    measured = undefined;
  }
}

/** Counts a run's time, where that is wanted: asking for it takes the system some microseconds. */
async function counted<Result>(run: () => Promise<Result>): Promise<Result> {
  const own = measured;
  if (own === undefined) return run();
  const before = process.cpuUsage();
  try {
    return await run();
  } finally {
    const { user, system } = process.cpuUsage(before);
    own.microseconds += user + system;
  }
}

const toOrt = (tensor: PlacedTensor): OrtTensor =>
  isOnDevice(tensor) ? tensor.held : new OrtTensor(tensor.type, tensor.data, tensor.dims);

const toOrtRecord = (tensors: Readonly<Record<string, PlacedTensor>>): Record<string, OrtTensor> =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toOrt(tensor)]));

function fromOrt(tensor: OrtTensor): PlacedTensor {
  if (tensor.location === "gpu-buffer") return new DeviceTensor(tensor);
  // the binding types its data as a union of all arrays; type and data belong together by its own contract
  return { type: tensor.type, dims: tensor.dims, data: tensor.data } as Tensor;
}

const fromOrtRecord = (tensors: Readonly<Record<string, OrtTensor>>): Record<string, PlacedTensor> =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, fromOrt(tensor)]));

/**
 * Loads a model into ONNX Runtime.
 *
 * @param model a serialised ONNX model, as GraphBuilder makes it, or the path of one, with its weight files beside it
 * @throws {InternalError} when the graph is not valid, naming the node
 * @throws {FailedPreconditionError} in a worker thread whose process has not turned telemetry off, or without the device
 */
export async function createSession(
  model: Uint8Array | string,
  { threads, keepsMemory = false, keepsOutputs = false, device = "cpu", name }: SessionOptions,
): Promise<Session> {
  const keeps = keepsOutputs && device !== "cpu";
  const session = await openOrtSession(model, { threads, keepsMemory, device, keepsOutputs: keeps }, name);

  const runKept = async (
    feeds: Readonly<Record<string, PlacedTensor>>,
    into: Readonly<Record<string, Tensor>> = {},
  ): Promise<Record<string, PlacedTensor>> => {
    try {
      const fetches = Object.fromEntries(session.outputNames.map((name) => [name, into[name] ? toOrt(into[name]) : null]));
      const outputs = await counted(() =>
        device === "cpu" ? session.run(toOrtRecord(feeds), fetches) : runWithConstants(session, feeds, fetches),
      );
      return fromOrtRecord(outputs);
    } catch (error) {
      throw error instanceof MbsError ? error : engineError("run", device, error);
    }
  };

  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    async run(feeds, into) {
      const outputs = Object.entries(await runKept(feeds, into));
      const made: Record<string, Tensor> = {};
      try {
        for (const [name, tensor] of outputs) made[name] = await bringTensor(tensor);
        return made;
      } finally {
        // those behind one that could not be brought
        for (const [, tensor] of outputs) freeTensor(tensor);
      }
    },
    runKept: (feeds) => runKept(feeds),
    release: () => session.release(),
  };
}
