import { mean } from "@mbs/numbers";

/** How far estimated shares are from known ones, over the languages that both have, each side summing to 1 over them. */
export interface ShareErrors {
  readonly languages: number;
  /** Mean of |estimate − known|. */
  readonly meanAbsolute: number;
  /** log₁₀ of the mean of (estimate − known)², the measure of arXiv 2407.16607. */
  readonly log10MeanSquared: number;
  /** The language that is farthest off, and by how much. */
  readonly largest: { readonly language: string; readonly error: number };
  /** exp of the mean of |ln(estimate / known)|: 1.1 is 10% off, small languages count as much as large ones; infinite for a share of 0. */
  readonly meanFactor: number;
}

/** @returns undefined where no language is common */
export function shareErrors(estimated: ReadonlyMap<string, number>, known: ReadonlyMap<string, number>): ShareErrors | undefined {
  const common = [...known].flatMap(([language, other]) => {
    const own = estimated.get(language);
    return own === undefined ? [] : [{ language, own, other }];
  });
  if (common.length === 0) return undefined;
  const sumOf = (side: "own" | "other"): number => common.reduce((total, shares) => total + shares[side], 0);
  const sums = { own: sumOf("own"), other: sumOf("other") };
  const compared = common.map(({ language, own, other }) => {
    const [share, truth] = [own / sums.own, other / sums.other];
    return { language, error: share - truth, factor: Math.abs(Math.log(share / truth)) };
  });
  const largest = compared.reduce((worst, next) => (Math.abs(next.error) > Math.abs(worst.error) ? next : worst));
  return {
    languages: common.length,
    meanAbsolute: mean(compared.map(({ error }) => Math.abs(error))),
    log10MeanSquared: Math.log10(mean(compared.map(({ error }) => error * error))),
    largest: { language: largest.language, error: largest.error },
    meanFactor: Math.exp(mean(compared.map(({ factor }) => factor))),
  };
}
