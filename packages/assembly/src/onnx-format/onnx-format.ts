import { parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import type { Format } from "../format.ts";
import { quantisedParts } from "../quantised-layer.ts";
import { buildDecoderGraph } from "./decoder-graph.ts";
import { hubFiles, transformersJsWarning } from "./hub-files.ts";
import { WeightFiles } from "./weight-files.ts";

const options = {
  threeBit: {
    kind: "choice",
    choices: ["planes", "nibbles"],
    default: "planes",
    description: "3-bit codes as planes of 2 and 1 bits (small on disk) or in 4 bits (fast to load)",
  },
  accuracyLevel: {
    kind: "choice",
    choices: ["0", "1", "4"],
    default: "0",
    description: "how MatMulNBits multiplies: 0 and 1 in float32, 4 with activations rounded to 8 bits (fast)",
  },
  embeddings: {
    kind: "choice",
    choices: ["f32", "f16", "int8", "int4"],
    optional: true,
    description: "how embedding and head are stored; default: as in the source",
  },
} as const satisfies OptionTable;

const folder = "onnx";

/** A decoder with its cache as ONNX Runtime runs it, in the folder that transformers.js expects. */
export const onnxFormat: Format = {
  name: "onnx",
  encoderDecoders: false,
  options,
  parts: quantisedParts,
  async plan(model, layers, raw, { warn }) {
    const warning = transformersJsWarning(model.architecture);
    if (warning !== undefined) warn(warning);
    const { threeBit, accuracyLevel, embeddings } = parseOptions(options, raw, "assemble --format onnx");
    const quantised = [...layers.summaries.keys()].some((tensor) => layers.has(tensor, "codes"));
    const file = quantised ? "model_q4.onnx" : "model.onnx";
    const weights = new WeightFiles(file);
    const graph = buildDecoderGraph(model, layers, weights, {
      threeBit,
      accuracyLevel: Number(accuracyLevel) as 0 | 1 | 4,
      embeddings,
    });
    return {
      files: [
        { path: `${folder}/${file}`, content: () => [graph.model] },
        ...weights.names.map((name) => ({ path: `${folder}/${name}`, content: () => weights.write(name) })),
        ...(await hubFiles(model, quantised ? "q4" : "fp32", file, weights.names.length)),
      ],
      compressedBytes: graph.compressedBytes,
      bytes: weights.bytes,
    };
  },
};
