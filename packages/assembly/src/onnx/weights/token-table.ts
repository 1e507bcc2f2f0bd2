import { BadDataError, FailedPreconditionError, InternalError, UsageError } from "@mbs/contracts";
import { storedPieces } from "@mbs/models";
import type { Model, TensorInfo, WeightDtype } from "@mbs/models";
import { encodeHalf } from "@mbs/numbers";
import { elementTypeNumbers, integerTensor } from "@mbs/onnx";
import type { GraphBuilder } from "@mbs/onnx";
import type { LayerGrid } from "../../layers/layer-grid.ts";
import type { ScratchLayers } from "../../layers/scratch-layers.ts";
import { readQuantisedLayer } from "../../layers/quantised-layer.ts";
import { layBlocks } from "./block-grid.ts";
import { roundBlocks, roundingBlock } from "./block-rounding.ts";
import { packCodes, spreadOverBlocks } from "./code-packing.ts";
import type { AccuracyLevel } from "./quantised-linear.ts";
import type { WeightFiles } from "./weight-files.ts";
import { bytesBelow, castToSingle, elementTypes } from "./weight-store.ts";

/** How embedding and head are stored; undefined as in the source. */
export type TableStorage = "f32" | "f16" | "int8" | "int4" | undefined;

/** A matrix [vocabulary, hidden] that is read by token, or multiplied by, or both where embedding and head are one. */
export interface TokenTable {
  /** As stored. */
  readonly bytes: number;
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
  readonly layers: ScratchLayers;
  readonly tensor: string;
}

/** The sides of the table, [vocabulary, hidden]. */
function sidesOf({ model, tensor }: TableSource): readonly [rows: number, columns: number] {
  const [rows, columns] = model.checkpoint.info(tensor).shape;
  if (rows === undefined || columns === undefined) throw new InternalError(`tensor ${tensor} is no matrix`, { tensor });
  return [rows, columns];
}

/** Values in memory at a time. */
const slabValues = 1024 * 1024;

