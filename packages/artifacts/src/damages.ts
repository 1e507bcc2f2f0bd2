import type { LanguageError } from "./records.ts";

/** Language → predicted relative damage: the mean over tensors of tr(ΔW H ΔWᵀ) / tr(W H Wᵀ), H of this language. */
export type Damages = ReadonlyMap<string, number>;

/** The damage that errors make up, languages sorted; every tensor counts the same, however large its outputs are. */
export function damagesOf(errors: Iterable<LanguageError>): Damages {
  const sums = new Map<string, { total: number; tensors: number }>();
  for (const { language, relative } of errors) {
    const { total, tensors } = sums.get(language) ?? { total: 0, tensors: 0 };
    sums.set(language, { total: total + relative, tensors: tensors + 1 });
  }
  const damages = [...sums].map(([language, { total, tensors }]) => [language, total / tensors] as const);
  return new Map(damages.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Σ wₗ·damageₗ / Σ wₗ; languages without a weight do not count. */
export function weightedDamage(damages: Damages, weights: ReadonlyMap<string, number>): number {
  const entries = [...damages].map(([language, damage]) => [weights.get(language) ?? 0, damage] as const);
  const sum = entries.reduce((total, [weight]) => total + weight, 0);
  return entries.reduce((total, [weight, damage]) => total + weight * damage, 0) / sum;
}
