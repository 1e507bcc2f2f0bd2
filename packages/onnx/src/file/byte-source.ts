/** An open file, read at an offset. */
export interface ByteSource {
  readonly path: string;
  readonly size: number;
  /** @throws {BadDataError} where the file ends before `offset + length` */
  read(offset: number, length: number): Uint8Array;
}

/** A part of a file. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}
