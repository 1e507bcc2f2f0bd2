import { BadDataError, type ArtifactStream } from "@mbs/contracts";
import type { StatesMetadata } from "../kinds/metadata.ts";
import type { StateRecord } from "../kinds/records.ts";
import { cutPanels, denseLayout, joinPanels } from "../rows/panels.ts";
import { encodeRows, type Items, readRecords, type Row, type RowCursor } from "../rows/rows.ts";
import { requireFinite, requireLength, requireShape } from "./checks/matrix-checks.ts";

async function* toRows(items: Items<StateRecord>): AsyncGenerator<Row<"states">> {
  for await (const state of items) {
    const { segment, language, stream, rows, width } = state;
    const layout = denseLayout(rows, width);
    requireLength(`states of segment ${segment}`, layout, state.values);
    for (const { row, values } of cutPanels(layout, state.values)) yield { segment, language, stream, row, rows, width, values };
  }
}

async function toRecord(cursor: RowCursor<"states">, { blocks }: StatesMetadata): Promise<StateRecord> {
  const first = (await cursor.take()) as Row<"states">;
  const { segment, language, stream, rows, width } = first;
  const what = `states ${stream} of segment ${segment} of ${language} after ${blocks} blocks`;
  requireShape(what, rows, width);
  const layout = denseLayout(rows, width);
  const isSame = (row: Row<"states">): boolean =>
    row.segment === segment && row.language === language && row.stream === stream && row.rows === rows && row.width === width;
  const values = await joinPanels(what, layout, first, async () => {
    const row = await cursor.take();
    if (row && !isSame(row)) {
      throw new BadDataError(`${what}: the next row belongs to segment ${row.segment} before all panels were there`, { segment });
    }
    return row;
  });
  requireFinite({ what, remedy: "propagate again" }, layout, values);
  return { segment, language, stream, rows, width, values };
}

/** States → artifact, in panels. The values are handed over: do not modify them after yielding. */
export const encodeStates = (items: Items<StateRecord>, metadata: StatesMetadata): ArtifactStream =>
  encodeRows("states", metadata, toRows(items));

/**
 * The states of an artifact, one whole matrix a record.
 *
 * @throws {BadDataError} on panels that do not fit together, or values that are not finite
 */
export const readStates = (stream: ArtifactStream): AsyncIterable<StateRecord> => readRecords("states", stream, toRecord);
