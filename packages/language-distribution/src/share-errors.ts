/** How far estimated shares are from known ones, over the languages that both have, each side summing to 1 over them. */
export interface ShareErrors {
  readonly languages: number;
  /** Mean of |estimate − known|. */
  readonly meanAbsolute: number;
  /** log₁₀ of the mean of (estimate − known)², the measure of arXiv 2407.16607. */
  readonly log10MeanSquared: number;
  /** The language that is farthest off, and by how much. */
  readonly largest: { readonly language: string; readonly error: number };
  /** exp of the mean of |ln(estimate / known)|: 1.1 is 10% off, small languages as heavy as large ones; infinite for a share of 0. */
  readonly meanFactor: number;
}

const mean = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0) / values.length;

/** @returns undefined where no language is common */
export function shareErrors(estimated: ReadonlyMap<string, number>, known: ReadonlyMap<string, number>): ShareErrors | undefined {
  const common = [...known.keys()].filter((language) => estimated.has(language));
  if (common.length === 0) return undefined;
  const over = (shares: ReadonlyMap<string, number>): number[] => {
    const values = common.map((language) => shares.get(language) ?? 0);
    const sum = values.reduce((total, share) => total + share, 0);
    return values.map((share) => share / sum);
  };
  const [own, other] = [over(estimated), over(known)];
  const errors = own.map((share, index) => share - other[index]);
  const largest = errors.reduce((worst, error, index) => (Math.abs(error) > Math.abs(errors[worst]) ? index : worst), 0);
  return {
    languages: common.length,
    meanAbsolute: mean(errors.map(Math.abs)),
    log10MeanSquared: Math.log10(mean(errors.map((error) => error * error))),
    largest: { language: common[largest], error: errors[largest] },
    meanFactor: Math.exp(mean(own.map((share, index) => Math.abs(Math.log(share / other[index]))))),
  };
}
