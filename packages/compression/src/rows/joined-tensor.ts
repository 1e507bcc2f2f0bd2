import type { LayerRecord, LayerSummary, TensorData } from "@mbs/artifacts";
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

const inRows = ["values", "mask", "codes", "scales", "zeros", "blocks"] as const;

/**
 * One tensor from the layers of its rows, or a part of it that is one again.
 *
 * @param parts in the order of the rows
 * @param begin the first row of the part; undefined for a whole tensor
 * @throws {BadDataError} where rows are missing, or the parts are of different forms
 */
export function joinTensor(parts: readonly LayerRecord[], begin?: number): LayerRecord {
  const first = at(parts, 0);
  const { firstRow: _, tensorRows, output: __, ...form } = first.summary;
  let rows = begin ?? 0;
  for (const part of parts) {
    if (part.summary.firstRow !== rows || part.summary.tensorRows !== tensorRows) {
      refusePart(first, `its part begins with row ${part.summary.firstRow}, and the rows before it are ${rows}`);
    }
    for (const key of [...inRows, "groups"] as const) {
      if ((part[key] === undefined) !== (first[key] === undefined))
        refusePart(first, `one of its parts has ${key} and another none`);
    }
    rows += part.values.rows;
  }
  if (begin === undefined && rows !== tensorRows) refusePart(first, `its parts have ${rows} of ${tensorRows} rows`);
  const sum = (valueOf: (summary: LayerSummary, part: LayerRecord) => number): number =>
    parts.reduce((total, part) => total + valueOf(part.summary, part), 0);
  const error = sum(({ error: own }) => own);
  const output = sum(({ output: own = 0 }) => own);
  const joined = inRows.flatMap((key) => {
    const found = parts.flatMap((part) => part[key] ?? []);
    return found.length === 0 ? [] : [[key, joinRows(found)] as const];
  });
  return {
    ...first,
    ...Object.fromEntries(joined),
    summary: {
      ...form,
      error,
      damage: output > 0 ? error / output : 0,
      sparsity: sum(({ sparsity }, { values }) => sparsity * values.rows) / (rows - (begin ?? 0)),
      ...(begin !== undefined && { firstRow: begin, ...(tensorRows !== undefined && { tensorRows }), output }),
    },
  };
}
