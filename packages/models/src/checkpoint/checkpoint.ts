import { at, BadDataError, InternalError } from "@mbs/contracts";
import { bytesOfDtype, decodeBrain, decodeHalf, findNonfinite } from "@mbs/numbers";
import type { WeightDtype } from "@mbs/numbers";
import type { PackedWeight } from "./quantised/packed-values.ts";
import type { HeaderEntry } from "./safetensors-header.ts";

export interface TensorInfo {
  readonly name: string;
  /** As in the safetensors header: "F16", "I64", … */
  readonly storedDtype: string;
  /** The dtype of a weight; undefined for integers and other types, and for tensors that are carried as they are. */
  readonly dtype: WeightDtype | undefined;
  readonly shape: readonly number[];
  /** Length in the file. */
  readonly bytes: number;
  /** The file that holds it, relative to the model folder. */
  readonly file: string;
}

export interface WeightFile {
  /** Relative to the model folder. */
  readonly file: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of their offsets. */
  readonly tensors: readonly TensorInfo[];
}

/** An open file of tensors, of which parts are read, never the whole. */
export interface TensorFile {
  readonly path: string;
  /** Relative to the model folder. */
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of their offsets. */
  readonly tensors: readonly HeaderEntry[];
  /** Fills `target` from byte `offset` of the tensor. */
  readInto(entry: HeaderEntry, offset: number, target: Uint8Array): void;
  close(): void;
}

/** The tensors of a model folder, by name, whichever file has them. Read on demand, never a whole file. */
export interface Checkpoint {
  /** Sorted by name. */
  readonly files: readonly WeightFile[];
  /** Tensors found to hold NaN or Inf while `allowNonfinite` was on: they must stay as they are. Grows as tensors are read. */
  readonly nonfinite: ReadonlySet<string>;
  /** Whether such tensors are taken at all. */
  readonly allowNonfinite: boolean;
  /** All tensors, sorted by name (code units). */
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
  /** Chosen rows of a tensor of two dimensions as float32, [rows.length, columns], under the same rules. */
  readRowsF32(name: string, rows: ArrayLike<number>): Promise<Float32Array>;
  /** A linear weight that is stored as codes on grids, undefined for any other; absent where none is stored so. */
  readonly readPacked?: (name: string) => Promise<PackedWeight | undefined>;
  /**
   * Takes note of a NaN or Inf that was met in the bytes of a tensor, under the same rules as `readF32`.
   *
   * @param index of the value in the tensor
   * @throws {BadDataError} naming tensor and index. With `allowNonfinite`, the tensor joins `nonfinite`
   */
  noteNonfinite(name: string, index: number, value: number): void;
  /** The bytes as stored; `offset` and `length` choose a part. */
  readRaw(name: string, offset?: number, length?: number): Promise<Uint8Array>;
  close(): void;
}

const weightDtypes: ReadonlyMap<string, WeightDtype> = new Map([
  ["F32", "f32"],
  ["F16", "f16"],
  ["BF16", "bf16"],
]);

function decode(bytes: Uint8Array, dtype: WeightDtype): Float32Array {
  if (dtype === "f32") return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  return dtype === "f16" ? decodeHalf(bits) : decodeBrain(bits);
}

/** Values that are decoded at a time: an embedding is not in memory in half precision too. */
const valuesAtATime = 1 << 20;

/** The values of a whole tensor. @param readInto fills its target from a byte of the tensor on */
function readValues(dtype: WeightDtype, count: number, readInto: (offset: number, target: Uint8Array) => void): Float32Array {
  const values = new Float32Array(count);
  if (dtype === "f32") {
    readInto(0, new Uint8Array(values.buffer));
    return values;
  }
  const size = bytesOfDtype(dtype);
  for (let first = 0; first < count; first += valuesAtATime) {
    const part = values.subarray(first, first + valuesAtATime);
    const bytes = new Uint8Array(part.length * size);
    readInto(first * size, bytes);
    part.set(decode(bytes, dtype));
  }
  return values;
}

/** How tensors are read. */
export interface ReadOptions {
  /** Read NaN and Inf as 0 and list their tensors in `nonfinite`; undefined where the command has no option for it. */
  readonly allowNonfinite: boolean | undefined;
}

/** Which tensors are carried as they are, whatever is done to weights. Default none. */
interface Carrying {
  readonly carries?: (tensor: string) => boolean;
}

/** A tensor, and the file that it is in. */
interface LocatedTensor {
  readonly file: TensorFile;
  readonly entry: HeaderEntry;
  readonly info: TensorInfo;
}

/** The tensors of some files by name. */
class TensorTable {
  readonly files: Checkpoint["files"];
  readonly #byName = new Map<string, LocatedTensor>();

