import { MbsError } from "@mbs/contracts";
import type { Device } from "@mbs/contracts";
import { runWithConstants } from "./device-memory.ts";
import { engineError, openOrtSession, OrtTensor } from "./runtime.ts";
import type { Tensor } from "../tensor.ts";

export interface SessionOptions {
  /** Threads inside one operator, ≥ 1. The same number gives the same bytes. */
  readonly threads: number;
  /** Whether it keeps the most memory that a run has used: for small graphs that run often. Default false. */
  readonly keepsMemory?: boolean;
  /** What it runs on. Default "cpu". */
  readonly device?: Device | undefined;
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
   * @throws {FailedPreconditionError} where a graphics processor has no space for it, or is gone
   */
  run(feeds: Readonly<Record<string, Tensor>>, into?: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>;
  /** Frees the native memory; the session cannot run afterwards. */
  release(): Promise<void>;
}

const toOrt = ({ type, data, dims }: Tensor): OrtTensor => new OrtTensor(type, data, dims);

const toOrtRecord = (tensors: Readonly<Record<string, Tensor>>): Record<string, OrtTensor> =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toOrt(tensor)]));

function fromOrt(tensor: OrtTensor): Tensor {
  // the binding types its data as a union of all arrays; type and data belong together by its own contract
  return { type: tensor.type, dims: tensor.dims, data: tensor.data } as Tensor;
}

/**
 * Loads a model into ONNX Runtime.
 *
 * @param model a serialised ONNX model, as GraphBuilder makes it, or the path of one, with its weight files beside it
 * @throws {InternalError} when the graph is not valid, naming the node
 * @throws {FailedPreconditionError} in a worker thread whose process has not turned telemetry off, or without the device
 */
export async function createSession(
  model: Uint8Array | string,
  { threads, keepsMemory = false, device = "cpu", name }: SessionOptions,
): Promise<Session> {
  const session = await openOrtSession(model, { threads, keepsMemory, device, keepsOutputs: false }, name);
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    async run(feeds, into = {}) {
      try {
        const fetches = Object.fromEntries(session.outputNames.map((name) => [name, into[name] ? toOrt(into[name]) : null]));
        const outputs = await (device === "cpu"
          ? session.run(toOrtRecord(feeds), fetches)
          : runWithConstants(session, feeds, fetches));
        return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, fromOrt(tensor)]));
      } catch (error) {
        throw error instanceof MbsError ? error : engineError("run", device, error);
      }
    },
    release: () => session.release(),
  };
}
