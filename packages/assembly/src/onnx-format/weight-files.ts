import type { FilePiece } from "@mbs/artifacts";
import { InternalError } from "@mbs/contracts";
import type { ElementType, ExternalTensor } from "@mbs/onnx";

/** A tensor that will lie in a weight file. */
export interface StoredTensor {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly bytes: number;
}

/** Tensors that are made together, and what makes them. */
interface Reservation {
  readonly places: readonly ExternalTensor[];
  readonly make: () => Chunks;
}

/** Bytes of tensors one after the other; a chunk is never of two of them. */
export type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Tensors begin at whole pages, so that they can be mapped. */
const alignment = 4096;

/** A browser holds a file in one array, which must be below 2 GiB: a larger model has several files. */
const fileLimit = 2_000_000_000;

/**
 * The weight files of an ONNX model: room is reserved while the graph is built, and filled when they are written, one
 * reservation in memory at a time.
 */
export class WeightFiles {
  readonly #name: string;
  readonly #limit: number;
  readonly #reservations: Reservation[] = [];
  #count = 0;
  #end = 0;

  /** @param name of the model file; those here are called NAME_data, NAME_data_1, … */
  constructor(name: string, limit = fileLimit) {
    this.#name = name;
    this.#limit = limit;
  }

  /** Number of files. */
  get count(): number {
    return this.#count;
  }

  /** @param make gives the bytes of all the tensors, in order */
  reserve(tensors: readonly StoredTensor[], make: () => Chunks): readonly ExternalTensor[] {
    const places = tensors.map(({ type, dims, bytes }) => {
      const offset = Math.ceil(this.#end / alignment) * alignment;
      const full = this.#count === 0 || (this.#end > 0 && offset + bytes > this.#limit);
      if (full) this.#count++;
      const start = full ? 0 : offset;
      this.#end = start + bytes;
      const location = `${this.#name}_data${this.#count === 1 ? "" : `_${this.#count - 1}`}`;
      return { type, dims, location, offset: start, length: bytes };
    });
    this.#reservations.push({ places, make });
    return places;
  }

  /** The files from start to end, one after the other; paths are their names. */
  async *write(): AsyncGenerator<FilePiece> {
    const written = new Map<string, number>();
    for (const { places, make } of this.#reservations) {
      let [index, done] = [0, 0];
      for await (const data of make()) {
        const place = places[index];
        if (place === undefined || done + data.length > place.length) {
          throw new InternalError(`${places[0]?.location}: a weight has other bytes than were reserved`);
        }
        const { location, offset, length } = place;
        const end = written.get(location) ?? 0;
        if (done === 0 && end < offset) yield { path: location, offset: end, data: new Uint8Array(offset - end) };
        yield { path: location, offset: offset + done, data };
        done += data.length;
        written.set(location, offset + done);
        if (done === length) [index, done] = [index + 1, 0];
      }
      if (index !== places.length) throw new InternalError(`${places[0]?.location}: a weight has fewer bytes than were reserved`);
    }
  }
}
