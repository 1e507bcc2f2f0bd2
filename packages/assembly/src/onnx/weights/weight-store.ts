import type { Model, TensorInfo, WeightDtype } from "@mbs/models";
import { elementTypeNumbers } from "@mbs/onnx";
import type { ElementType, GraphBuilder } from "@mbs/onnx";
import type { ScratchLayers } from "../../layers/scratch-layers.ts";
import { readQuantisedLayer } from "../../layers/quantised-layer.ts";
import { writtenPieces } from "../../layers/written-pieces.ts";
import { addQuantisedLinear, reorderInput } from "./quantised-linear.ts";
import type { AccuracyLevel } from "./quantised-linear.ts";
import { packWeight, planWeight, weightTensors } from "./quantised-weight.ts";
import type { ThreeBit } from "./quantised-weight.ts";
import type { WeightFiles } from "./weight-files.ts";

export interface WeightStoreOptions {
  readonly threeBit: ThreeBit;
  readonly accuracyLevel: AccuracyLevel;
}

/** A matrix as a graph has it: float32 values, [rows, columns] or, where transposed, [columns, rows]. */
export interface DenseMatrix {
  readonly value: string;
  readonly transposed: boolean;
}

export const elementTypes: Readonly<Record<WeightDtype, ElementType>> = { f32: "float32", f16: "float16", bf16: "bfloat16" };

/** The bytes of an array. */
export const bytesBelow = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Float32 of a stored value; the engine casts constants once, when it loads the model. */
export const castToSingle = (graph: GraphBuilder, value: string, dtype: WeightDtype): string =>
  dtype === "f32" ? value : graph.node("Cast", [value], { attributes: { to: elementTypeNumbers.float32 } });

/** Bytes of a tensor without codes: vectors are float32, matrices as in the source. */
export const storedBytes = ({ shape, bytes }: TensorInfo): number => (shape.length === 1 ? 4 * (shape[0] ?? 0) : bytes);

/** The weights of a graph: each tensor of the model stands once in the weight files, however often the graph reads it. */
export class WeightStore {
  readonly #graph: GraphBuilder;
  readonly #files: WeightFiles;
  readonly #model: Model;
  readonly #layers: ScratchLayers;
  readonly #options: WeightStoreOptions;
  readonly #vectors = new Map<string, string>();
  readonly #matrices = new Map<string, DenseMatrix>();
  /** Value → the same with its columns in other orders. */
  readonly #reordered = new Map<string, { readonly order: Int32Array; readonly value: string }[]>();
  #compressedBytes = 0;

  constructor(graph: GraphBuilder, files: WeightFiles, model: Model, layers: ScratchLayers, options: WeightStoreOptions) {
    this.#graph = graph;
    this.#files = files;
    this.#model = model;
    this.#layers = layers;
    this.#options = options;
  }

  /** Bytes of the tensors that layers changed, as stored. */
  get compressedBytes(): number {
    return this.#compressedBytes;
  }

  /** A norm, a bias or a small table as float32. */
  vector(tensor: string, shape: readonly number[]): string {
    const known = this.#vectors.get(tensor);
    if (known !== undefined) return known;
    const stored = { type: "float32", dims: shape, bytes: shape.reduce((product, side) => product * side, 4) } as const;
    const [model, layers] = [this.#model, this.#layers];
    const reserved = this.#files.reserveOne(stored, () => writtenPieces(model, layers, model.checkpoint.info(tensor), "f32"));
    const value = this.#graph.external(reserved, tensor);
    this.#vectors.set(tensor, value);
    return value;
  }

  /** A matrix as it is stored in the source, and in its dtype. */
  matrix(tensor: string, transposed: boolean): DenseMatrix {
    const known = this.#matrices.get(tensor);
    if (known !== undefined) return known;
    const { dtype = "f32", shape, bytes } = this.#model.checkpoint.info(tensor);
    const [model, layers] = [this.#model, this.#layers];
    const changed = layers.summaries.has(tensor);
    if (changed) this.#compressedBytes += bytes;
    const reserved = this.#files.reserveOne({ type: elementTypes[dtype], dims: shape, bytes }, () =>
      writtenPieces(model, layers, { name: tensor, bytes }),
    );
    const stored = this.#graph.external(reserved, tensor);
    const matrix = { value: castToSingle(this.#graph, stored, dtype), transposed };
    this.#matrices.set(tensor, matrix);
    return matrix;
  }

  /** [rows, columns of the weight] → [rows, rows of the weight] */
  multiply(input: string, tensor: string, transposed: boolean): string {
    if (this.#layers.has(tensor, "codes")) return this.#multiplyQuantised(input, tensor);
    const { value } = this.matrix(tensor, transposed);
    return this.#graph.node("Gemm", [input, value], { attributes: { transB: transposed ? 0 : 1 } });
  }

  #multiplyQuantised(input: string, tensor: string): string {
    const layers = this.#layers;
    const read = () => readQuantisedLayer(layers, tensor, "ONNX");
    const stored = planWeight(read(), this.#options.threeBit);
    const tensors = weightTensors(stored);
    this.#compressedBytes += tensors.reduce((sum, { bytes }) => sum + bytes, 0);
    const reserved = this.#files.reserve(tensors, () => packWeight(read(), stored));
    const names = reserved.map((one, index) => this.#graph.external(one, `${tensor}:${index}`));
    const given = stored.grid.order === undefined ? input : this.#reorder(input, stored.grid.order);
    return addQuantisedLinear(this.#graph, given, stored, names, this.#options.accuracyLevel);
  }

  /** Weights that read one input mostly have one order. */
  #reorder(input: string, order: Int32Array): string {
    const known = this.#reordered.get(input) ?? [];
    const same = known.find((entry) => entry.order.every((column, position) => column === order[position]));
    if (same !== undefined) return same.value;
    const value = reorderInput(this.#graph, input, order);
    this.#reordered.set(input, [...known, { order, value }]);
    return value;
  }
}
