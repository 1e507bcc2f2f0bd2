import { createReadStream } from "node:fs";
import { join } from "node:path";
import { InternalError, parseOptions } from "@mbs/contracts";
import { indexFile, writeSafetensors } from "@mbs/models";
import type { GraphModel } from "@mbs/models";
import { hasFile } from "./carried-files.ts";
import { weightIndex } from "./safetensors/weight-index.ts";
import type { Format, FormattedModel, OutputFile } from "./format.ts";
import type { LayerSpool } from "./layers/layer-spool.ts";
import { writtenPieces } from "./layers/written-pieces.ts";

/** Bytes of a file that are replaced by as many others. */
interface Patch {
  readonly offset: number;
  readonly length: number;
  readonly tensor: string;
}

async function* patched(path: string, patches: readonly Patch[], layers: LayerSpool): AsyncGenerator<Uint8Array> {
  const copy = (start: number, end?: number): AsyncIterable<Uint8Array> =>
    createReadStream(path, { start, ...(end !== undefined && { end: end - 1 }) }) as AsyncIterable<Uint8Array>;
  let at = 0;
  for (const { offset, length, tensor } of patches) {
    if (at < offset) yield* copy(at, offset);
    const values = layers.read(tensor);
    if (values === undefined) throw new InternalError(`no layer has values of ${tensor}`, { tensor });
    yield values;
    at = offset + length;
  }
  yield* copy(at);
}

/** The files of an ONNX model, byte for byte but for the values of the changed tensors. */
function patchedFiles({ path: folder, checkpoint, fileOffsets }: GraphModel, layers: LayerSpool): FormattedModel {
  const patches = [...layers.summaries.keys()].map((tensor) => {
    const found = fileOffsets.get(tensor);
    if (found === undefined) throw new InternalError(`it is unknown where in its file tensor ${tensor} lies`, { tensor });
    return { ...found, tensor, length: checkpoint.info(tensor).bytes };
  });
  const files = checkpoint.files.map(({ file }): OutputFile => {
    const own = patches.filter((patch) => patch.file === file).sort((a, b) => a.offset - b.offset);
    return { path: file, content: () => patched(join(folder, file), own, layers) };
  });
  return { files, compressedBytes: patches.reduce((sum, { length }) => sum + length, 0) };
}

/**
 * The source's files, safetensors or ONNX, byte for byte but for the changed tensors: same shards, same dtypes (f32 stays f32).
 * The quantised tensors of a GGUF file become float32.
 */
export const denseFormat: Format = {
  name: "dense",
  encoderDecoders: true,
  zeroPoints: "any",
  options: {},
  parts: [],
  async plan(model, layers, options) {
    parseOptions({}, options, "assemble --format dense");
    const stored = model.checkpoint.files;
    const files = stored.map(({ file, tensors, metadata }): OutputFile => ({
      path: file,
      content: () => writeSafetensors(tensors, { format: "pt", ...metadata }, (tensor) => writtenPieces(model, layers, tensor)),
    }));
    const changed = [...layers.summaries.keys()].map((tensor) => model.checkpoint.info(tensor).bytes);
    return {
      files: [
        ...files,
        ...((await hasFile(model.files, indexFile))
          ? [{ path: indexFile, content: () => model.files.read(indexFile) }]
          : weightIndex(stored)),
      ],
      compressedBytes: changed.reduce((sum, bytes) => sum + bytes, 0),
    };
  },
  planGraph(model, layers, options) {
    parseOptions({}, options, "assemble --format dense");
    return Promise.resolve(patchedFiles(model, layers));
  },
};
