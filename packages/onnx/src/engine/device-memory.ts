import { noDeviceReport } from "@mbs/contracts";
import type { DeviceReport, Matrix } from "@mbs/contracts";
import { DeviceTensor, isOnDevice } from "../device-tensor.ts";
import type { PlacedMatrix, PlacedTensor } from "../device-tensor.ts";
import { GraphBuilder } from "../graph-builder.ts";
import { floatTensor } from "../tensor.ts";
import type { Tensor } from "../tensor.ts";
import { DeviceFullError, engineError, listSplitGraphs, openOrtSession, OrtTensor } from "./runtime.ts";
import type { OrtSession } from "./runtime.ts";

/** Copies of constants in the memory of the graphics processor; those used longest ago make way for others. */
export const constantBytes = 2 * 1024 ** 3;

/** Numbers of the report of this process. */
const counts = { uploads: 0, uploadedBytes: 0, downloads: 0, downloadedBytes: 0, lacksOfSpace: 0 };

/** What this process has done on a graphics processor. @param since a report of before, whose numbers are left out */
export const deviceReport = (since: DeviceReport = noDeviceReport): DeviceReport => ({
  uploads: counts.uploads - since.uploads,
  uploadedBytes: counts.uploadedBytes - since.uploadedBytes,
  downloads: counts.downloads - since.downloads,
  downloadedBytes: counts.downloadedBytes - since.downloadedBytes,
  lacksOfSpace: counts.lacksOfSpace - since.lacksOfSpace,
  splitGraphs: listSplitGraphs(),
});

/** Counts that a graphics processor was full, and that less is tried. */
export function countLackOfSpace(): void {
  counts.lacksOfSpace += 1;
}

/** Counts nothing of some work, such as a probe. */
export async function uncounted<Made>(work: () => Promise<Made>): Promise<Made> {
  const before = { ...counts };
  try {
    return await work();
  } finally {
    Object.assign(counts, before);
  }
}

/** Of the tensors that are in memory: the getter of others' data throws. */
const bytesOf = (tensors: Readonly<Record<string, OrtTensor>>): readonly number[] =>
  Object.values(tensors)
    .filter(({ location }) => location === "cpu")
    .flatMap(({ data }) => (ArrayBuffer.isView(data) ? [data.byteLength] : []));

/** Counts what a session that runs on a graphics processor is fed from memory, and gives back to it. */
function countTransfers(feeds: Readonly<Record<string, OrtTensor>>, outputs: Readonly<Record<string, OrtTensor>>): void {
  for (const bytes of bytesOf(feeds)) {
    counts.uploads += 1;
    counts.uploadedBytes += bytes;
  }
  for (const bytes of bytesOf(outputs)) {
    counts.downloads += 1;
    counts.downloadedBytes += bytes;
  }
}

/** A graph that gives back what it is fed, of a number of dimensions. */
function copyGraph(rank: number): Uint8Array {
  const graph = new GraphBuilder("copy");
  const dims = Array.from({ length: rank }, (_, axis) => `D${axis}`);
  graph.output("to", graph.node("Identity", [graph.input("from", "float32", dims)]), "float32", dims);
  return graph.build();
}

/** Sessions of small graphs by name. They stay open: there are few, and a process has one device. */
const sessions = new Map<string, Promise<OrtSession>>();

/**
 * A session on the graphics processor.
 *
 * @param graph made at first use of the name
 * @param keepsOutputs whether what it makes stays there
 */
export function deviceSession(name: string, graph: () => Uint8Array, keepsOutputs = true): Promise<OrtSession> {
  const key = `${name}, ${keepsOutputs ? "kept" : "given back"}`;
  const session =
    sessions.get(key) ?? openOrtSession(graph(), { threads: 1, keepsMemory: false, device: "webgpu", keepsOutputs }, name);
  sessions.set(key, session);
  // one that cannot be opened is tried again, with the same error
  session.catch(() => sessions.delete(key));
  return session;
}

const copier = (keepsOutputs: boolean, rank: number): Promise<OrtSession> =>
  deviceSession(`copy of rank ${rank}`, () => copyGraph(rank), keepsOutputs);

/** Runs a session on tensors wherever they are, and counts what is copied. @throws as engineError */
export async function runOnDevice(
  session: OrtSession,
  feeds: Readonly<Record<string, OrtTensor>>,
  fetches: Readonly<Record<string, OrtTensor | null>> = Object.fromEntries(session.outputNames.map((name) => [name, null])),
): Promise<Record<string, OrtTensor>> {
  try {
    const outputs = await session.run(feeds, fetches);
    countTransfers(feeds, outputs);
    return outputs;
  } catch (error) {
    throw engineError("run", "webgpu", error);
  }
}

/** float32 values in the memory of the graphics processor. Their `dispose` frees it, and has to be called once. */
export type HeldTensor = OrtTensor;

/** Copies values to the graphics processor. */
export async function upload(values: Float32Array, dims: readonly number[]): Promise<HeldTensor> {
  const session = await copier(true, dims.length);
  const { to } = await runOnDevice(session, { from: new OrtTensor("float32", values, dims) });
  return to as HeldTensor;
}

/** Copies values back, which stay where they are too. Nothing else may read them: `getData` ends the process. */
export async function download(held: HeldTensor, into: Float32Array): Promise<void> {
  const session = await copier(false, held.dims.length);
  // what is copied back takes space there too
  await withSpace(() => runOnDevice(session, { from: held }, { to: new OrtTensor("float32", into, held.dims) }));
}

