import { blockGrids } from "@mbs/gguf";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { InternalError, parseOptions, UsageError } from "@mbs/contracts";
import {
  configOf,
  converted,
  hasFile,
  indexFile,
  requireFiniteWeights,
  weightFile,
  weightIndex,
  wholeTensors,
} from "@mbs/models";
import type { ArchitectureModel, GraphModel, Model, OutputFile, TensorInfo, WeightDtype } from "@mbs/models";
import { codeBits } from "@mbs/numbers";
import { chosenDtype, dtypeOptions } from "./safetensors/written-dtype.ts";
import type { Format, FormattedModel } from "./format.ts";
import type { ScratchLayers } from "./layers/scratch-layers.ts";
import { writtenPieces } from "./layers/written-pieces.ts";
import { safetensorsBytes } from "./planned-size.ts";

const bytesOf = (tensors: readonly TensorInfo[]): number => tensors.reduce((total, { bytes }) => total + bytes, 0);

/** Bytes of the weights that layers change, in the dtype of the source. */
const changedBytes = ({ checkpoint }: Model, layers: ScratchLayers): number =>
  bytesOf([...layers.summaries.keys()].map((tensor) => checkpoint.info(tensor)));

/** Bytes of a file that are replaced by as many others. */
interface Patch {
  readonly offset: number;
  readonly length: number;
  readonly tensor: string;
}

async function* patched(path: string, patches: readonly Patch[], layers: ScratchLayers): AsyncGenerator<Uint8Array> {
  const copy = (start: number, end?: number): AsyncIterable<Uint8Array> =>
    createReadStream(path, { start, ...(end !== undefined && { end: end - 1 }) }) as AsyncIterable<Uint8Array>;
  let at = 0;
  for (const { offset, length, tensor } of patches) {
    if (at < offset) yield* copy(at, offset);
    const pieces = layers.pieces(tensor);
    if (pieces === undefined) throw new InternalError(`no layer has values of ${tensor}`, { tensor });
    yield* pieces;
    at = offset + length;
  }
  yield* copy(at);
}

/** The files of an ONNX model, byte for byte but for the values of the changed tensors. */
function patchedFiles(model: GraphModel, layers: ScratchLayers): FormattedModel {
  const { path: folder, checkpoint, fileOffsets } = model;
  const patches = [...layers.summaries.keys()].map((tensor) => {
    const found = fileOffsets.get(tensor);
    if (found === undefined) throw new InternalError(`it is unknown where in its file tensor ${tensor} lies`, { tensor });
    return { ...found, tensor, length: checkpoint.info(tensor).bytes };
  });
  const files = checkpoint.files.map(({ file }): OutputFile => {
    const own = patches.filter((patch) => patch.file === file).sort((a, b) => a.offset - b.offset);
    return { path: file, content: () => patched(join(folder, file), own, layers) };
  });
  return { files, compressedBytes: changedBytes(model, layers) };
}

/** All weights in one dtype, in the source's files. */
async function convertedModel(model: ArchitectureModel, layers: ScratchLayers, dtype: WeightDtype): Promise<FormattedModel> {
  const placed = model.checkpoint.files.map(({ file, metadata, tensors }) => ({
    file,
    metadata: { format: "pt", ...metadata },
    tensors: tensors.map((tensor) => converted(tensor, dtype)),
    read: ({ name }: TensorInfo) => writtenPieces(model, layers, model.checkpoint.info(name), dtype),
  }));
  const whole = wholeTensors(model.layout.joined, placed);
  const written = placed.flatMap(({ tensors }) => tensors);
  return {
    files: [...whole.map(weightFile), ...weightIndex(whole), await configOf(model, { dtype })],
    compressedBytes: bytesOf(written.filter(({ name }) => layers.summaries.has(name))),
    bytes: bytesOf(written),
    tables: new Map(written.map(({ name, bytes }) => [name, bytes])),
  };
}

/** @throws {UsageError} where a dtype is asked for, since the nodes of a graph expect theirs */
function refuseDtype({ path }: GraphModel, dtype: WeightDtype | undefined): void {
  if (dtype === undefined) return;
  throw new UsageError(`${path} is an ONNX model, whose weights keep the dtypes of its graph; remove --dtype`, {
    option: "--dtype",
  });
}

/**
 * The source's files, safetensors or ONNX, byte for byte but for the changed tensors: same shards, same dtypes (f32 stays f32).
 * With `dtype`, or of a quantised GGUF file, all weights are rounded to one.
 */
export const denseFormat: Format = {
  name: "dense",
  stacks: ["decoder", "encoder", "encoder-decoder"],
  // values alone are written, whatever grid they are on
  holds: () => [
    { kind: "groups", bits: codeBits, zeroPoints: "any" },
    { kind: "blocks", types: [...blockGrids.keys()] },
  ],
  options: dtypeOptions,
  parts: [],
  checkPlan(model, _planned, given) {
    const { dtype } = parseOptions(dtypeOptions, given, "assemble --format dense");
    if (model.kind === "graph") refuseDtype(model, dtype);
  },
  async plannedBytes(model, _planned, given) {
    return safetensorsBytes(model, [], chosenDtype(model, given, "assemble --format dense"));
  },
  async plan(model, layers, given) {
    const dtype = chosenDtype(model, given, "assemble --format dense");
    if (dtype !== undefined) return convertedModel(model, layers, dtype);
    const stored = model.checkpoint.files;
    const read = (tensor: TensorInfo) => writtenPieces(model, layers, tensor);
    const files = wholeTensors(
      model.layout.joined,
      stored.map(({ file, tensors, metadata }) => ({ file, tensors, metadata: { format: "pt", ...metadata }, read })),
    );
    return {
      files: [
        ...files.map(weightFile),
        ...((await hasFile(model.files, indexFile))
          ? [{ path: indexFile, content: () => model.files.read(indexFile) }]
          : weightIndex(files)),
      ],
      compressedBytes: changedBytes(model, layers),
    };
  },
  async planGraph(model, layers, given) {
    const { dtype } = parseOptions(dtypeOptions, given, "assemble --format dense");
    refuseDtype(model, dtype);
    const copied = model.checkpoint.list().filter(({ name }) => !layers.summaries.has(name));
    await requireFiniteWeights(
      model,
      copied.map(({ name }) => name),
    );
    return patchedFiles(model, layers);
  },
};
