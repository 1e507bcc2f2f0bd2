import type { Draw } from "./draw.ts";

type Change = (bytes: Buffer, draw: Draw) => Buffer;

/** Values at the ends of what a number of 8, 16, 32 or 64 bits holds, and of what JavaScript does. */
const boundaries = [0n, 1n, 0x7fn, 0x80n, 0xffn, 2n ** 15n, 2n ** 16n - 1n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n].concat([
  2n ** 32n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
]);

const longestPart = 64;

/** A place and a length that are within the bytes. */
function partOf(bytes: Buffer, draw: Draw): readonly [start: number, end: number] {
  const start = draw.below(bytes.length);
  return [start, Math.min(bytes.length, start + 1 + draw.below(longestPart))];
}

const inserted = (bytes: Buffer, place: number, part: Uint8Array): Buffer =>
  Buffer.concat([bytes.subarray(0, place), part, bytes.subarray(place)]);

const changes: readonly Change[] = [
  function flipBit(bytes, draw) {
    const place = draw.below(bytes.length);
    bytes.writeUInt8(bytes.readUInt8(place) ^ (1 << draw.below(8)), place);
    return bytes;
  },
  function setByte(bytes, draw) {
    bytes.writeUInt8(draw.below(256), draw.below(bytes.length));
    return bytes;
  },
  function addOne(bytes, draw) {
    const place = draw.below(bytes.length);
    bytes.writeUInt8((bytes.readUInt8(place) + draw.from([1, 255])) & 0xff, place);
    return bytes;
  },
  function setNumber(bytes, draw) {
    const number = Buffer.alloc(8);
    number.writeBigUInt64LE(draw.from([...boundaries, BigInt(bytes.length)]));
    const size = draw.from([1, 2, 4, 8]);
    number.copy(bytes, draw.below(bytes.length), 0, size);
    return bytes;
  },
  function cut(bytes, draw) {
    return bytes.subarray(0, draw.below(bytes.length));
  },
  function remove(bytes, draw) {
    const [start, end] = partOf(bytes, draw);
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]);
  },
  function insert(bytes, draw) {
    const part = Buffer.from(Array.from({ length: 1 + draw.below(8) }, () => draw.below(256)));
    return inserted(bytes, draw.below(bytes.length + 1), part);
  },
  function repeat(bytes, draw) {
    const part = bytes.subarray(...partOf(bytes, draw));
    return inserted(bytes, draw.below(bytes.length + 1), part);
  },
  function overwrite(bytes, draw) {
    const part = Buffer.from(bytes.subarray(...partOf(bytes, draw)));
    part.copy(bytes, draw.below(bytes.length));
    return bytes;
  },
  function swap(bytes, draw) {
    const [start, end] = partOf(bytes, draw);
    const other = draw.below(bytes.length);
    const [first, second] = [Buffer.from(bytes.subarray(start, end)), Buffer.from(bytes.subarray(other, other + end - start))];
    first.copy(bytes, other);
    second.copy(bytes, start);
    return bytes;
  },
];

/** Between one and four changes: bits, bytes and numbers set, parts cut off, removed, inserted, repeated, swapped. */
export function mutateBytes(whole: Uint8Array, draw: Draw): Uint8Array {
  let bytes: Buffer = Buffer.from(whole);
  for (let left = draw.from([1, 1, 1, 2, 3, 4]); left > 0 && bytes.length > 0; left--) bytes = draw.from(changes)(bytes, draw);
  return bytes;
}
