import type { DamageRecord } from "./kinds/records.ts";

/** Language → predicted damage: the mean over tensors of tr(ΔW H ΔWᵀ) / tr(W H Wᵀ), H of this language. */
export type DamageByLanguage = ReadonlyMap<string, number>;

/** The mean damage of each language, languages sorted; every tensor counts the same, however large its outputs are. */
export function damageByLanguage(records: Iterable<DamageRecord>): DamageByLanguage {
  const sums = new Map<string, { total: number; tensors: number }>();
  for (const { language, damage } of records) {
    const { total, tensors } = sums.get(language) ?? { total: 0, tensors: 0 };
    sums.set(language, { total: total + damage, tensors: tensors + 1 });
  }
  const means = [...sums].map(([language, { total, tensors }]) => [language, total / tensors] as const);
  return new Map(means.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Σ wₗ·damageₗ / Σ wₗ; languages without a weight do not count. */
export function weightedDamage(damages: DamageByLanguage, weights: ReadonlyMap<string, number>): number {
  const entries = [...damages].map(([language, damage]) => [weights.get(language) ?? 0, damage] as const);
  const sum = entries.reduce((total, [weight]) => total + weight, 0);
  return entries.reduce((total, [weight, damage]) => total + weight * damage, 0) / sum;
}
