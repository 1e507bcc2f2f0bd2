/*
 * The compact protocol of Thrift, as far as the footer of a Parquet file needs it. Values are not decoded but where someone asks:
 * what stays as it is is copied as bytes.
 * https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */

/** A value within `bytes`, from `start` to before `end`. */
export interface ThriftValue {
  readonly type: number;
  readonly bytes: Buffer;
}

/** Fields of a struct by their ids. */
export type ThriftStruct = ReadonlyMap<number, ThriftValue>;

export const thriftTypes = {
  true: 1,
  false: 2,
  byte: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  set: 10,
  map: 11,
  struct: 12,
};

/** Structs within structs; Parquet's have six. */
const mostDepth = 32;

const fail = (what: string): never => {
  throw new RangeError(what);
};

/** Steps over values; every position is checked. */
class ThriftCursor {
  position = 0;
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  byte(): number {
    return this.bytes[this.position++] ?? fail("it ends early");
  }

  skip(length: number): void {
    this.position += length;
    if (this.position > this.bytes.length) fail("it ends early");
  }

  /** A number of at most 53 bits. */
  varint(): number {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (!Number.isSafeInteger(value)) fail("a number is too large");
      if (byte < 0x80) return value;
      factor *= 128;
    }
  }

  /** Type of the elements, and how many there are. */
  listHeader(): { type: number; count: number } {
    const header = this.byte();
    const short = header >> 4;
    const count = short === 15 ? this.varint() : short;
    // an element takes at least a byte
    if (count > this.bytes.length - this.position) fail("a list is longer than it");
    return { type: header & 15, count };
  }

  /** Type and id of the next field; undefined at the end of the struct. */
  fieldHeader(before: number): { type: number; id: number } | undefined {
    const header = this.byte();
    if (header === 0) return undefined;
    const delta = header >> 4;
    return { type: header & 15, id: delta === 0 ? fromZigzag(this.varint()) : before + delta };
  }

  /** Steps over a value. In a list a truth value takes a byte, in a struct it is its type. */
  skipValue(type: number, inList: boolean, depth = 0): void {
    if (depth > mostDepth) fail("it is nested too deeply");
    switch (type) {
      case thriftTypes.true:
      case thriftTypes.false:
        return this.skip(inList ? 1 : 0);
      case thriftTypes.byte:
        return this.skip(1);
      case thriftTypes.i16:
      case thriftTypes.i32:
      case thriftTypes.i64:
        while (this.byte() >= 0x80);
        return undefined;
      case thriftTypes.double:
        return this.skip(8);
      case thriftTypes.binary:
        return this.skip(this.varint());
      case thriftTypes.list:
      case thriftTypes.set: {
        const { type: element, count } = this.listHeader();
        for (let index = 0; index < count; index++) this.skipValue(element, true, depth + 1);
        return undefined;
      }
      case thriftTypes.map: {
        const count = this.varint();
        if (count > this.bytes.length - this.position) fail("a map is longer than it");
        const types = count > 0 ? this.byte() : 0;
        for (let index = 0; index < count; index++) {
          this.skipValue(types >> 4, true, depth + 1);
          this.skipValue(types & 15, true, depth + 1);
        }
        return undefined;
      }
      case thriftTypes.struct: {
        for (let field = this.fieldHeader(0); field !== undefined; field = this.fieldHeader(field.id)) {
          this.skipValue(field.type, false, depth + 1);
        }
        return undefined;
      }
      default:
        return fail(`there is no type ${type}`);
    }
  }

  value(type: number, inList: boolean): ThriftValue {
    const start = this.position;
    this.skipValue(type, inList);
    return { type, bytes: this.bytes.subarray(start, this.position) };
  }
}

const fromZigzag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2);

/** The fields of a struct. @throws {RangeError} on bytes that are none */
export function readStruct(bytes: Buffer): ThriftStruct {
  const cursor = new ThriftCursor(bytes);
  const fields = new Map<number, ThriftValue>();
  for (let field = cursor.fieldHeader(0); field !== undefined; field = cursor.fieldHeader(field.id)) {
    fields.set(field.id, cursor.value(field.type, false));
  }
  return fields;
}

const required = (fields: ThriftStruct, id: number, type: number): Buffer => {
  const field = fields.get(id);
  if (field === undefined || field.type !== type) return fail(`field ${id} is missing or of another type`);
  return field.bytes;
};

/** The elements of a list. @throws {RangeError} where there is none */
export function readList(fields: ThriftStruct, id: number, type: number): readonly Buffer[] {
  const cursor = new ThriftCursor(required(fields, id, thriftTypes.list));
  const header = cursor.listHeader();
  if (header.type !== type && header.count > 0) fail(`field ${id} lists another type`);
  return Array.from({ length: header.count }, () => cursor.value(type, true).bytes);
}

/** A whole number. @throws {RangeError} where there is none, or it has more than 53 bits */
export function readInteger(fields: ThriftStruct, id: number, type = thriftTypes.i64): number {
  return fromZigzag(new ThriftCursor(required(fields, id, type)).varint());
}

/** UTF-8 text with its length before it, as an element of a list or a field. */
export function textOf(bytes: Buffer): string {
  const cursor = new ThriftCursor(bytes);
  const length = cursor.varint();
  return bytes.toString("utf8", cursor.position, cursor.position + length);
}

/** A text. @throws {RangeError} where there is none */
export const readText = (fields: ThriftStruct, id: number): string => textOf(required(fields, id, thriftTypes.binary));

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 0x80);
  return [...bytes, rest];
}

/** A whole number that is not negative. */
export const integerValue = (value: number, type = thriftTypes.i64): ThriftValue => ({
  type,
  bytes: Buffer.from(varint(2 * value)),
});

export const listValue = (type: number, elements: readonly Buffer[]): ThriftValue => {
  const { length } = elements;
  const header = length < 15 ? [length * 16 + type] : [0xf0 + type, ...varint(length)];
  return { type: thriftTypes.list, bytes: Buffer.concat([Buffer.from(header), ...elements]) };
};

/** The bytes of a struct, its fields in the order of their ids. */
export function structBytes(fields: ThriftStruct): Buffer {
  let before = 0;
  const parts: Buffer[] = [];
  for (const [id, { type, bytes }] of [...fields].sort(([a], [b]) => a - b)) {
    const delta = id - before;
    parts.push(Buffer.from(delta < 16 ? [delta * 16 + type] : [type, ...varint(2 * id)]), bytes);
    before = id;
  }
  return Buffer.concat([...parts, Buffer.of(0)]);
}
