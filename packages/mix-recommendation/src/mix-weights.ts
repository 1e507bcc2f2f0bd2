import type { LanguageMix } from "@mbs/contracts";

/** What each language's log weight is to change by, on any scale. */
export type Direction = ReadonlyMap<string, number>;

/** Least weight of a language in a search: multiplied from 0 it could never grow again. */
const leastWeight = 1e-4;

const sumOf = (mix: LanguageMix): number => [...mix.values()].reduce((sum, weight) => sum + weight, 0);

/** A weight with three digits, so that the printed mix is exactly the one that was tried. */
const short = (weight: number): number => Number(weight.toPrecision(3));

/** Weights that add up to 1 but for their rounding to three digits. */
export function tidyMix(mix: LanguageMix): LanguageMix {
  const sum = sumOf(mix);
  return new Map([...mix].map(([language, weight]) => [language, short(weight / sum)]));
}

/** A step of multiplicative weights: wₗ·exp(step·directionₗ), on the simplex, none below 0.0001. */
export function shiftMix(mix: LanguageMix, direction: Direction, step: number): LanguageMix {
  const moved = new Map(
    [...mix].map(([language, weight]) => [
      language,
      Math.max(weight, leastWeight) * Math.exp(step * (direction.get(language) ?? 0)),
    ]),
  );
  const least = leastWeight * sumOf(moved);
  return tidyMix(new Map([...moved].map(([language, weight]) => [language, Math.max(weight, least)])));
}
