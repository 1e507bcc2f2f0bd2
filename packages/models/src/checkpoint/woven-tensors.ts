import type { WholeForm } from "../architectures/layout.ts";
import { transpose } from "./weight-reader.ts";

/* Matrices [rows, columns], or vectors, that are stored as one: `whole` of JoinedTensor. Bytes in, bytes out. */

/** A group of parts whose rows take turns. */
export interface WovenGroup {
  /** Parts in it. */
  readonly woven: number;
  /** Of each part. */
  readonly rows: number;
  /** 1 for vectors. */
  readonly columns: number;
  /** Bytes of a value: 2 or 4. */
  readonly width: number;
}

const valuesOf = ({ buffer, byteOffset, byteLength }: Uint8Array, width: number): Uint16Array | Uint32Array =>
  width === 4 ? new Uint32Array(buffer, byteOffset, byteLength / 4) : new Uint16Array(buffer, byteOffset, byteLength / 2);

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint16Array | Uint32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** The shape of the tensor that holds parts of a shape. @param count of all parts */
export function wholeShape(
  [rows = 1, ...columns]: readonly number[],
  count: number,
  { parts, woven }: WholeForm,
): readonly number[] {
  const side = parts * rows;
  return [count / parts, ...(woven ? [...columns, side] : [side, ...columns])];
}

/** @param bytes of a group, [columns, woven · rows] */
export function unweave(bytes: Uint8Array, { woven, rows, columns, width }: WovenGroup): readonly Uint8Array[] {
  const turned = bytesOf(transpose(valuesOf(bytes, width), columns));
  const length = columns * width;
  return Array.from({ length: woven }, (_, part) => {
    const own = new Uint8Array(rows * length);
    for (let row = 0; row < rows; row += 1) {
      const from = (row * woven + part) * length;
      own.set(turned.subarray(from, from + length), row * length);
    }
    return own;
  });
}

/** The inverse of `unweave`. */
export function weave(parts: readonly Uint8Array[], { woven, rows, columns, width }: WovenGroup): Uint8Array {
  const length = columns * width;
  const turns = new Uint8Array(woven * rows * length);
  for (const [part, own] of parts.entries()) {
    for (let row = 0; row < rows; row += 1) {
      turns.set(own.subarray(row * length, (row + 1) * length), (row * woven + part) * length);
    }
  }
  return bytesOf(transpose(valuesOf(turns, width), woven * rows));
}