  constructor(files: readonly TensorFile[], carries: (tensor: string) => boolean) {
    this.files = files.map((file) => ({
      file: file.name,
      metadata: file.metadata,
      tensors: file.tensors.map((entry) => {
        const { name, storedDtype, shape } = entry;
        const dtype = carries(name) ? undefined : weightDtypes.get(storedDtype);
        const info = { name, storedDtype, dtype, shape, bytes: entry.end - entry.begin, file: file.name };
        this.#byName.set(name, { file, entry, info });
        return info;
      }),
    }));
  }

  /** Sorted by name. */
  list(): TensorInfo[] {
    return [...this.#byName.values()].map(({ info }) => info).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  find(name: string): LocatedTensor {
    const tensor = this.#byName.get(name);
    if (tensor === undefined)
      throw new BadDataError(`the model has no tensor ${JSON.stringify(name)}; is it another model's?`, { tensor: name });
    return tensor;
  }

  /** A tensor whose values are read. */
  weight(name: string): LocatedTensor & { readonly dtype: WeightDtype } {
    const tensor = this.find(name);
    const { dtype, storedDtype } = tensor.info;
    if (dtype === undefined) {
      throw new BadDataError(`${tensor.file.path}: tensor ${name} is ${storedDtype}; weights must be F32, F16 or BF16`, {
        tensor: name,
      });
    }
    return { ...tensor, dtype };
  }
}

/** NaN and Inf in weights: tensors that have them are refused, or read with 0 in their place. */
class NonfiniteValues {
  readonly tensors = new Set<string>();
  readonly #table: TensorTable;
  readonly #allowed: boolean | undefined;

  constructor(table: TensorTable, allowed: boolean | undefined) {
    this.#table = table;
    this.#allowed = allowed;
  }

  /** @throws {BadDataError} where they are not allowed */
  note(name: string, index: number, value: number): void {
    if (this.#allowed !== true) {
      const { path } = this.#table.find(name).file;
      const option = this.#allowed === undefined ? "" : ", or add --allow-nonfinite (see --help)";
      throw new BadDataError(`${path}: tensor ${name} has ${value} at index ${index}; repair the model${option}`, {
        file: path,
        tensor: name,
        index,
      });
    }
    this.tensors.add(name);
  }

  /** @param indexOf where a value is in its tensor */
  replace(values: Float32Array, name: string, indexOf: (index: number) => number): Float32Array {
    const first = findNonfinite(values);
    if (first < 0) return values;
    this.note(name, indexOf(first), at(values, first));
    return values.map((value) => (Number.isFinite(value) ? value : 0));
  }
}

/**
 * The tensors of opened weight files.
 *
 * @param files no two of them have a tensor of the same name
 */
export function createCheckpoint(
  files: readonly TensorFile[],
  { allowNonfinite, carries = () => false }: ReadOptions & Carrying,
): Checkpoint {
  const table = new TensorTable(files, carries);
  const nonfinite = new NonfiniteValues(table, allowNonfinite);
  const sorted = table.list();
  return {
    files: table.files,
    nonfinite: nonfinite.tensors,
    allowNonfinite: allowNonfinite === true,
    noteNonfinite: (name, index, value) => nonfinite.note(name, index, value),
    list: () => sorted,
    has: (name) => table.has(name),
    info: (name) => table.find(name).info,
    async readF32(name) {
      const { file, entry, info, dtype } = table.weight(name);
      const readInto = (offset: number, target: Uint8Array): void => file.readInto(entry, offset, target);
      const values = readValues(dtype, info.bytes / bytesOfDtype(dtype), readInto);
      return nonfinite.replace(values, name, (index) => index);
    },
    async readRowsF32(name, rows) {
      const { file, entry, info, dtype } = table.weight(name);
      const [, columns] = info.shape;
      if (columns === undefined) throw new InternalError(`tensor ${name} has no rows to choose`, { tensor: name });
      const stride = columns * bytesOfDtype(dtype);
      const bytes = new Uint8Array(rows.length * stride);
      for (const [index, row] of Array.from(rows).entries()) {
        file.readInto(entry, row * stride, bytes.subarray(index * stride, (index + 1) * stride));
      }
      const indexOf = (index: number): number => at(rows, Math.floor(index / columns)) * columns + (index % columns);
      return nonfinite.replace(decode(bytes, dtype), name, indexOf);
    },
    async readRaw(name, offset = 0, length) {
      const { file, entry, info } = table.find(name);
      const bytes = new Uint8Array(length ?? info.bytes - offset);
      file.readInto(entry, offset, bytes);
      return bytes;
    },
    close() {
      for (const file of files) file.close();
    },
  };
}