/** The table as float32, some whole rows at a time. */
async function* slabs(source: TableSource): AsyncGenerator<Float32Array> {
  const { model, tensor } = source;
  const [rows, columns] = sidesOf(source);
  const count = Math.max(1, Math.floor(slabValues / columns));
  for (let first = 0; first < rows; first += count) {
    const length = Math.min(count, rows - first);
    const values = await model.checkpoint.readRowsF32(
      tensor,
      Int32Array.from({ length }, (_, index) => first + index),
    );
    if (model.checkpoint.nonfinite.has(tensor)) {
      throw new FailedPreconditionError(
        `${model.path}: tensor ${tensor} has NaN or Inf, so it can only be stored as in the source; leave --embeddings out`,
        { tensor },
      );
    }
    yield values;
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
  const stored = files.reserveOne({ type: elementTypes[dtype], dims: info.shape, bytes }, async function* () {
    if (info.dtype === dtype) yield* storedPieces(model, { name: tensor, bytes });
    else for await (const slab of slabs(source)) yield dtype === "f32" ? bytesBelow(slab) : halves(slab, tensor);
  });
  const table = graph.external(stored, tensor);
  return {
    bytes,
    gather: (tokens) => castToSingle(graph, graph.node("Gather", [table, tokens], { attributes: { axis: 0 } }), dtype),
    multiply: (input) => graph.node("Gemm", [input, castToSingle(graph, table, dtype)], { attributes: { transB: 1 } }),
  };
}

/** A table rounded in blocks: rows of packed codes, with a scale and a zero point for each block of a row. */
interface RoundedTable {
  /** uint8 [rows, columns · bits / 8] */
  readonly codes: string;
  /** float32 [rows, blocks] */
  readonly scales: string;
  /** uint8 [rows, ⌈blocks · bits / 8⌉] */
  readonly zeros: string;
  readonly bits: 4 | 8;
  readonly columns: number;
  readonly blocks: number;
}

/** Packed codes [T, bytes] → float32 [T, codes]; 4-bit ones have the first in the lower half of a byte. */
function unpack(graph: GraphBuilder, packed: string, bits: 4 | 8, columns: number): string {
  const cast = (value: string): string => graph.node("Cast", [value], { attributes: { to: elementTypeNumbers.float32 } });
  if (bits === 8) return cast(packed);
  const byte = (value: number): string => graph.constant({ type: "uint8", dims: [1], data: Uint8Array.of(value) });
  const halves = [
    graph.node("BitwiseAnd", [packed, byte(15)]),
    graph.node("BitShift", [packed, byte(4)], { attributes: { direction: "RIGHT" } }),
  ];
  const lastAxis = graph.constant(integerTensor([-1]));
  const columnsOfHalves = halves.map((half) => graph.node("Unsqueeze", [half, lastAxis]));
  const pairs = graph.node("Concat", columnsOfHalves, { attributes: { axis: -1 } });
  const flat = graph.node("Reshape", [pairs, graph.constant(integerTensor([0, -1]))]);
  // an odd number of codes leaves half a byte over
  const bounds = [0, columns, 1].map((value) => graph.constant(integerTensor([value])));
  return cast(columns % 2 === 0 ? flat : graph.node("Slice", [flat, ...bounds]));
}

/**
 * Rows of a rounded table, (code - zero) · scale, float32 [T, columns].
 *
 * Of plain operators: ONNX Runtime's GatherBlockQuantized is missing from its build for browsers.
 *
 * @param tokens int64 [T]
 */
function gatherRounded(graph: GraphBuilder, table: RoundedTable, tokens: string): string {
  const { bits, columns, blocks } = table;
  const rowsOf = (values: string): string => graph.node("Gather", [values, tokens], { attributes: { axis: 0 } });
  const inBlocks = (values: string, size: number): string =>
    graph.node("Reshape", [values, graph.constant(integerTensor([-1, blocks, size]))]);
  const codes = inBlocks(unpack(graph, rowsOf(table.codes), bits, columns), columns / blocks);
  const zeros = inBlocks(unpack(graph, rowsOf(table.zeros), bits, blocks), 1);
  const scaled = graph.node("Mul", [graph.node("Sub", [codes, zeros]), inBlocks(rowsOf(table.scales), 1)]);
  return graph.node("Reshape", [scaled, graph.constant(integerTensor([-1, columns]))]);
}

/** Packed codes, float32 scales and packed zero points of a table. */
const codedTensors = (rows: number, columns: number, bits: 4 | 8, blocks: number) => {
  const [rowBytes, zeroBytes] = [(columns * bits) / 8, Math.ceil((blocks * bits) / 8)];
  return [
    { type: "uint8", dims: [rows, rowBytes], bytes: rows * rowBytes },
    { type: "float32", dims: [rows, blocks], bytes: rows * blocks * 4 },
    { type: "uint8", dims: [rows, zeroBytes], bytes: rows * zeroBytes },
  ] as const;
};

const bytesOfAll = (tensors: readonly { readonly bytes: number }[]): number => tensors.reduce((sum, { bytes }) => sum + bytes, 0);

/** Bytes of a table that a layer will have codes for. */
export function plannedTableBytes(grid: LayerGrid): number {
  const { bits, blockGroups } = planTable(grid);
  return bytesOfAll(codedTensors(grid.rows, grid.columns, bits, blockGroups.length));
}

/** Bytes of a table without codes. */
export function storedTableBytes({ name, shape, bytes }: TensorInfo, storage: TableStorage): number {
  const [rows = 0, columns = 0] = shape;
  if (storage === undefined) return bytes;
  if (storage === "f32" || storage === "f16") return rows * columns * (storage === "f32" ? 4 : 2);
  const bits = storage === "int8" ? 8 : 4;
  return bytesOfAll(codedTensors(rows, columns, bits, columns / roundingBlock(columns, bits, name)));
}

/** Codes of a table, and how their blocks are stored. */
interface TableCodes {
  readonly bits: 4 | 8;
  readonly blockSize: number;
  /** The packed codes of all rows, then float32 scales and packed zero points. */
  readonly make: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

function addCodedTable(source: TableSource, { bits, blockSize, make }: TableCodes, accuracy: AccuracyLevel): TokenTable {
  const { graph, files, tensor } = source;
  const [rows, columns] = sidesOf(source);
  const blocks = columns / blockSize;
  const tensors = codedTensors(rows, columns, bits, blocks);
  const stored = files.reserve(tensors, make);
  // Both operators read the same bytes, each in a shape of its own.
  const shaped = (name: string, shapes: readonly (readonly number[])[]): string[] =>
    stored.map((one, index) => graph.external({ ...one, dims: shapes[index] ?? one.dims }, `${tensor}:${name}:${index}`));
  return {
    bytes: bytesOfAll(tensors),
    gather(tokens) {
      const [codes, scales, zeros] = shaped("gather", []);
      if (codes === undefined || scales === undefined || zeros === undefined) {
        throw new InternalError(`tensor ${tensor} is not stored as codes, scales and zeros`, { tensor });
      }
      return gatherRounded(graph, { codes, scales, zeros, bits, columns, blocks }, tokens);
    },
    multiply(input) {
      const attributes = { K: columns, N: rows, bits, block_size: blockSize, accuracy_level: accuracy };
      const shapes = [[rows, blocks, (blockSize * bits) / 8], [rows * blocks], [tensors[2].bytes]];
      return graph.node("MatMulNBits", [input, ...shaped("multiply", shapes)], { domain: "com.microsoft", attributes });
    },
  };
}

/** The table of the model, rounded to nearest. */
function roundedCodes(source: TableSource, bits: 4 | 8): TableCodes {
  const [rows, columns] = sidesOf(source);
  const blockSize = roundingBlock(columns, bits, source.tensor);
  const blocks = columns / blockSize;
  return {
    bits,
    blockSize,
    async *make() {
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
    },
  };
}

/**
 * The blocks of a table that a layer has codes for.
 *
 * @throws {FailedPreconditionError} for groups that are no blocks of ONNX Runtime, or scattered over the columns
 */
export function planTable({ tensor, grid, columns, groupOf }: LayerGrid): Pick<TableCodes, "bits" | "blockSize"> & {
  /** Group of each block. */
  readonly blockGroups: Int32Array;
} {
  const stored = grid.bits <= 4 ? 4 : 8;
  const { order, blockSize, groupOf: blockGroups } = layBlocks(groupOf, stored, tensor);
  if (order !== undefined || columns % blockSize !== 0) {
    throw new FailedPreconditionError(
      `${tensor}: ONNX holds rows of tokens in whole blocks of neighbouring columns, and its groups are not such blocks; factor with --order natural or group-aware, and compress with a --group-size that divides ${columns}`,
      { tensor },
    );
  }
  return { bits: stored, blockSize, blockGroups };
}

/** The codes of a layer. @throws as planTable */
function layerCodes({ layers, tensor }: TableSource): TableCodes {
  const layer = readQuantisedLayer(layers, tensor, "ONNX");
  const { bits, blockSize, blockGroups } = planTable(layer);
  const { rows, columns, scales, zeros } = layer;
  const blocks = blockGroups.length;
  return {
    bits,
    blockSize,
    *make() {
      yield packCodes(layer.codes(), rows, columns, bits);
      yield bytesBelow(spreadOverBlocks(scales, new Float32Array(rows * blocks), rows, blockGroups));
      yield packCodes(spreadOverBlocks(zeros, new Uint8Array(rows * blocks), rows, blockGroups), rows, blocks, bits);
    },
  };
}

/** @throws {UsageError} where embedding and head have codes of their own, and others are asked for */
export function refuseTwoRoundings(storage: TableStorage): void {
  if (storage === undefined) return;
  throw new UsageError(
    `--embeddings ${storage} would round embedding and head once more, which compress --embeddings rounds; leave one of them out`,
    { option: "--embeddings" },
  );
}

/** Adds a table to a graph, stored once. */
export function addTokenTable(source: TableSource, storage: TableStorage, accuracy: AccuracyLevel): TokenTable {
  if (source.layers.summaries.has(source.tensor)) {
    refuseTwoRoundings(storage);
    return addCodedTable(source, layerCodes(source), accuracy);
  }
  if (storage === "int8") return addCodedTable(source, roundedCodes(source, 8), accuracy);
  if (storage === "int4") return addCodedTable(source, roundedCodes(source, 4), accuracy);
  return addFloatTable(source, storage ?? source.model.checkpoint.info(source.tensor).dtype ?? "f32");
}
