import type { PointTables } from "@mbs/numbers";
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
