import type { FactorRecord } from "@mbs/artifacts";
import { at, BadDataError } from "@mbs/contracts";
import { defineSparsityMethod, spreadOption } from "./sparsity-method.ts";

/** √E[x²] of each channel less its mean, scaled to length 1; zeros where all channels are alike. */
function standardise(diagonal: Float32Array): Float64Array {
  const norms = Float64Array.from(diagonal, Math.sqrt);
  const mean = norms.reduce((sum, norm) => sum + norm, 0) / norms.length;
  const centred = norms.map((norm) => norm - mean);
  const length = Math.hypot(...centred);
  return length > 0 ? centred.map((value) => value / length) : centred;
}

/** Mean Pearson correlation, over pairs of languages, of their input norms. */
function siteCorrelation({ block, site, languageDiagonals }: FactorRecord): number {
  if (!languageDiagonals) {
    throw new BadDataError(`${block} ${site}: the factor has no diagonals of languages; factor with --language-diagonals`, {
      block,
      site,
    });
  }
  const [first, second] = languageDiagonals;
  const count = languageDiagonals.length;
  if (first === undefined || second === undefined) {
    throw new BadDataError(
      `${block} ${site}: correlation needs two languages, the mix has ${count}; sample more, or allocate with --method owl`,
      { block, site },
    );
  }
  // the sum over pairs of unit vectors, by the square of their sum
  const sum = new Float64Array(first.values.length);
  let own = 0;
  for (const { values } of languageDiagonals) {
    const unit = standardise(values);
    for (const [channel, value] of unit.entries()) {
      sum[channel] = at(sum, channel) + value;
      own += value * value;
    }
  }
  const all = sum.reduce((total, value) => total + value * value, 0);
  return (all - own) / (count * (count - 1));
}

/**
 * After M-Wanda's correlation-weighted layer sparsity: how alike languages use the inputs of a block decides what it keeps.
 * docs/measured/multilingual-pruning.md says what of the paper this is.
 */
export const correlation = defineSparsityMethod({
  name: "correlation",
  source: "https://arxiv.org/abs/2505.21171",
  summary: "blocks whose inputs languages use more alike keep more",
  options: {
    ...spreadOption,
    favour: {
      kind: "choice",
      choices: ["shared", "specific"],
      description: "which blocks keep more: those that languages use alike, or those that they use differently",
      default: "shared",
    },
  },
  async importance(sites, { favour }) {
    const mean = sites.reduce((sum, { record }) => sum + siteCorrelation(record), 0) / sites.length;
    return favour === "shared" ? mean : -mean;
  },
  spread: ({ spread }) => spread,
});
