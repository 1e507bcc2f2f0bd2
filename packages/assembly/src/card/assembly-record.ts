import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { LayerSummary } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { readModelRecord, recordFile } from "@mbs/models";
import type { CardSource, Model, ModelRecord, RecordedLayers, RotationRecord, TrimmingRecord } from "@mbs/models";
import type { FormattedModel } from "../format.ts";
import type { ScratchLayers } from "../layers/scratch-layers.ts";

/** What a model's tensors and their compressed form take up, without headers and tokenizer. */
interface ModelSizes {
  /** Of the model that was compressed, in the dtypes that it is read in: of a GGUF file more than the file has. */
  readonly denseBytes: number;
  readonly bytes: number;
  /** Numbers in the tensors of the dense model. */
  readonly parameters: number;
  /** Those of the tensors that were compressed, their bytes before and now, scales and indices included. */
  readonly compressedParameters: number;
  readonly compressedDenseBytes: number;
  readonly compressedBytes: number;
  /** What a forward pass of one token reads: all but an embedding that is not the head. */
  readonly denseBytesAToken: number;
  readonly bytesAToken: number;
  /** Embedding, head (or both, where one tensor is both) and the rest; absent for an ONNX model. */
  readonly parts?: readonly PartSize[];
}

/** Bytes of a part of the model, before and now. */
interface PartSize {
  readonly name: string;
  readonly denseBytes: number;
  readonly bytes: number;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const count = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);

/** Embedding and head; none for an ONNX model, where it is not known which tensors they are. */
function tableSizes(model: Model, { tables, ownHead }: FormattedModel): PartSize[] {
  if (model.kind === "graph") return [];
  const { embedding, head } = model.layout;
  const sizeOf = (name: string, tensor: string): PartSize => {
    const denseBytes = model.checkpoint.info(tensor).bytes;
    return { name, denseBytes, bytes: tables?.get(tensor) ?? denseBytes };
  };
  if (embedding === head && ownHead !== undefined) {
    const whole = sizeOf("embedding and head", embedding);
    return [{ ...whole, bytes: whole.bytes + ownHead.bytes }];
  }
  if (model.stacks === "encoder") return [sizeOf("embedding", embedding)];
  return embedding === head ? [sizeOf("embedding and head", embedding)] : [sizeOf("embedding", embedding), sizeOf("head", head)];
}

/** @param compressedNames of the compressed tensors, as written */
export function measureSizes(model: Model, compressedNames: Iterable<string>, formatted: FormattedModel): ModelSizes {
  const tensors = model.checkpoint.list();
  const sourceOf = (tensor: string): string =>
    model.kind === "architecture" && tensor === formatted.ownHead?.tensor ? model.layout.embedding : tensor;
  const changed = new Set([...compressedNames].map(sourceOf));
  const compressed = tensors.filter(({ name }) => changed.has(name));
  const denseBytes = sum(tensors.map(({ bytes }) => bytes));
  const compressedDenseBytes = sum(compressed.map(({ bytes }) => bytes));
  const { compressedBytes, bytes = denseBytes - compressedDenseBytes + compressedBytes } = formatted;
  const tables = tableSizes(model, formatted);
  const [table] = tables;
  // of an embedding that is not the head a token reads one row
  const lookedUp = tables.find(({ name }) => name === "embedding") ?? {
    denseBytes: 0,
    bytes: formatted.ownHead === undefined || table === undefined ? 0 : table.bytes - formatted.ownHead.bytes,
  };
  const rest = {
    name: "blocks",
    denseBytes: denseBytes - sum(tables.map((table) => table.denseBytes)),
    bytes: bytes - sum(tables.map((table) => table.bytes)),
  };
  return {
    denseBytes,
    bytes,
    parameters: sum(tensors.map(({ shape }) => count(shape))),
    compressedParameters: sum(compressed.map(({ shape }) => count(shape))),
    compressedDenseBytes,
    compressedBytes,
    denseBytesAToken: denseBytes - lookedUp.denseBytes,
    bytesAToken: bytes - lookedUp.bytes,
    ...(tables.length > 0 && { parts: [...tables, rest] }),
  };
}

