import { at, type QuantisedWeight, type SiteWeight, type Solution } from "@mbs/contracts";

/** Neighbouring rows of a site. */
export interface RowRange {
  readonly firstRow: number;
  readonly rows: number;
}

/** Some rows of a site as a weight of their own, with a copy of their values. */
export function rowsOf(weight: SiteWeight, { firstRow, rows }: RowRange): SiteWeight {
  const { columns, values } = weight;
  const end = firstRow + rows;
  const parts = weight.parts.flatMap((part) => {
    const first = Math.max(part.firstRow, firstRow);
    const last = Math.min(part.firstRow + part.rows, end);
    return first < last ? [{ ...part, firstRow: first - firstRow, rows: last - first }] : [];
  });
  return { ...weight, rows, parts, values: values.slice(firstRow * columns, end * columns) };
}

function joinArrays<Values extends Float32Array | Uint8Array>(
  parts: readonly Values[],
  empty: (length: number) => Values,
): Values {
  const joined = empty(parts.reduce((length, part) => length + part.length, 0));
  let start = 0;
  for (const part of parts) {
    joined.set(part, start);
    start += part.length;
  }
  return joined;
}

const joinFloats = (parts: readonly Float32Array[]): Float32Array => joinArrays(parts, (length) => new Float32Array(length));
const joinBytes = (parts: readonly Uint8Array[]): Uint8Array => joinArrays(parts, (length) => new Uint8Array(length));

function joinQuantised(parts: readonly QuantisedWeight[]): QuantisedWeight {
  return {
    ...at(parts, 0),
    codes: joinBytes(parts.map(({ codes }) => codes)),
    scales: joinFloats(parts.map(({ scales }) => scales)),
    zeros: joinBytes(parts.map(({ zeros }) => zeros)),
  };
}

/** The solution of a site from those of all its rows, in their order, by a solver whose rows are independent. */
export function joinRows(solutions: readonly Solution[]): Solution {
  const quantised = solutions.flatMap((solution) => solution.quantised ?? []);
  const masks = solutions.flatMap(({ mask }) => mask ?? []);
  const blocks = solutions.flatMap((solution) => solution.blocks ?? []);
  return {
    values: joinFloats(solutions.map(({ values }) => values)),
    ...(quantised.length > 0 && { quantised: joinQuantised(quantised) }),
    ...(masks.length > 0 && { mask: joinBytes(masks) }),
    ...(blocks.length > 0 && { blocks: joinBytes(blocks) }),
  };
}
