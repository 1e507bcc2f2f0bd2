import { GraphBuilder } from "../graph-builder.ts";
import type { Tensor } from "../tensor.ts";
import { engineError, openRuntime, OrtTensor } from "./runtime.ts";
import type { OrtSession } from "./runtime.ts";

/** Copies of constants in the memory of the graphics processor; those used longest ago make way for others. */
const constantBytes = 2 * 1024 ** 3;

/** What has gone to the graphics processor and come back in this process. */
export interface DeviceTransfers {
  readonly uploads: number;
  readonly uploadedBytes: number;
  readonly downloads: number;
  readonly downloadedBytes: number;
}

const transfers = { uploads: 0, uploadedBytes: 0, downloads: 0, downloadedBytes: 0 };

export const deviceTransfers = (): DeviceTransfers => ({ ...transfers });

const bytesOf = (tensors: Readonly<Record<string, OrtTensor>>): readonly number[] =>
  Object.values(tensors).flatMap((tensor) => (tensor.location === "cpu" ? [tensor.data.length * elementSize(tensor)] : []));

const elementSize = ({ data }: OrtTensor): number => ("BYTES_PER_ELEMENT" in data ? data.BYTES_PER_ELEMENT : 1);

/** Counts what a session that runs on a graphics processor is fed from memory, and gives back to it. */
export function countTransfers(feeds: Readonly<Record<string, OrtTensor>>, outputs: Readonly<Record<string, OrtTensor>>): void {
  for (const bytes of bytesOf(feeds)) {
    transfers.uploads += 1;
    transfers.uploadedBytes += bytes;
  }
  for (const bytes of bytesOf(outputs)) {
    transfers.downloads += 1;
    transfers.downloadedBytes += bytes;
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
 * @param holds whether what it makes stays there
 */
export function deviceSession(name: string, graph: () => Uint8Array, holds = true): Promise<OrtSession> {
  const key = `${name}, ${holds ? "holds" : "gives back"}`;
  const session = sessions.get(key) ?? openRuntime(graph(), { threads: 1, keepsMemory: false, device: "webgpu", holds }, name);
  sessions.set(key, session);
  // one that cannot be opened is tried again, with the same error
  session.catch(() => sessions.delete(key));
  return session;
}

const copier = (holds: boolean, rank: number): Promise<OrtSession> =>
  deviceSession(`copy of rank ${rank}`, () => copyGraph(rank), holds);

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
  await runOnDevice(session, { from: held }, { to: new OrtTensor("float32", into, held.dims) });
}

interface Constant {
  readonly held: HeldTensor;
  readonly bytes: number;
}

/** Copies of constants, those used last at the end. The key is what their array is known by. */
const constants = new Map<number, Constant>();
/** By array and shape. */
const known = new WeakMap<Float32Array, Map<string, number>>();
let names = 0;

function free(name: number): void {
  constants.get(name)?.held.dispose();
  constants.delete(name);
}

/** An array that nobody can feed any longer needs no copy. */
const collected = new FinalizationRegistry<number>(free);

function evict(inUse: ReadonlySet<number>): void {
  let bytes = [...constants.values()].reduce((sum, constant) => sum + constant.bytes, 0);
  for (const [name, constant] of constants) {
    if (bytes <= constantBytes) return;
    if (inUse.has(name)) continue;
    free(name);
    bytes -= constant.bytes;
  }
}

async function nameOf(values: Float32Array, dims: readonly number[]): Promise<number> {
  const shapes = known.get(values) ?? new Map<string, number>();
  known.set(values, shapes);
  const shape = dims.join();
  const name = shapes.get(shape);
  const constant = name === undefined ? undefined : constants.get(name);
  if (name !== undefined && constant !== undefined) {
    constants.delete(name);
    constants.set(name, constant);
    return name;
  }
  const held = await upload(values, dims);
  names += 1;
  constants.set(names, { held, bytes: values.byteLength });
  shapes.set(shape, names);
  collected.register(values, names);
  return names;
}

/** Feeds for a session on the graphics processor: of constants their copies there, which are made at first use. */
export async function deviceFeeds(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, OrtTensor>> {
  const made: Record<string, OrtTensor> = {};
  const inUse = new Set<number>();
  for (const [input, tensor] of Object.entries(feeds)) {
    const { type, data, dims } = tensor;
    if (tensor.isConstant !== true || type !== "float32" || data.length === 0) {
      made[input] = new OrtTensor(type, data, dims);
      continue;
    }
    const name = await nameOf(data, dims);
    inUse.add(name);
    const constant = constants.get(name);
    if (constant !== undefined) made[input] = constant.held;
  }
  evict(inUse);
  return made;
}
