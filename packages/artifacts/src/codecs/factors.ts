import { BadDataError, InternalError, type ArtifactStream } from "@mbs/contracts";
import { canonicalJson, shapeFault, parseJson } from "../json.ts";
import type { FactorsMetadata } from "../kinds/metadata.ts";
import type { FactorRecord, FactorSummary, LanguageDiagonalRecord } from "../kinds/records.ts";
import { cutPanels, denseLayout, joinPanels, packedLayout, type Layout } from "../rows/panels.ts";
import { encodeRows, type Items, readRecords, type Row, type RowCursor } from "../rows/rows.ts";
import { requireFactor } from "./checks/factor-checks.ts";
import { findMisplaced, requireLength, requireShape } from "./checks/matrix-checks.ts";

const summaryShape = {
  tokens: "count",
  weights: "weights",
  orderName: "text",
  requestedDamping: "amount",
  damping: "amount",
  precision: "text",
  retries: "count",
  dead: "list",
  factorised: "flag",
  fallback: "text?",
  reached: "count?",
  starved: "text?",
} as const;

/** The languages that have a diagonal of their own where languages have one: a row each, in this order. */
const languagesOf = ({ weights }: FactorSummary): string[] =>
  Object.entries(weights)
    .flatMap(([language, weight]) => (weight > 0 ? [language] : []))
    .sort();

function layoutOf(part: string, width: number, summary: FactorSummary): Layout {
  if (part === "gram" || part === "upper") return packedLayout(width);
  if (part === "cross-moment") return denseLayout(width, width);
  return denseLayout(part === "languages" ? languagesOf(summary).length : 1, width);
}

const empty = new Float32Array(0);

/** The diagonals of the languages below each other, [languages, width]. */
function stackDiagonals(what: string, summary: FactorSummary, diagonals: readonly LanguageDiagonalRecord[]): Float32Array {
  const expected = languagesOf(summary).join(", ");
  const found = diagonals.map(({ language }) => language).join(", ");
  if (found !== expected) throw new InternalError(`${what}: it has diagonals of ${found} instead of ${expected}`, { what });
  const stacked = new Float32Array(diagonals.reduce((sum, { values }) => sum + values.length, 0));
  let start = 0;
  for (const { values } of diagonals) {
    stacked.set(values, start);
    start += values.length;
  }
  return stacked;
}

async function* toRows(items: Items<FactorRecord>): AsyncGenerator<Row<"factors">> {
  for await (const { block, site, width, summary, order, diagonal, gram, crossMoment, upper, languageDiagonals } of items) {
    const what = `factor of ${block} ${site}`;
    const wrong = shapeFault(summaryShape, summary);
    if (wrong !== undefined) throw new InternalError(`${what}: ${wrong}`, { block, site });
    if (summary.factorised !== (upper !== undefined)) {
      throw new InternalError(`${what}: upper must be there exactly when the summary says factorised`, { block, site });
    }
    yield { block, site, part: "summary", width, row: 0, rows: 0, values: empty, info: canonicalJson(summary) };
    const languages = languageDiagonals && stackDiagonals(what, summary, languageDiagonals);
    const parts = { order: Float32Array.from(order), gram, "cross-moment": crossMoment, upper, languages, diagonal };
    for (const [part, matrix] of Object.entries(parts)) {
      if (!matrix) continue;
      const layout = layoutOf(part, width, summary);
      requireLength(`${part} of the ${what}`, layout, matrix);
      for (const { row, values } of cutPanels(layout, matrix)) {
        yield { block, site, part, width, row, rows: layout.rows, values, info: "" };
      }
    }
  }
}

function parseSummary(what: string, row: Row<"factors">): FactorSummary {
  if (row.part !== "summary")
    throw new BadDataError(`${what}: begins with ${JSON.stringify(row.part)} instead of its summary; factor again`, { what });
  const summary = parseJson(row.info);
  const wrong = shapeFault(summaryShape, summary);
  if (wrong !== undefined) throw new BadDataError(`${what}: ${wrong}; factor again`, { what });
  return summary as FactorSummary;
}

function parseOrder(what: string, values: Float32Array): Int32Array {
  const position = findMisplaced(values);
  if (position >= 0) {
    throw new BadDataError(`${what}: the order is no permutation at position ${position}; factor again`, { what, position });
  }
  return Int32Array.from(values);
}

async function toRecord(cursor: RowCursor<"factors">): Promise<FactorRecord> {
  const head = (await cursor.take()) as Row<"factors">;
  const { block, site, width } = head;
  const what = `factor of ${block} ${site}`;
  const summary = parseSummary(what, head);
  requireShape(what, width, width);
  const matrix = async (part: string): Promise<Float32Array> => {
    const layout = layoutOf(part, width, summary);
    const take = async () => {
      const row = await cursor.take();
      if (
        row &&
        (row.block !== block || row.site !== site || row.part !== part || row.width !== width || row.rows !== layout.rows)
      ) {
        throw new BadDataError(`${what}: expected its ${part}, found ${row.part} of ${row.block} ${row.site}; factor again`, {
          what,
          part,
        });
      }
      return row;
    };
    const first = await take();
    if (!first) throw new BadDataError(`${what}: the artifact ends before its ${part}; factor again`, { what, part });
    return joinPanels(`${part} of the ${what}`, layout, first, take);
  };
  const optional = async (part: string) => ((await cursor.peek())?.part === part ? matrix(part) : undefined);
  const order = parseOrder(what, await matrix("order"));
  const gram = await optional("gram");
  const crossMoment = await optional("cross-moment");
  const upper = summary.factorised ? await matrix("upper") : undefined;
  const stacked = await optional("languages");
  const languageDiagonals =
    stacked &&
    languagesOf(summary).map((language, row) => ({ language, values: stacked.subarray(row * width, (row + 1) * width) }));
  const diagonal = await matrix("diagonal");
  const record: FactorRecord = {
    block,
    site,
    width,
    summary,
    order,
    diagonal,
    ...(gram && { gram }),
    ...(crossMoment && { crossMoment }),
    ...(upper && { upper }),
    ...(languageDiagonals && { languageDiagonals }),
  };
  requireFactor(what, record);
  return record;
}

/**
 * Factors → artifact: for each its summary, order, gram, cross-moment, upper and diagonals of languages where they are, and
 * last the diagonal, in panels.
 * The values are handed over: do not modify them after yielding.
 */
export const encodeFactors = (items: Items<FactorRecord>, metadata: FactorsMetadata): ArtifactStream =>
  encodeRows("factors", metadata, toRows(items));

/**
 * The factors of an artifact.
 *
 * @throws {BadDataError} on parts that do not fit together, or an invalid factor
 */
export const readFactors = (stream: ArtifactStream): AsyncIterable<FactorRecord> => readRecords("factors", stream, toRecord);
