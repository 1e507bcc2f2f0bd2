import type { LanguageError } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";

/** Language → predicted relative damage: the mean over tensors of tr(ΔW H ΔWᵀ) / tr(W H Wᵀ), H of this language. */
export type Damages = ReadonlyMap<string, number>;

/** @throws {BadDataError} where nothing was predicted */
export function damagesOf(errors: readonly LanguageError[]): Damages {
  const languages = [...new Set(errors.map(({ language }) => language))].sort();
  if (languages.length === 0) throw new BadDataError("mix: no layer was predicted; the statistics hold no site of the model");
  return new Map(
    languages.map((language) => {
      const own = errors.filter((error) => error.language === language);
      return [language, own.reduce((sum, { relative }) => sum + relative, 0) / own.length];
    }),
  );
}

/** The largest damage. */
export const worstDamage = (damages: Damages): number => Math.max(...damages.values());

/** Σ wₗ·damageₗ / Σ wₗ; languages without a weight do not count. */
export function weightedDamage(damages: Damages, weights: ReadonlyMap<string, number>): number {
  const entries = [...damages].map(([language, damage]) => [weights.get(language) ?? 0, damage] as const);
  const sum = entries.reduce((total, [weight]) => total + weight, 0);
  return entries.reduce((total, [weight, damage]) => total + weight * damage, 0) / sum;
}
