import { at, type ColumnType, type Field } from "@mbs/contracts";
import type { ColumnBytes } from "../column-bytes.ts";
import type { BodyPlan } from "./encode-message.ts";

/** A batch laid out: the plan, and the bytes of each buffer of it. */
export interface PlannedBody extends BodyPlan {
  readonly contents: readonly (readonly Uint8Array[])[];
}

/** Arrow wants buffers at multiples of 8 bytes. */
const padded = (length: number): number => Math.ceil(length / 8) * 8;

const sizeOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, part) => sum + part.byteLength, 0);

function offsetsOf(lengths: Int32Array): Uint8Array {
  const offsets = new Int32Array(lengths.length + 1);
  let end = 0;
  for (const [row, length] of lengths.entries()) {
    end += length;
    offsets[row + 1] = end;
  }
  return new Uint8Array(offsets.buffer);
}

/** The buffers of a column in Arrow's order; the empty ones stand for validity bitmaps, since nothing is null. */
function buffersOf(type: ColumnType, { lengths, parts }: ColumnBytes): (readonly Uint8Array[])[] {
  if (!lengths) return [[], parts];
  const offsets = [offsetsOf(lengths)];
  return type.startsWith("list") ? [[], offsets, [], parts] : [[], offsets, parts];
}

/** Lays out the columns of a batch as an Arrow body. */
export function planBody(fields: readonly Field[], rows: number, columns: readonly ColumnBytes[]): PlannedBody {
  const typed = fields.map(({ type }, index) => ({ type, column: at(columns, index) }));
  const contents = typed.flatMap(({ type, column }) => buffersOf(type, column));
  const nodes = typed.flatMap(({ type, column: { lengths } }) =>
    lengths && type.startsWith("list") ? [rows, lengths.reduce((sum, length) => sum + length, 0)] : [rows],
  );
  let bodyLength = 0;
  const buffers = contents.map((parts) => {
    const slice = { offset: bodyLength, length: sizeOf(parts) };
    bodyLength += padded(slice.length);
    return slice;
  });
  return { rows, nodes, buffers, bodyLength, contents };
}

/** Writes a body to `target`, which has its length. */
export function writeBody({ buffers, contents }: PlannedBody, target: Uint8Array): void {
  for (const [index, { offset, length }] of buffers.entries()) {
    let position = offset;
    for (const part of at(contents, index)) {
      target.set(part, position);
      position += part.byteLength;
    }
    target.fill(0, position, offset + padded(length));
  }
}