/** A tensor of float32 on the graphics processor, if there is space, for several runs that read it; others stay where they are. */
export async function holdTensor(tensor: PlacedTensor): Promise<PlacedTensor> {
  if (isOnDevice(tensor) || tensor.type !== "float32" || tensor.data.length === 0) return tensor;
  const held = await unlessFull(withSpace(() => upload(tensor.data, tensor.dims)));
  return held === undefined ? tensor : new DeviceTensor(held);
}

/** A tensor with its values in memory; one that is on the graphics processor is copied back and freed there. */
export async function bringTensor(tensor: PlacedTensor): Promise<Tensor> {
  if (!isOnDevice(tensor)) return tensor;
  const { dims } = tensor;
  const data = new Float32Array(tensor.size);
  try {
    await download(tensor.held, data);
    return floatTensor(data, dims);
  } finally {
    tensor.free();
  }
}

/** The same of a matrix, which is not freed where it is. */
export async function readMatrix(matrix: PlacedMatrix): Promise<Matrix> {
  if (!("tensor" in matrix)) return matrix;
  const { rows, columns, tensor } = matrix;
  const values = new Float32Array(rows * columns);
  await download(tensor.held, values);
  return { rows, columns, values };
}

interface Constant {
  readonly held: HeldTensor;
  readonly bytes: number;
}

/** Copies of constants by a number of their own, those used last at the end. */
const constants = new Map<number, Constant>();
/** Their numbers, by array and shape. */
const known = new WeakMap<Float32Array, Map<string, number>>();
let last = 0;

/** What the session that runs now is fed: it stays until the end of the run. */
const inUse = new Set<number>();
/** What is to be freed then. */
const unused = new Set<number>();

function free(id: number): void {
  if (inUse.has(id)) {
    unused.add(id);
    return;
  }
  constants.get(id)?.held.dispose();
  constants.delete(id);
}

/** An array that nobody can feed any longer needs no copy. */
const collected = new FinalizationRegistry<number>(free);

function evict(): void {
  let bytes = [...constants.values()].reduce((sum, constant) => sum + constant.bytes, 0);
  for (const [id, constant] of constants) {
    if (bytes <= constantBytes) return;
    if (inUse.has(id)) continue;
    free(id);
    bytes -= constant.bytes;
  }
}

/** Frees the copies that no run reads now. @returns whether there were any */
export function freeConstants(): boolean {
  const idle = [...constants.keys()].filter((id) => !inUse.has(id));
  idle.forEach(free);
  return idle.length > 0;
}

/** What is made on a graphics processor; undefined where that is full. */
export const unlessFull = <Made>(made: Promise<Made>): Promise<Made | undefined> =>
  made.catch((error: unknown) => {
    if (error instanceof DeviceFullError) return undefined;
    throw error;
  });

/** Does work on the graphics processor; where that is full, once more without the copies that were kept for later runs. */
export async function withSpace<Made>(work: () => Promise<Made>): Promise<Made> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DeviceFullError) || !freeConstants()) throw error;
    return work();
  }
}

/** The copy of an array, made at first use. */
async function constantOf(values: Float32Array, dims: readonly number[]): Promise<HeldTensor> {
  const shapes = known.get(values) ?? new Map<string, number>();
  known.set(values, shapes);
  const shape = dims.join();
  const id = shapes.get(shape);
  const constant = id === undefined ? undefined : constants.get(id);
  if (id !== undefined && constant !== undefined) {
    // the last one to make way
    constants.delete(id);
    constants.set(id, constant);
    inUse.add(id);
    return constant.held;
  }
  const held = await upload(values, dims);
  last += 1;
  constants.set(last, { held, bytes: values.byteLength });
  inUse.add(last);
  shapes.set(shape, last);
  collected.register(values, last);
  return held;
}

async function feedsOf(feeds: Readonly<Record<string, PlacedTensor>>): Promise<Record<string, OrtTensor>> {
  const made: Record<string, OrtTensor> = {};
  for (const [input, tensor] of Object.entries(feeds)) {
    if (isOnDevice(tensor)) {
      made[input] = tensor.held;
      continue;
    }
    const { type, data, dims } = tensor;
    const isHeld = tensor.isConstant === true && type === "float32" && data.length > 0;
    made[input] = isHeld ? await constantOf(data, dims) : new OrtTensor(type, data, dims);
  }
  return made;
}

/** The run that everything else waits for: the engine runs one at a time in any case, and copies must not make way for another. */
let turn: Promise<unknown> = Promise.resolve();

/**
 * Runs a session whose constants are read from their copies on the graphics processor.
 *
 * @throws as engineError
 */
export function runWithConstants(
  session: OrtSession,
  feeds: Readonly<Record<string, PlacedTensor>>,
  fetches: Readonly<Record<string, OrtTensor | null>>,
): Promise<Record<string, OrtTensor>> {
  const run = async (): Promise<Record<string, OrtTensor>> => {
    try {
      const made = await feedsOf(feeds);
      evict();
      return await runOnDevice(session, made, fetches);
    } finally {
      inUse.clear();
      const late = [...unused];
      unused.clear();
      late.forEach(free);
    }
  };
  const own = turn.then(() => withSpace(run));
  turn = own.catch(() => undefined);
  return own;
}
