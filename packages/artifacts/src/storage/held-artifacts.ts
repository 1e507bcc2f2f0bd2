import type { ArtifactStream, Batch, ColumnValues, ColumnType, Schema } from "@mbs/contracts";
import type { Receipt } from "../content-address.ts";

/** An artifact in memory. */
export interface HeldArtifact {
  readonly schema: Schema;
  readonly receipt: Receipt;
  readonly batches: readonly Batch[];
  /** Of its values. */
  readonly bytes: number;
}

/** Bytes of the values of a batch, whose strings are small. */
export const batchBytes = ({ columns }: Batch): number =>
  Object.values(columns).reduce((sum, column) => {
    if (ArrayBuffer.isView(column)) return sum + column.byteLength;
    return column.reduce((own: number, value) => own + (typeof value === "string" ? value.length : value.byteLength), sum);
  }, 0);

function copyColumn(column: ColumnValues[ColumnType]): ColumnValues[ColumnType] {
  if (ArrayBuffer.isView(column)) return column.slice();
  return column.map((value) => (typeof value === "string" ? value : value.slice())) as ColumnValues[ColumnType];
}

/** A batch whose values may be changed without any other's. */
const copyBatch = ({ rows, columns }: Batch): Batch => ({
  rows,
  columns: Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, copyColumn(column)])),
});

/** The batches of an artifact in memory. @param shared values are not copied, and the reader changes none */
export async function* heldBatches({ batches }: Pick<HeldArtifact, "batches">, shared: boolean): AsyncGenerator<Batch, void> {
  for (const batch of batches) yield shared ? batch : copyBatch(batch);
}

/** What was gathered of a stream, and what is left of it where it is longer than the limit. */
export interface Gathered {
  readonly batches: readonly Batch[];
  readonly bytes: number;
  readonly rest: AsyncIterator<Batch> | undefined;
}

/** Reads a stream as far as it fits a number of bytes. */
export async function gatherBatches({ batches }: ArtifactStream, limit: number): Promise<Gathered> {
  const gathered: Batch[] = [];
  let bytes = 0;
  const rest = batches[Symbol.asyncIterator]();
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
    gathered.push(next.value);
    bytes += batchBytes(next.value);
    if (bytes > limit) return { batches: gathered, bytes, rest };
  }
  return { batches: gathered, bytes, rest: undefined };
}

/** The whole stream of which a part was gathered. It is read once. */
export async function* gatheredBatches({ batches, rest }: Gathered): AsyncGenerator<Batch, void> {
  yield* batches;
  if (rest !== undefined) yield* { [Symbol.asyncIterator]: () => rest };
}
