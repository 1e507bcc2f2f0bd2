import { createRequire } from "node:module";
import { totalmem } from "node:os";
import { isMainThread } from "node:worker_threads";
import { BadDataError, InternalError, formatBytes, FailedPreconditionError } from "@mbs/contracts";
import type { Tensor } from "../tensor.ts";

/**
 * ONNX Runtime, whose native library is missing after an install that was cut short. An `import` of it would reject twice then,
 * once where nobody can catch it (Node 20).
 */
function loadRuntime(): typeof import("onnxruntime-node") {
  try {
    return createRequire(import.meta.url)("onnxruntime-node") as typeof import("onnxruntime-node");
  } catch (cause) {
    const [reason = ""] = String(cause instanceof Error ? cause.message : cause).split("\n");
    throw new FailedPreconditionError(
      `ONNX Runtime does not load (${reason}); install again: npm install --ignore-scripts mbs`,
      {},
      { cause },
    );
  }
}

const { InferenceSession, Tensor: OrtTensor, env, listSupportedBackends } = loadRuntime();
type InferenceSession = import("onnxruntime-node").InferenceSession;
type OrtTensor = import("onnxruntime-node").Tensor;

const variable = "ORT_DISABLE_TELEMETRY";

/**
 * Turns off the telemetry of ONNX Runtime for this process and those that it starts.
 *
 * onnxruntime-node 1.30 reports its use unless the variable is set when the first session is made: it writes a device id and
 * a database under the user's cache folder and a log file for each process into the temporary folder, and sends events.
 *
 * @throws {FailedPreconditionError} in a worker thread of a process that did not turn it off: a worker has a copy of the
 *   environment, so what it sets does not reach the native library
 */
export function turnTelemetryOff(): void {
  if (isMainThread) process.env[variable] = "1";
  else if (process.env[variable] !== "1")
    throw new FailedPreconditionError(
      `telemetry of ONNX Runtime cannot be turned off from a worker thread: set ${variable}=1 in the main thread before the worker starts`,
    );
}

/** The version of ONNX Runtime: "1.30.0". */
export const runtimeVersion: string = env.versions.common;

/** What the installed binary can run graphs on: "cpu", "webgpu". Sessions here take cpu. */
export const executionProviders = (): readonly string[] => listSupportedBackends().map(({ name }) => name);

export interface SessionOptions {
  /** Threads inside one operator, ≥ 1. The same number gives the same bytes. */
  readonly threads: number;
  /** Whether it keeps the most memory that a run has used: for small graphs that run often. Default false. */
  readonly keepsMemory?: boolean;
}

/** A graph that is ready to run. */
export interface Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /**
   * Runs the graph, which blocks the event loop.
   *
   * @param feeds every input; arrays are read in place, and must not be views on a SharedArrayBuffer
   * @param into tensors that take outputs by name, written in place
   * @throws {InternalError} with the node that failed
   * @throws {BadDataError} where it asks for more memory than there is
   */
  run(feeds: Readonly<Record<string, Tensor>>, into?: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>;
  /** Frees the native memory; the session cannot run afterwards. */
  release(): Promise<void>;
}

/** Most characters of the engine's message that are quoted. */
const mostCharacters = 600;

/** @returns bad data where there is not the memory for what was asked, else an internal error */
function engineError(activity: string, cause: unknown): BadDataError | InternalError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const node = /Name:\s*'([^']+)'/.exec(message)?.[1] ?? /Node,?\s*\("?([^",)]+)/.exec(message)?.[1];
  // some of its messages list every type that there is
  const line = message.replaceAll(/\s+/g, " ").trim().slice(0, mostCharacters);
  // it does not say how much it asked for
  if (message.includes("bad_alloc")) {
    return new BadDataError(
      `ONNX Runtime asked for more memory${node ? ` at node ${node}` : ""} than it could get; this machine has ${formatBytes(totalmem())} in all; ` +
        "take a shorter --length, or export the model again if its shapes are broken",
      node ? { node } : {},
      { cause },
    );
  }
  return new InternalError(`ONNX Runtime could not ${activity}${node ? ` node ${node}` : ""}: ${line}`, node ? { node } : {}, {
    cause,
  });
}

const toOrt = (tensor: Tensor): OrtTensor => new OrtTensor(tensor.type, tensor.data, tensor.dims);

function fromOrt(tensor: OrtTensor): Tensor {
  // the binding types its data as a union of all arrays; type and data belong together by its own contract
  return { type: tensor.type, dims: tensor.dims, data: tensor.data } as Tensor;
}

const toOrtRecord = (tensors: Readonly<Record<string, Tensor>>): Record<string, OrtTensor> =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, toOrt(tensor)]));

/**
 * Loads a model into ONNX Runtime on the CPU.
 *
 * @param model a serialised ONNX model, as GraphBuilder makes it, or the path of one, with its weight files beside it
 * @throws {InternalError} when the graph is not valid, naming the node
 * @throws {FailedPreconditionError} in a worker thread whose process has not turned telemetry off
 */
export async function createSession(
  model: Uint8Array | string,
  { threads, keepsMemory = false }: SessionOptions,
): Promise<Session> {
  turnTelemetryOff();
  const options: import("onnxruntime-node").InferenceSession.SessionOptions = {
    executionProviders: ["cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    // off unless asked for: arenas of all sessions would take too much, and a compression is as fast without
    enableCpuMemArena: keepsMemory,
    logSeverityLevel: 4,
    // idle threads sleep: many sessions share the machine, each with threads of its own
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  };
  let session: InferenceSession;
  try {
    session = await (typeof model === "string"
      ? InferenceSession.create(model, options)
      : InferenceSession.create(model, options));
  } catch (error) {
    throw engineError("load the graph at", error);
  }
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    async run(feeds, into = {}) {
      try {
        const fetches = Object.fromEntries(session.outputNames.map((name) => [name, into[name] ? toOrt(into[name]) : null]));
        const outputs = await session.run(toOrtRecord(feeds), fetches);
        return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, fromOrt(tensor)]));
      } catch (error) {
        throw engineError("run", error);
      }
    },
    release: () => session.release(),
  };
}
