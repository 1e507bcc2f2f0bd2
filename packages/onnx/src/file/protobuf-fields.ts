import { at, BadDataError } from "@mbs/contracts";
import type { ByteSource, Span } from "./byte-source.ts";

/**
 * One field of a message, where it lies in a file.
 *
 * @see https://protobuf.dev/programming-guides/encoding
 */
export interface Field {
  readonly number: number;
  /** Whether it has a length of its own: bytes, texts, messages, packed numbers. */
  readonly delimited: boolean;
  /** With its tag. */
  readonly span: Span;
  /** What follows the tag, and the length where it has one. */
  readonly value: Span;
}

/** Bytes read at a time: tags lie close together, values are passed over. */
const windowBytes = 64 * 1024;
const longestVarint = 10;

/** Single bytes of a file through a window. */
class ByteWindow {
  readonly #source: ByteSource;
  #start = 0;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(source: ByteSource) {
    this.#source = source;
  }

  at(offset: number): number {
    let byte = this.#bytes[offset - this.#start];
    if (byte === undefined) {
      this.#bytes = this.#source.read(offset, Math.min(windowBytes, this.#source.size - offset));
      this.#start = offset;
      byte = at(this.#bytes, 0);
    }
    return byte;
  }
}

/**
 * Walks over the fields of a message without reading their values.
 *
 * @param span of the message
 * @param what it is, for errors: "the graph"
 * @throws {BadDataError} with the offset, where a field ends behind the message or is none
 */
export function* walkFields(source: ByteSource, span: Span, what: string): Generator<Field> {
  const end = span.offset + span.length;
  const window = new ByteWindow(source);
  const broken = (offset: number, problem: string): never => {
    throw new BadDataError(`${source.path}: ${what} ${problem} at byte ${offset}; the file is cut short or no ONNX model`, {
      file: source.path,
      offset,
    });
  };
  const varint = (offset: number): { value: number; next: number } => {
    let value = 0;
    for (let count = 0; count < longestVarint && offset + count < end; count += 1) {
      const byte = window.at(offset + count);
      value += (byte & 0x7f) * 2 ** (7 * count);
      if (byte < 0x80) return { value, next: offset + count + 1 };
    }
    return broken(offset, "ends inside a number");
  };
  let offset = span.offset;
  while (offset < end) {
    const tag = varint(offset);
    const [number, wire] = [Math.floor(tag.value / 8), tag.value % 8];
    let [begin, next] = [tag.next, tag.next];
    if (wire === 0) next = varint(begin).next;
    else if (wire === 1) next += 8;
    else if (wire === 5) next += 4;
    else if (wire === 2) {
      const length = varint(begin);
      begin = length.next;
      next = begin + length.value;
    } else broken(offset, "has a field of an unknown kind");
    if (number === 0) broken(offset, "has a field without a number");
    if (!(next <= end)) broken(offset, `has a field of ${next - begin} bytes where ${end - begin} are left,`);
    yield {
      number,
      delimited: wire === 2,
      span: { offset, length: next - offset },
      value: { offset: begin, length: next - begin },
    };
    offset = next;
  }
}
