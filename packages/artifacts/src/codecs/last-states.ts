import { BadDataError, type ArtifactStream } from "@mbs/contracts";
import { isAddress } from "../content-address.ts";
import type { LastStatesMetadata } from "../kinds/metadata.ts";
import type { LastStates } from "../kinds/records.ts";
import { cutPanels, denseLayout, joinPanels } from "../rows/panels.ts";
import { encodeRows, readRecords, type Items, type Row, type RowCursor } from "../rows/rows.ts";
import { requireFinite, requireLength, requireShape } from "./checks/matrix-checks.ts";

const remedy = "make them again";

const nameOf = ({ language, window }: Pick<LastStates, "language" | "window">): string =>
  `last states of window ${window} of ${language}`;

async function* toRows(items: Items<LastStates>): AsyncGenerator<Row<"last-states">> {
  for await (const { values: states, ...window } of items) {
    const layout = denseLayout(window.rows, window.width);
    requireLength(nameOf(window), layout, states);
    for (const { row, values } of cutPanels(layout, states)) yield { ...window, row, values };
  }
}

async function toRecord(cursor: RowCursor<"last-states">): Promise<LastStates> {
  const first = (await cursor.take()) as Row<"last-states">;
  const { language, source, window, tokens, rows, width } = first;
  const what = nameOf(first);
  requireShape(what, rows, width);
  if (window < 0 || !isAddress(tokens)) {
    throw new BadDataError(`${what}: its number is below 0, or its tokens are no SHA-256; ${remedy}`, { language, window });
  }
  const layout = denseLayout(rows, width);
  const isSame = (row: Row<"last-states">): boolean =>
    row.language === language &&
    row.source === source &&
    row.window === window &&
    row.tokens === tokens &&
    row.rows === rows &&
    row.width === width;
  const values = await joinPanels(what, layout, first, async () => {
    const row = await cursor.take();
    if (row === undefined || isSame(row)) return row;
    throw new BadDataError(`${what}: the next row is of ${nameOf(row)} before all panels were there`, { language, window });
  });
  requireFinite({ what, remedy }, layout, values);
  return { language, source, window, tokens, rows, width, values };
}

/** Last states → artifact, in panels. The values are handed over: do not modify them after yielding. */
export const encodeLastStates = (items: Items<LastStates>, metadata: LastStatesMetadata): ArtifactStream =>
  encodeRows("last-states", metadata, toRows(items));

/**
 * The last states of an artifact, one window a record.
 *
 * @throws {BadDataError} on panels that do not fit together, values that are not finite, or tokens that are no hash
 */
export const readLastStates = (stream: ArtifactStream): AsyncIterable<LastStates> => readRecords("last-states", stream, toRecord);
