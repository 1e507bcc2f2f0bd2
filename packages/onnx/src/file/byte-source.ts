/** A file that stays open and is read at a place. */
export interface ByteSource {
  readonly path: string;
  readonly size: number;
  /** @throws {BadDataError} where the file ends before */
  read(offset: number, length: number): Uint8Array;
}

/** A part of a file. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}
