/**
 * A graphics processor for tests of who frees what, which computes on the processor: whatever stays on it is counted, must be freed
 * once, and must not be read afterwards. It can be full, and lost.
 */
import { createRequire } from "node:module";
import { MbsError } from "@mbs/contracts";
import * as assert from "uvu/assert";
import { freeConstants } from "../../packages/onnx/src/engine/device-memory.ts";

const require = createRequire(new URL("../../packages/onnx/src/engine/runtime.ts", import.meta.url));
const { InferenceSession, listSupportedBackends } = require("onnxruntime-node") as typeof import("onnxruntime-node");

type OrtSession = import("onnxruntime-node").InferenceSession;
type OrtTensor = import("onnxruntime-node").Tensor;

/** Whether ONNX Runtime lets sessions be asked for here: it has WebGPU for this system. */
export const canCount: boolean = listSupportedBackends().some(({ name }) => name === "webgpu");

/** What ONNX Runtime says of a buffer for which there was no memory, and of a device that has gone. */
export const faults = {
  full: "WebGPU validation failed. [Invalid Buffer (unlabeled)] is invalid due to a previous error.",
  lost: "WebGPU device lost (1): the driver was reset",
} as const;

/** Values on the graphics processor. */
class CountedTensor {
  readonly location = "gpu-buffer";
  readonly type: OrtTensor["type"];
  readonly dims: readonly number[];
  readonly size: number;
  readonly #device: CountingDevice;
  readonly #values: OrtTensor;

  constructor(device: CountingDevice, values: OrtTensor) {
    this.type = values.type;
    this.dims = values.dims;
    this.size = values.size;
    this.#device = device;
    this.#values = values;
    device.held.add(this);
  }

  /** As in ONNX Runtime. */
  get data(): never {
    throw new Error("The data is not on CPU");
  }

  /** For the run that reads it. */
  read(): OrtTensor {
    if (!this.#device.held.has(this)) this.#device.mistakes.push(`${this.dims.join("×")} was read after it was freed`);
    return this.#values;
  }

  dispose(): void {
    if (!this.#device.held.delete(this)) this.#device.mistakes.push(`${this.dims.join("×")} was freed twice`);
  }
}

const isCounted = (tensor: unknown): tensor is CountedTensor => tensor instanceof CountedTensor;

export class CountingDevice {
  /** What is on it. */
  readonly held = new Set<CountedTensor>();
  /** What was freed twice, or read when it was gone. */
  readonly mistakes: string[] = [];
  /** Runs so far. */
  runs = 0;
  /** What is to be wrong with a run, by its number from 1 on. */
  faultAt: (run: number) => keyof typeof faults | undefined = () => undefined;

  /** Takes the place of the graphics processor in this process. */
  constructor() {
    const create = InferenceSession.create.bind(InferenceSession) as (model: Uint8Array, options: object) => Promise<OrtSession>;
    const counted = async (
      model: Uint8Array,
      options: import("onnxruntime-node").InferenceSession.SessionOptions,
    ): Promise<OrtSession> => {
      if (options.executionProviders?.includes("webgpu") !== true) return create(model, options);
      const { preferredOutputLocation, extra: _, ...others } = options;
      const session = await create(model, { ...others, executionProviders: ["cpu"] });
      return this.#session(session, preferredOutputLocation === "gpu-buffer");
    };
    InferenceSession.create = counted as typeof InferenceSession.create;
  }

  /** How much is on it besides copies of constants, which are freed. */
  get left(): number {
    freeConstants();
    return this.held.size;
  }

  /**
   * Does work with a fault in one of its runs, then in a later one, until there is none left that could fail: each time it ends
   * or fails with an error of ours, and leaves nothing there.
   *
   * @param every 1: each run is tried; a capture has hundreds
   * @returns what it made each time, undefined where it failed; the last time had no fault
   */
  async withFaults<Made extends object>(
    fault: keyof typeof faults,
    every: number,
    work: () => Promise<Made>,
  ): Promise<readonly (Made | undefined)[]> {
    const found: (Made | undefined)[] = [];
    for (let failed = 1; ; failed += every) {
      const before = this.runs;
      this.faultAt = (run) => (run === before + failed ? fault : undefined);
      try {
        found.push(await work());
      } catch (error) {
        assert.instance(error, MbsError);
        found.push(undefined);
      } finally {
        this.faultAt = () => undefined;
      }
      assert.equal(this.mistakes, []);
      assert.is(this.left, 0, `${fault} in run ${failed}`);
      if (this.runs < before + failed) return found;
    }
  }

  #session(session: OrtSession, keepsOutputs: boolean): OrtSession {
    const run = async (
      feeds: Readonly<Record<string, OrtTensor | CountedTensor>>,
      fetches: Readonly<Record<string, OrtTensor | null>>,
    ): Promise<Record<string, OrtTensor | CountedTensor>> => {
      this.runs += 1;
      const fault = this.faultAt(this.runs);
      const values = Object.entries(feeds).map(([name, tensor]) => [name, isCounted(tensor) ? tensor.read() : tensor] as const);
      if (fault !== undefined) throw new Error(faults[fault]);
      const made = Object.entries(await session.run(Object.fromEntries(values), fetches));
      return Object.fromEntries(made.map(([name, tensor]) => [name, keepsOutputs ? new CountedTensor(this, tensor) : tensor]));
    };
    const { inputNames, outputNames } = session;
    const release = (): Promise<void> => session.release();
    // the part of a session that is used
    return { inputNames, outputNames, run, release } as unknown as OrtSession;
  }
}
