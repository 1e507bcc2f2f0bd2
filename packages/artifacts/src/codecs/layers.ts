import { BadDataError, FailedPreconditionError, InternalError, type ArtifactStream } from "@mbs/contracts";
import { canonicalJson, shapeFault, parseJson } from "../json.ts";
import { parseMetadata } from "../kinds/metadata.ts";
import type { LayersMetadata } from "../kinds/metadata.ts";
import type { LayerRecord, LayerSummary, TensorData, TensorDtype } from "../kinds/records.ts";
import { cutPanels, denseLayout, joinPanels, type Layout } from "../rows/panels.ts";
import { encodeRows, type Items, readRecords, type Row, type RowCursor } from "../rows/rows.ts";
import { requireLayer } from "./checks/layer-checks.ts";
import { requireLength, requireShape } from "./checks/matrix-checks.ts";

const summaryShape = {
  solver: "text",
  error: "amount",
  damage: "amount",
  moment: "text?",
  sparsity: "share",
  bits: "count?",
  groupSize: "count?",
  symmetric: "flag?",
  grid: "text?",
  fallback: "text?",
  standIn: "text?",
  firstRow: "count?",
  tensorRows: "count?",
  output: "amount?",
} as const;

const bitsOf: Readonly<Record<TensorDtype, number>> = { f32: 32, f16: 16, bf16: 16, u8: 8, u1: 1, i32: 32 };

/** The parts that may be absent and their names in a record, in their order. */
const optionalParts = [
  ["mask", "mask"],
  ["codes", "codes"],
  ["scales", "scales"],
  ["zeros", "zeros"],
  ["groups", "groups"],
  ["block-columns", "blockColumns"],
  ["input-scale", "inputScale"],
] as const;

/** The parts of which each layer has one, as its last. */
const lastParts = [
  ["values", "values"],
  ["blocks", "blocks"],
] as const;

const allParts = [...optionalParts, ...lastParts];

const isDtype = (dtype: string): dtype is TensorDtype => Object.hasOwn(bitsOf, dtype);

/** Bytes, each row padded to whole ones. */
const layoutOf = (dtype: TensorDtype, rows: number, columns: number): Layout =>
  denseLayout(rows, Math.ceil((columns * bitsOf[dtype]) / 8));

async function* toRows(items: Items<LayerRecord>): AsyncGenerator<Row<"layers">> {
  for await (const layer of items) {
    const { block, site, tensor, summary } = layer;
    const wrong = shapeFault(summaryShape, summary);
    if (wrong !== undefined) throw new InternalError(`layer ${tensor}: ${wrong}`, { tensor });
    if ((layer.values === undefined) === (layer.blocks === undefined)) {
      throw new InternalError(`layer ${tensor}: either values or blocks say what is written`, { tensor });
    }
    const head = { block, site, tensor };
    yield {
      ...head,
      part: "summary",
      dtype: "",
      row: 0,
      rows: 0,
      columns: 0,
      data: new Uint8Array(0),
      info: canonicalJson(summary),
    };
    for (const [part, key] of allParts) {
      const matrix = layer[key];
      if (!matrix) continue;
      const { dtype, rows, columns } = matrix;
      const layout = layoutOf(dtype, rows, columns);
      requireLength(`${part} of layer ${tensor}`, layout, matrix.data);
      for (const { row, values } of cutPanels(layout, matrix.data)) {
        yield { ...head, part, dtype, row, rows, columns, data: values, info: "" };
      }
    }
  }
}

function parseSummary(row: Row<"layers">): LayerSummary {
  if (row.part !== "summary") {
    throw new BadDataError(
      `layer ${row.tensor}: begins with ${JSON.stringify(row.part)} instead of its summary; compress again`,
      {
        tensor: row.tensor,
      },
    );
  }
  const summary = parseJson(row.info);
  const wrong = shapeFault(summaryShape, summary);
  if (wrong !== undefined) throw new BadDataError(`layer ${row.tensor}: ${wrong}; compress again`, { tensor: row.tensor });
  return summary as LayerSummary;
}

async function toRecord(cursor: RowCursor<"layers">): Promise<LayerRecord> {
  const head = (await cursor.take()) as Row<"layers">;
  const { block, site, tensor } = head;
  const summary = parseSummary(head);

  const take = async (part: string) => {
    const row = await cursor.take();
    if (row && (row.block !== block || row.site !== site || row.tensor !== tensor || row.part !== part)) {
      throw new BadDataError(`layer ${tensor}: expected its ${part}, found ${row.part} of ${row.tensor}; compress again`, {
        tensor,
        part,
      });
    }
    return row;
  };
  const matrix = async (part: string): Promise<TensorData> => {
    const first = await take(part);
    if (!first) throw new BadDataError(`layer ${tensor}: the artifact ends before its ${part}; compress again`, { tensor, part });
    const { dtype, rows, columns } = first;
    const what = `${part} of layer ${tensor}`;
    if (!isDtype(dtype))
      throw new BadDataError(`${what}: unknown dtype ${JSON.stringify(dtype)}; compress again`, { tensor, part, dtype });
    requireShape(what, rows, columns);
    const panel = { row: first.row, values: first.data };
    const data = await joinPanels(what, layoutOf(dtype, rows, columns), panel, async () => {
      const row = await take(part);
      if (row && (row.dtype !== dtype || row.rows !== rows || row.columns !== columns)) {
        throw new BadDataError(`${what}: its panels disagree on dtype or shape; compress again`, { tensor, part });
      }
      return row && { row: row.row, values: row.data };
    });
    return { dtype, rows, columns, data };
  };

  const parts: Partial<Record<(typeof allParts)[number][1], TensorData>> = {};
  for (const [part, key] of optionalParts) {
    if ((await cursor.peek())?.part === part) parts[key] = await matrix(part);
  }
  const last = (await cursor.peek())?.part === "blocks" ? "blocks" : "values";
  parts[last] = await matrix(last);
  const layer: LayerRecord = { block, site, tensor, summary, ...parts };
  requireLayer(layer);
  return layer;
}

/**
 * Layers → artifact: for each its summary, the optional parts, and last the values or blocks, in panels.
 * The bytes are handed over: do not modify them after yielding.
 */
export const encodeLayers = (items: Items<LayerRecord>, metadata: LayersMetadata): ArtifactStream =>
  encodeRows("layers", metadata, toRows(items));

/**
 * The layers of an artifact.
 *
 * @param options parts: whether layers of a part of the rows alone are wanted too
 * @throws {FailedPreconditionError} on layers of a part of the rows, unless they are wanted
 * @throws {BadDataError} on parts that do not fit together, or an invalid layer
 */
export function readLayers(
  stream: ArtifactStream,
  { parts: wanted = false }: { readonly parts?: boolean } = {},
): AsyncIterable<LayerRecord> {
  const records = readRecords("layers", stream, toRecord);
  if (wanted) return records;
  const { rowParts } = parseMetadata("layers", stream.schema);
  if (rowParts === undefined) return records;
  throw new FailedPreconditionError(
    `these layers are of part ${rowParts.first + 1} of ${rowParts.of} of the rows; join all parts first (mbs join-layers)`,
    { ...rowParts },
  );
}
