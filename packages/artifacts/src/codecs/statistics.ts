import { BadDataError, FailedPreconditionError, type ArtifactStream } from "@mbs/contracts";
import { packedDiagonal } from "@mbs/numbers";
import { parseMetadata, type StatisticsMetadata } from "../kinds/metadata.ts";
import type { Statistic } from "../kinds/records.ts";
import { cutPanels, denseLayout, joinPanels, packedLayout, type Layout } from "../rows/panels.ts";
import { encodeRows, type Items, readRecords, type Row, type RowCursor } from "../rows/rows.ts";
import { requireFinite, requireLength, requireMeanSquares, requireShape } from "./checks/matrix-checks.ts";

/** A gram has `width` packed rows, a cross-moment as many whole ones, a diagonal one row. */
const layouts: Readonly<Record<Statistic["kind"], (width: number) => Layout>> = {
  gram: packedLayout,
  diagonal: (width) => denseLayout(1, width),
  "cross-moment": (width) => denseLayout(width, width),
};

const isKind = (kind: string): kind is Statistic["kind"] => Object.hasOwn(layouts, kind);

/** @throws {BadDataError} on a mean over no tokens, negative mean squares, or values that are not finite */
function requireMeans(what: string, layout: Layout, { kind, tokens, width, values }: Statistic): void {
  const name = { what, remedy: "capture again" };
  if (tokens < 1) throw new BadDataError(`${what}: it is a mean over ${tokens} tokens; ${name.remedy}`, { what });
  if (kind === "diagonal") return requireMeanSquares(name, values);
  if (kind === "gram") requireMeanSquares(name, packedDiagonal(values, width));
  requireFinite(name, layout, values);
}

async function* toRows(items: Items<Statistic>): AsyncGenerator<Row<"statistics">> {
  for await (const statistic of items) {
    const { block, site, language, kind, tokens, width } = statistic;
    const layout = layouts[kind](width);
    requireLength(`${kind} of ${block} ${site} ${language}`, layout, statistic.values);
    for (const { row, values } of cutPanels(layout, statistic.values)) {
      yield { block, site, language, kind, tokens, width, row, rows: layout.rows, values };
    }
  }
}

async function toRecord(cursor: RowCursor<"statistics">): Promise<Statistic> {
  const first = (await cursor.take()) as Row<"statistics">;
  const { block, site, language, kind, tokens, width } = first;
  const what = `${kind} of ${block} ${site} ${language}`;
  if (!isKind(kind)) {
    const known = Object.keys(layouts).join(", ");
    throw new BadDataError(`statistics of ${block} ${site}: kind ${JSON.stringify(kind)} is none of ${known}`, { block, site });
  }
  const layout = layouts[kind](width);
  requireShape(what, layout.rows, width);
  const sameMatrix = (row: Row<"statistics">) =>
    row.block === block &&
    row.site === site &&
    row.language === language &&
    row.kind === kind &&
    row.tokens === tokens &&
    row.width === width;
  const checked = (row: Row<"statistics">) => {
    if (!sameMatrix(row) || row.rows !== layout.rows) {
      throw new BadDataError(`${what}: the row of ${row.kind} of ${row.block} ${row.site} ${row.language} does not continue it`, {
        what,
      });
    }
    return row;
  };
  const values = await joinPanels(what, layout, checked(first), async () => {
    const row = await cursor.take();
    return row && checked(row);
  });
  const statistic: Statistic = { block, site, language, kind, tokens, width, values };
  requireMeans(what, layout, statistic);
  return statistic;
}

/** Statistics → artifact, in panels. The values are handed over: do not modify them after yielding. */
export const encodeStatistics = (items: Items<Statistic>, metadata: StatisticsMetadata): ArtifactStream =>
  encodeRows("statistics", metadata, toRows(items));

/**
 * The statistics of an artifact, one whole matrix a record.
 *
 * In those of shards a Gram of all languages is a part of a sum: each language has the weight that its tokens there have in the
 * whole mix.
 *
 * @param options shards: whether statistics of some shards alone are wanted too
 * @throws {FailedPreconditionError} on statistics of some shards, unless they are wanted
 * @throws {BadDataError} on panels that do not fit together, or invalid means
 */
export function readStatistics(
  stream: ArtifactStream,
  { shards: wanted = false }: { readonly shards?: boolean } = {},
): AsyncIterable<Statistic> {
  const records = readRecords("statistics", stream, toRecord);
  if (wanted) return records;
  const { shards } = parseMetadata("statistics", stream.schema);
  if (shards === undefined) return records;
  throw new FailedPreconditionError(
    `these statistics are of ${shards.count} of ${shards.of} shards of the segments; add all of them first (mbs add)`,
    { ...shards },
  );
}
