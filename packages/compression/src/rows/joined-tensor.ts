import { layerShape, type LayerRecord, type LayerSummary, type TensorData } from "@mbs/artifacts";
import { at, BadDataError } from "@mbs/contracts";

function joinRows(parts: readonly TensorData[]): TensorData {
  const { dtype, columns } = at(parts, 0);
  const data = new Uint8Array(parts.reduce((sum, part) => sum + part.data.length, 0));
  let start = 0;
  for (const part of parts) {
    data.set(part.data, start);
    start += part.data.length;
  }
  return { dtype, rows: parts.reduce((sum, { rows }) => sum + rows, 0), columns, data };
}

export const refusePart = ({ tensor }: LayerRecord, fault: string): never => {
  throw new BadDataError(`layer ${tensor}: ${fault}; compress its parts again`, { tensor });
};

/** What a layer holds for each of its rows. */
export const inRows = ["values", "mask", "codes", "scales", "zeros", "blocks"] as const;

/**
 * What the summaries of some rows say of all.
 *
 * @param begin the first of them in their tensor; undefined for a whole tensor
 */
export function joinSummaries(
  parts: readonly { readonly summary: LayerSummary; readonly rows: number }[],
  begin?: number,
): LayerSummary {
  const { firstRow: _, tensorRows, output: __, ...form } = at(parts, 0).summary;
  const sum = (valueOf: (summary: LayerSummary, rows: number) => number): number =>
    parts.reduce((total, { summary, rows }) => total + valueOf(summary, rows), 0);
  const error = sum(({ error: own }) => own);
  const output = sum(({ output: own = 0 }) => own);
  const replaced = parts.find(({ summary }) => summary.fallback !== undefined);
  return {
    ...form,
    ...(replaced && { fallback: replaced.summary.fallback }),
    error,
    damage: output > 0 ? error / output : 0,
    sparsity: sum(({ sparsity }, rows) => sparsity * rows) / sum((_, rows) => rows),
    ...(begin !== undefined && { firstRow: begin, ...(tensorRows !== undefined && { tensorRows }), output }),
  };
}

/**
 * One tensor from the layers of its rows.
 *
 * @param parts in the order of the rows
 * @throws {BadDataError} where rows are missing, or the parts are of different forms
 */
export function joinTensor(parts: readonly LayerRecord[]): LayerRecord {
  const first = at(parts, 0);
  const { tensorRows } = first.summary;
  let rows = 0;
  for (const part of parts) {
    if (part.summary.firstRow !== rows || part.summary.tensorRows !== tensorRows) {
      refusePart(first, `its part begins with row ${part.summary.firstRow}, and the rows before it are ${rows}`);
    }
    for (const key of [...inRows, "groups", "blockColumns"] as const) {
      if ((part[key] === undefined) !== (first[key] === undefined))
        refusePart(first, `one of its parts has ${key} and another none`);
    }
    rows += layerShape(part).rows;
  }
  if (rows !== tensorRows) refusePart(first, `its parts have ${rows} of ${tensorRows} rows`);
  const joined = inRows.flatMap((key) => {
    const found = parts.flatMap((part) => part[key] ?? []);
    return found.length === 0 ? [] : [[key, joinRows(found)] as const];
  });
  const summary = joinSummaries(parts.map((part) => ({ summary: part.summary, rows: layerShape(part).rows })));
  return { ...first, ...Object.fromEntries(joined), summary };
}
