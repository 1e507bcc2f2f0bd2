import type { ArtifactStream } from "@mbs/contracts";
import { parseMetadata, type ArtifactMetadata } from "../kinds/metadata.ts";
import type { ArtifactKind } from "../kinds/schemas.ts";
import { readRows, type Row } from "./rows.ts";

/** Rows of an artifact, taken one by one with a look at the next. */
export interface RowCursor<K extends ArtifactKind> {
  /** The next row without taking it; undefined at the end. */
  peek(): Promise<Row<K> | undefined>;
  take(): Promise<Row<K> | undefined>;
  /** Tells the source that no more is read. */
  close(): Promise<void>;
}

export function openRows<K extends ArtifactKind>(kind: K, stream: ArtifactStream): RowCursor<K> {
  const iterator = readRows(kind, stream)[Symbol.asyncIterator]();
  let waiting: Row<K> | undefined;
  const peek = async () => (waiting ??= ((await iterator.next()) as IteratorResult<Row<K>, undefined>).value);
  return {
    peek,
    async take() {
      const row = await peek();
      waiting = undefined;
      return row;
    },
    async close() {
      await iterator.return?.();
    },
  };
}

/**
 * Reads records one after the other from the rows of an artifact. The artifact is checked at once, before the first
 * record is asked for.
 *
 * @param read takes the rows of one record; called while there are rows
 */
export function readRecords<K extends ArtifactKind, T>(
  kind: K,
  stream: ArtifactStream,
  read: (rows: RowCursor<K>, metadata: ArtifactMetadata[K]) => Promise<T>,
): AsyncIterable<T> {
  const rows = openRows(kind, stream);
  const metadata = parseMetadata(kind, stream.schema);
  return (async function* () {
    try {
      while (await rows.peek()) yield await read(rows, metadata);
    } finally {
      await rows.close();
    }
  })();
}