/** All that stands in mbs.json. */
export interface AssemblyRecord extends ModelRecord {
  readonly version: 1;
  readonly source: CardSource;
  readonly sizes: ModelSizes;
  /** Whether it is an encoder, which decodes nothing; absent in other models, and in earlier records. */
  readonly encoder?: true;
  /** How the model was read, where that is not as usual. */
  readonly notes?: readonly string[];
  /** Tensors with NaN or Inf, which were written as they are. */
  readonly nonfinite?: readonly string[];
  /** How the model that was compressed had been rotated, and of which model it was made. */
  readonly rotation?: RotationRecord;
  /** How its vocabulary had been trimmed, and the rows that it still has. */
  readonly trimming?: TrimmingRecord & { readonly kept: number };
  /** The quantisation type of GGUF that each compressed tensor has in the file; absent in other formats, and in earlier records. */
  readonly types?: Readonly<Record<string, string>>;
  /** Error and sparsity of every compressed tensor, with the bits or grid that the solver rounded it to. */
  readonly tensors: Readonly<Record<string, LayerSummary>>;
}

const sortedObject = <T>(entries: Iterable<readonly [string, T]>): Record<string, T> =>
  Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));

/**
 * The record of a model that is written. Nothing in it differs between two runs of the same work.
 *
 * @param model that was compressed; the record also has notes on how it was read
 */
export function makeRecord(
  model: Pick<Model, "address" | "notes" | "stacks" | "trimming" | "vocabularySize" | "checkpoint"> & {
    readonly rotation?: RotationRecord | undefined;
  },
  {
    source,
    sourceBytes,
    format,
    sizes,
    files,
    weightFiles,
    types,
  }: Required<Pick<AssemblyRecord, "source" | "sourceBytes" | "format" | "sizes" | "files" | "weightFiles">> &
    Pick<FormattedModel, "types">,
  { origins, summaries }: ScratchLayers,
): AssemblyRecord {
  const { address, notes, rotation, vocabularySize: kept } = model;
  const nonfinite = [...model.checkpoint.nonfinite].sort();
  const trimming = model.trimming && { ...model.trimming, kept };
  const layers = origins.map(({ address: made, solver, options, order, weights }): RecordedLayers => ({
    address: made,
    solver,
    options: sortedObject(Object.entries(options)),
    order,
    weights: sortedObject(Object.entries(weights)),
  }));
  const known = { version: 1, model: address, source, sourceBytes, format, sizes, ...(notes.length > 0 && { notes }) } as const;
  return {
    ...known,
    ...(model.stacks === "encoder" && { encoder: true }),
    ...(nonfinite.length > 0 && { nonfinite }),
    ...(rotation && { rotation }),
    ...(trimming && { trimming }),
    files,
    weightFiles,
    layers,
    ...(types && { types: sortedObject(types) }),
    tensors: sortedObject(summaries),
  };
}

export const formatRecord = (record: AssemblyRecord): string => `${JSON.stringify(record, undefined, 2)}\n`;

/**
 * The record of a folder that assemble has written.
 *
 * @throws {BadDataError} where it has none, or none of this version
 */
export async function readRecord(folder: string): Promise<AssemblyRecord> {
  const path = join(folder, recordFile);
  const checked = await readModelRecord(folder);
  if (checked === undefined) {
    throw new BadDataError(`${folder} has no ${recordFile}; name a folder that mbs assemble has made`, { path });
  }
  const whole = JSON.parse(await readFile(path, "utf8")) as Partial<AssemblyRecord>;
  if (whole.sizes === undefined || whole.source === undefined || whole.tensors === undefined) {
    throw new BadDataError(`${path} does not say how the model was written; name a folder that mbs assemble has made`, { path });
  }
  const { source, sizes, encoder, nonfinite, rotation, trimming, types, tensors } = whole;
  const earlier = {
    ...(encoder && { encoder }),
    ...(nonfinite && { nonfinite }),
    ...(rotation && { rotation }),
    ...(trimming && { trimming }),
  };
  const written = { ...(types && { types }), tensors };
  return { version: 1, ...checked, source, sizes, ...earlier, ...written };
}
