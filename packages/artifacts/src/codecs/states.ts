import { BadDataError, type ArtifactStream } from "@mbs/contracts";
import type { StatesMetadata } from "../metadata.ts";
import { cutPanels, denseLayout, joinPanels } from "../panels.ts";
import type { StateRecord } from "../records.ts";
import { readRecords, type RowCursor } from "../row-cursor.ts";
import { encodeRows, type Items, type Row } from "../rows.ts";
import { requireLength, requireShape } from "./matrix-shape.ts";

async function* toRows(items: Items<StateRecord>): AsyncGenerator<Row<"states">> {
  for await (const state of items) {
    const { segment, language, stream, rows, width } = state;
    const layout = denseLayout(rows, width);
    requireLength(`states of segment ${segment}`, layout, state.values);
    for (const { row, values } of cutPanels(layout, state.values)) yield { segment, language, stream, row, rows, width, values };
  }
}

async function toRecord(cursor: RowCursor<"states">): Promise<StateRecord> {
  const first = (await cursor.take()) as Row<"states">;
  const { segment, language, stream, rows, width } = first;
  const what = `states of segment ${segment}`;
  requireShape(what, rows, width);
  const values = await joinPanels(what, denseLayout(rows, width), first, async () => {
    const row = await cursor.take();
    if (row && (row.segment !== segment || row.stream !== stream || row.rows !== rows || row.width !== width)) {
      throw new BadDataError(`${what}: the next row belongs to segment ${row.segment} before all panels were there`, { segment });
    }
    return row;
  });
  return { segment, language, stream, rows, width, values };
}

/** States → artifact, in panels. The values are handed over: do not modify them after yielding. */
export const encodeStates = (items: Items<StateRecord>, metadata: StatesMetadata): ArtifactStream =>
  encodeRows("states", metadata, toRows(items));

/** The states of an artifact, one whole matrix a record. */
export const readStates = (stream: ArtifactStream): AsyncIterable<StateRecord> => readRecords("states", stream, toRecord);
