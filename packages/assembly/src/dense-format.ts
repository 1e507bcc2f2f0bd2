import { createReadStream } from "node:fs";
import { join } from "node:path";
import { parseOptions } from "@mbs/contracts";
import { indexFile, writeSafetensors } from "@mbs/models";
import { hasFile } from "./carried-files.ts";
import type { Format, OutputFile } from "./format.ts";
import { patchedFiles } from "./graph-format/patched-files.ts";
import { writtenPieces } from "./written-pieces.ts";

/**
 * The source's files, safetensors or ONNX, byte for byte but for the changed tensors: same shards, same dtypes (f32 stays f32).
 */
export const denseFormat: Format = {
  name: "dense",
  encoderDecoders: true,
  zeroPoints: "any",
  options: {},
  parts: [],
  async plan(model, layers, options) {
    parseOptions({}, options, "assemble --format dense");
    const index = join(model.folder, indexFile);
    const sharded = await hasFile(model.folder, indexFile);
    const files = model.checkpoint.files.map(({ file, tensors, metadata }): OutputFile => ({
      path: file,
      content: () => writeSafetensors(tensors, { format: "pt", ...metadata }, (tensor) => writtenPieces(model, layers, tensor)),
    }));
    const changed = [...layers.summaries.keys()].map((tensor) => model.checkpoint.info(tensor).bytes);
    return {
      files: [
        ...files,
        ...(sharded ? [{ path: indexFile, content: () => createReadStream(index) as AsyncIterable<Uint8Array> }] : []),
      ],
      compressedBytes: changed.reduce((sum, bytes) => sum + bytes, 0),
    };
  },
  planGraph(model, layers, options) {
    parseOptions({}, options, "assemble --format dense");
    return Promise.resolve(patchedFiles(model, layers));
  },
};
