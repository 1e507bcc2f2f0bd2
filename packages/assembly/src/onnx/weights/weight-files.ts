import { at, InternalError } from "@mbs/contracts";
import type { ElementType, ExternalTensor } from "@mbs/onnx";

/** A tensor that will lie in a weight file. */
export interface StoredTensor {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly bytes: number;
}

/** Bytes of tensors one after the other; a chunk is never of two of them. */
export type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Tensors that are made together, and what makes them. */
interface Reservation {
  readonly tensors: readonly ExternalTensor[];
  readonly make: () => Chunks;
}

/** Tensors begin at whole pages, so that they can be mapped. */
const alignment = 4096;

/** A browser holds a file in one array, which must be below 2 GiB: a larger model has several files. */
const fileLimit = 2_000_000_000;

const aligned = (offset: number): number => Math.ceil(offset / alignment) * alignment;

/**
 * The weight files of an ONNX model: offsets are reserved while the graph is built, and the bytes are made when the files are
 * written, one reservation at a time.
 */
export class WeightFiles {
  readonly #model: string;
  readonly #limit: number;
  readonly #files: { readonly name: string; end: number; readonly reservations: Reservation[] }[] = [];

  /** @param model name of the model file; those here are called MODEL_data, MODEL_data_1, … */
  constructor(model: string, limit = fileLimit) {
    this.#model = model;
    this.#limit = limit;
  }

  get names(): readonly string[] {
    return this.#files.map(({ name }) => name);
  }

  /** Of all files together. */
  get bytes(): number {
    return this.#files.reduce((sum, { end }) => sum + end, 0);
  }

  /** @param make gives the bytes of all the tensors, in order */
  reserve(tensors: readonly StoredTensor[], make: () => Chunks): readonly ExternalTensor[] {
    const needed = tensors.reduce((sum, { bytes }) => sum + aligned(bytes), 0);
    const last = this.#files.at(-1);
    const file = last === undefined || last.end + needed > this.#limit ? this.#open() : last;
    const reserved = tensors.map(({ type, dims, bytes }) => {
      const offset = aligned(file.end);
      file.end = offset + bytes;
      return { type, dims, location: file.name, offset, length: bytes };
    });
    file.reservations.push({ tensors: reserved, make });
    return reserved;
  }

  /** @param make gives the bytes of the tensor */
  reserveOne(tensor: StoredTensor, make: () => Chunks): ExternalTensor {
    return at(this.reserve([tensor], make), 0);
  }

  /** One file from start to end. */
  async *write(name: string): AsyncGenerator<Uint8Array> {
    const found = this.#files.find((file) => file.name === name);
    if (found === undefined) throw new InternalError(`no weight file ${name} was reserved`);
    let end = 0;
    for (const { tensors, make } of found.reservations) {
      let [index, done] = [0, 0];
      for await (const data of make()) {
        const tensor = tensors[index];
        if (tensor === undefined && data.length === 0) continue;
        if (tensor === undefined || done + data.length > tensor.length) {
          throw new InternalError(`${name}: a weight has more bytes than were reserved`);
        }
        const { offset, length } = tensor;
        if (end < offset + done) yield new Uint8Array(offset + done - end);
        yield data;
        done += data.length;
        end = offset + done;
        if (done === length) [index, done] = [index + 1, 0];
      }
      if (index !== tensors.length) throw new InternalError(`${name}: a weight has fewer bytes than were reserved`);
    }
  }

  #open() {
    const count = this.#files.length;
    const file = { name: `${this.#model}_data${count === 0 ? "" : `_${count}`}`, end: 0, reservations: [] };
    this.#files.push(file);
    return file;
  }
}
