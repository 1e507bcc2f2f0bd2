/** Element types of weights that can be compressed. */
export type WeightDtype = "f32" | "f16" | "bf16";

export interface TensorInfo {
  readonly name: string;
  /** As in the safetensors header: "F16", "I64", … */
  readonly storedDtype: string;
  /** The dtype of a weight; undefined for integers and other types. */
  readonly dtype: WeightDtype | undefined;
  readonly shape: readonly number[];
  /** Length in the file. */
  readonly bytes: number;
  /** The file that holds it, relative to the model folder. */
  readonly file: string;
}

/** The tensors of a model folder, by name, whatever file they lie in. Read on demand, never a whole file. */
export interface Checkpoint {
  /** Weight files, relative to the folder, sorted; tensors of each in the order of their offsets. */
  readonly files: readonly { readonly file: string; readonly tensors: readonly TensorInfo[] }[];
  /** Tensors found to hold NaN or Inf while `allowNonfinite` was on: they must stay as they are. */
  readonly nonfinite: ReadonlySet<string>;
  /** All tensors, sorted by name. */
  list(): readonly TensorInfo[];
  has(name: string): boolean;
  /** @throws {BadDataError} when there is no such tensor */
  info(name: string): TensorInfo;
  /**
   * The values as float32.
   *
   * @throws {BadDataError} on NaN or Inf, with tensor and index. With `allowNonfinite`, such values are read as 0 and the
   *   tensor joins `nonfinite`.
   */
  readF32(name: string): Promise<Float32Array>;
  /** Rows [first, first + count) of a tensor of two dimensions as float32, under the same rules. */
  readRowsF32(name: string, first: number, count: number): Promise<Float32Array>;
  /** The bytes as stored. */
  readRaw(name: string): Promise<Uint8Array>;
}
