import { BadDataError } from "@mbs/contracts";
import type { Model, WeightDtype } from "@mbs/models";
import { encodeHalf } from "@mbs/numbers";
import type { GraphBuilder } from "@mbs/onnx";
import { rawPieces } from "../../layers/written-pieces.ts";
import { packCodes } from "./code-packing.ts";
import type { AccuracyLevel } from "./quantised-linear.ts";
import { gatherRounded, roundBlocks, roundingBlock } from "./rounded-table.ts";
import type { WeightFiles } from "./weight-files.ts";
import { bytesBelow, castToSingle, elementTypes } from "./weight-store.ts";

/** How embedding and head are stored; undefined as in the source. */
export type TableStorage = "f32" | "f16" | "int8" | "int4" | undefined;

/** A matrix [vocabulary, hidden] that is read by token, or multiplied by, or both where embedding and head are one. */
export interface TokenTable {
  /** Token ids [rows] → float32 [rows, hidden] */
  gather(tokens: string): string;
  /** [rows, hidden] → logits [rows, vocabulary] */
  multiply(input: string): string;
}

/** What a table is made of. */
export interface TableSource {
  readonly graph: GraphBuilder;
  readonly files: WeightFiles;
  readonly model: Model;
  readonly tensor: string;
}

/** Values in memory at a time. */
const slabValues = 1024 * 1024;

/** The table as float32, some whole rows at a time. */
async function* slabs({ model, tensor }: TableSource): AsyncGenerator<Float32Array> {
  const [rows = 0, columns = 1] = model.checkpoint.info(tensor).shape;
  const count = Math.max(1, Math.floor(slabValues / columns));
  for (let first = 0; first < rows; first += count) {
    const length = Math.min(count, rows - first);
    yield await model.checkpoint.readRowsF32(
      tensor,
      Int32Array.from({ length }, (_, index) => first + index),
    );
  }
}

function halves(values: Float32Array, tensor: string): Uint8Array {
  const encoded = encodeHalf(values);
  if (encoded.some((bits) => (bits & 0x7c00) === 0x7c00)) {
    throw new BadDataError(`tensor ${tensor} has values beyond 65504, the largest of f16; use --embeddings f32`, { tensor });
  }
  return bytesBelow(encoded);
}

function addFloatTable(source: TableSource, dtype: WeightDtype): TokenTable {
  const { graph, files, model, tensor } = source;
  const info = model.checkpoint.info(tensor);
  const bytes = info.shape.reduce((product, side) => product * side, dtype === "f32" ? 4 : 2);
  const [place] = files.reserve([{ type: elementTypes[dtype], dims: info.shape, bytes }], async function* () {
    if (info.dtype === dtype) yield* rawPieces(model, tensor, bytes);
    else for await (const slab of slabs(source)) yield dtype === "f32" ? bytesBelow(slab) : halves(slab, tensor);
  });
  const table = place === undefined ? "" : graph.external(place, tensor);
  return {
    gather: (tokens) => castToSingle(graph, graph.node("Gather", [table, tokens], { attributes: { axis: 0 } }), dtype),
    multiply: (input) => graph.node("Gemm", [input, castToSingle(graph, table, dtype)], { attributes: { transB: 1 } }),
  };
}

function addRoundedTable(source: TableSource, bits: 4 | 8, accuracy: AccuracyLevel): TokenTable {
  const { graph, files, model, tensor } = source;
  const [rows = 0, columns = 0] = model.checkpoint.info(tensor).shape;
  const blockSize = roundingBlock(columns, bits, tensor);
  const blocks = columns / blockSize;
  const [rowBytes, zeroBytes] = [(columns * bits) / 8, Math.ceil((blocks * bits) / 8)];
  const tensors = [
    { type: "uint8", dims: [rows, rowBytes], bytes: rows * rowBytes },
    { type: "float32", dims: [rows, blocks], bytes: rows * blocks * 4 },
    { type: "uint8", dims: [rows, zeroBytes], bytes: rows * zeroBytes },
  ] as const;
  const places = files.reserve(tensors, async function* () {
    const scales = new Float32Array(rows * blocks);
    const zeros = new Uint8Array(rows * blocks);
    let block = 0;
    for await (const slab of slabs(source)) {
      const rounded = roundBlocks(slab, blockSize, bits);
      scales.set(rounded.scales, block);
      zeros.set(rounded.zeros, block);
      block += rounded.scales.length;
      yield packCodes(rounded.codes, slab.length / columns, columns, bits);
    }
    yield bytesBelow(scales);
    yield packCodes(zeros, rows, blocks, bits);
  });
  // Both operators read the same bytes, each in a shape of its own.
  const shaped = (name: string, shapes: readonly (readonly number[])[]): string[] =>
    places.map((place, index) => graph.external({ ...place, dims: shapes[index] ?? place.dims }, `${tensor}:${name}:${index}`));
  return {
    gather(tokens) {
      const [codes = "", scales = "", zeros = ""] = shaped("gather", []);
      return gatherRounded(graph, { codes, scales, zeros, bits, columns, blocks }, tokens);
    },
    multiply(input) {
      const attributes = { K: columns, N: rows, bits, block_size: blockSize, accuracy_level: accuracy };
      const shapes = [[rows, blocks, (blockSize * bits) / 8], [rows * blocks], [rows * zeroBytes]];
      return graph.node("MatMulNBits", [input, ...shaped("multiply", shapes)], { domain: "com.microsoft", attributes });
    },
  };
}

/** Adds a table to a graph, stored once. */
export function addTokenTable(source: TableSource, storage: TableStorage, accuracy: AccuracyLevel): TokenTable {
  if (storage === "int8") return addRoundedTable(source, 8, accuracy);
  if (storage === "int4") return addRoundedTable(source, 4, accuracy);
  return addFloatTable(source, storage ?? source.model.checkpoint.info(source.tensor).dtype ?? "f32");
}
