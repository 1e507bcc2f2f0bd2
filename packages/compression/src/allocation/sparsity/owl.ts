import { InternalError, type SiteWeight } from "@mbs/contracts";
import { defineSparsityMethod, spreadOption } from "./sparsity-method.ts";

/** Wanda's scores |w|·√E[x²] of a weight, row by row. */
function* scoresOf({ columns, values }: SiteWeight, diagonal: Float32Array): Generator<number, void> {
  const norms = diagonal.map(Math.sqrt);
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    const norm = norms[index % columns];
    if (value === undefined || norm === undefined)
      throw new InternalError(`the weight has ${columns} columns, its input ${norms.length}`);
    yield Math.abs(value) * norm;
  }
}

/** OWL: a block with more outliers among Wanda's scores keeps more of its weights. */
export const owl = defineSparsityMethod({
  name: "owl",
  source: "https://arxiv.org/abs/2310.05175",
  summary: "blocks with more outliers in Wanda's scores keep more",
  options: {
    ...spreadOption,
    outlier: {
      kind: "number",
      description: "a score is an outlier above this many times the block's mean (OWL's M)",
      default: 5,
      above: 0,
    },
  },
  async importance(sites, { outlier }) {
    let sum = 0;
    let count = 0;
    for (const { record, weight } of sites) {
      const site = await weight();
      for (const score of scoresOf(site, record.diagonal)) sum += score;
      count += site.values.length;
    }
    const threshold = (outlier * sum) / Math.max(count, 1);
    let outliers = 0;
    for (const { record, weight } of sites) {
      for (const score of scoresOf(await weight(), record.diagonal)) if (score > threshold) outliers += 1;
    }
    return outliers / Math.max(count, 1);
  },
  spread: ({ spread }) => spread,
});
