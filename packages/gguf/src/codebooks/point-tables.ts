import type { NearestTables, PointTables } from "@mbs/numbers";
import { pointBits, signedSizes, type Codebook } from "./codebooks.ts";

/** The points as a tree: for each prefix of one, the node of each next size, or -1. Depth 0 is node 0. */
function treeOf(codebook: Codebook): Int16Array {
  const { width, sizes, points } = codebook;
  const bits = pointBits(codebook);
  const mask = (1 << bits) - 1;
  const next: number[] = Array.from(sizes, () => -1);
  for (const point of points) {
    let node = 0;
    for (let column = 0; column < width; column += 1) {
      const place = node * sizes.length + ((point >> (column * bits)) & mask);
      // all that the last size of a point needs is that it is there
      if (column === width - 1) next[place] = 0;
      else if (next[place] === -1) {
        next[place] = next.length / sizes.length;
        for (let size = 0; size < sizes.length; size += 1) next.push(-1);
      }
      node = next[place]!;
    }
  }
  return Int16Array.from(next);
}

/** What a search for a codebook's points goes through. */
export function pointTables(codebook: Codebook): PointTables {
  const { width, evenSigns } = codebook;
  return { span: evenSigns ? 8 : width, width, levels: signedSizes(codebook), tree: treeOf(codebook), evenSigns };
}

/** What the search for the points nearest to values goes through. */
export function nearestTables(codebook: Codebook): NearestTables {
  const { width, subColumns, sizes, points, evenSigns } = codebook;
  const bits = pointBits(codebook);
  const numberOf = (point: number, first: number): number => {
    let number = 0;
    for (let column = width / 2 - 1; column >= 0; column -= 1) {
      number = number * sizes.length + ((point >> ((first + column) * bits)) & ((1 << bits) - 1));
    }
    return number;
  };
  const pairs = Array.from(points, (point) => [numberOf(point, 0), numberOf(point, width / 2)] as const).sort(
    ([a, b], [c, d]) => a - c || b - d,
  );
  const firsts = [...new Set(pairs.map(([first]) => first))];
  return {
    width,
    columns: subColumns,
    sizes,
    evenSigns,
    firsts: Uint8Array.from(firsts),
    starts: Uint16Array.from([...firsts.map((own) => pairs.findIndex(([first]) => first === own)), pairs.length]),
    seconds: Uint8Array.from(pairs, ([, second]) => second),
  };
}
