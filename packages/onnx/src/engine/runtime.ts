import { createRequire } from "node:module";
import { totalmem } from "node:os";
import { isMainThread } from "node:worker_threads";
import { BadDataError, FailedPreconditionError, formatBytes, InternalError } from "@mbs/contracts";
import type { Device, ErrorFacts } from "@mbs/contracts";

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
export { OrtTensor };
export type OrtSession = import("onnxruntime-node").InferenceSession;
export type OrtTensor = import("onnxruntime-node").Tensor;

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

/** What the installed binary can run graphs on: "cpu", "webgpu". */
const executionProviders = (): readonly string[] => listSupportedBackends().map(({ name }) => name);

/** How a graph is loaded. */
export interface OrtSessionOptions {
  readonly threads: number;
  readonly keepsMemory: boolean;
  readonly device: Device;
  /** Whether what it makes stays in the memory of the graphics processor, where all of the graph runs there. */
  readonly keepsOutputs: boolean;
}

/** Most characters of the engine's message that are quoted. */
const mostCharacters = 600;

/** A graphics processor has no space for something, or not for so much of it. Less may go. */
export class DeviceFullError extends FailedPreconditionError {}

/** What the engine says where it has gone: ONNX Runtime of a device, Dawn of "[Device] is lost" and of what a driver returns. */
const deviceGone = /device\W{0,2} ?(is |was )?(lost|destroyed)|device_lost|DXGI_ERROR_DEVICE_/i;

/**
 * What it says where it has no space, in texts of ONNX Runtime 1.30 and of its Dawn. A buffer that Dawn could not make is an error
 * only where it is used, then of all that is made of it.
 */
const deviceFull = new RegExp(
  [
    // Vulkan's host, device and pool memory, Direct3D's E_OUTOFMEMORY, Dawn's own
    "out.?of.?((host|device|pool).?)?memory|VK_ERROR_(MEMORY_MAP_FAILED|FRAGMENTED_POOL|TOO_MANY_OBJECTS)",
    "allocation (size |is )?too large|buffer size is huge|(failed|unable) to (allocate|create GPU) buffer",
    "invalid (buffer|bindgroup|commandbuffer)\\b|failed to create bind group|failed to download data from buffer",
    // limits on a buffer, and on what is bound of it and in how many parts
    "webgpu validation[^]*buffer|maxBufferSize|max buffer size|maximum storage buffer binding size",
    "maxStorageBuffer|too many storage buffers|maxBindingsPerBindGroup|number of bind group entries|number of storage buffers",
    // groups of a program, and numbers of 32 bits
    "dispatch group size exceeds|dispatch workgroup count|exceed(s|ing) uint32_t|narrowing_error",
    "exceeds( the)? (WebGPU )?supported maximum|exceeds WebGPU supported maximum",
  ].join("|"),
  "i",
);

/** Some of its messages list every type that there is, on many lines. */
const oneLine = (message: string): string => message.replaceAll(/\s+/g, " ").trim().slice(0, mostCharacters);

/** @returns bad data where there is not the memory for what was asked, what is missing for a device, else an internal error */
export function engineError(
  activity: string,
  device: Device,
  cause: unknown,
): BadDataError | FailedPreconditionError | InternalError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const node = /Name:\s*'([^']+)'/.exec(message)?.[1] ?? /Node,?\s*\("?([^",)]+)/.exec(message)?.[1];
  const facts: ErrorFacts = node === undefined ? {} : { node };
  const at = node === undefined ? "" : ` node ${node}`;
  // it does not say how much it asked for
  if (message.includes("bad_alloc")) {
    return new BadDataError(
      `ONNX Runtime asked for more memory${node ? ` at node ${node}` : ""} than it could get; this machine has ${formatBytes(totalmem())} in all; ` +
        "take a shorter --length, or export the model again if its shapes are broken",
      facts,
      { cause },
    );
  }
  if (device === "webgpu") {
    if (/WebGPU adapter|supported adapters/i.test(message)) {
      return new FailedPreconditionError(
        "--device webgpu: ONNX Runtime finds no graphics processor; install its driver (on Linux that for Vulkan), or leave out --device",
        {},
        { cause },
      );
    }
    const isGone = deviceGone.test(message);
    if (isGone || deviceFull.test(message)) {
      return new (isGone ? FailedPreconditionError : DeviceFullError)(
        `--device webgpu: the graphics processor could not ${activity}${at}: ${oneLine(message)}; leave out --device, or take a shorter --length and a smaller --budget of capture`,
        facts,
        { cause },
      );
    }
  }
  return new InternalError(`ONNX Runtime could not ${activity}${at}: ${oneLine(message)}`, facts, { cause });
}

/** @throws {FailedPreconditionError} where the installed binary has none for this system */
function requireProvider(device: Device): void {
  if (executionProviders().includes(device)) return;
  throw new FailedPreconditionError(
    `--device ${device}: ONNX Runtime ${runtimeVersion} has no WebGPU for ${process.platform} ${process.arch}, but for Linux x64, Windows and macOS arm64; leave out --device`,
    { device },
  );
}

/** Graphs some of whose nodes run on the processor, since the graphics processor has no such operator. */
const splitGraphs = new Set<string>();

/** As in DeviceReport. */
export const listSplitGraphs = (): readonly string[] => [...splitGraphs].sort();

/**
 * Loads a model.
 *
 * @param model a serialised ONNX model or the path of one
 * @param name of the graph, where nodes that fall back to the processor are to be told
 * @throws as engineError
 */
export async function openOrtSession(model: Uint8Array | string, options: OrtSessionOptions, name = ""): Promise<OrtSession> {
  turnTelemetryOff();
  const { threads, keepsMemory, device, keepsOutputs } = options;
  if (device !== "cpu") requireProvider(device);
  const given = (fallsBack: boolean): import("onnxruntime-node").InferenceSession.SessionOptions => ({
    executionProviders: [device],
    // what the processor makes is most often no float32, and goes on there
    ...(keepsOutputs && !fallsBack && { preferredOutputLocation: "gpu-buffer" }),
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
    // off unless asked for: arenas of all sessions would take too much, and a compression is as fast without
    enableCpuMemArena: keepsMemory,
    logSeverityLevel: 4,
    extra: {
      session: {
        // idle threads sleep: many sessions share the machine, each with threads of its own
        intra_op: { allow_spinning: "0" },
        ...(!fallsBack && { disable_cpu_ep_fallback: "1" }),
      },
    },
  });
  const open = (fallsBack: boolean): Promise<OrtSession> =>
    typeof model === "string"
      ? InferenceSession.create(model, given(fallsBack))
      : InferenceSession.create(model, given(fallsBack));
  try {
    if (device === "cpu") return await open(true);
    return await open(false).catch(async (error: unknown) => {
      if (!String(error).includes("fallback to CPU EP")) throw error;
      splitGraphs.add(name);
      return open(true);
    });
  } catch (error) {
    throw engineError("load the graph at", device, error);
  }
}
