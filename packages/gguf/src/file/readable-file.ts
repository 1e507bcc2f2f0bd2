/** An open file, of which parts are read, never the whole. */
export interface ReadableFile {
  readonly path: string;
  readonly size: number;
  /** Fills `target` from byte `position`. @throws {BadDataError} where the file ends before */
  readInto(position: number, target: Uint8Array): void;
}
