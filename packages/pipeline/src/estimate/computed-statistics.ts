import type { DecidedRecipe } from "../recipe/decided-recipe.ts";

/** What a run computes of the inputs of its sites. Bytes are of artifacts. */
export interface ComputedStatistics {
  /** False where the solver needs none: no block of the model is run to compress it. */
  readonly any: boolean;
  /** Whether Grams are summed; else mean squares of channels alone. */
  readonly gram: boolean;
  /** Whether Hessians are factorised. */
  readonly upper: boolean;
  /** Bytes of a site's statistics of some languages. */
  readonly statisticBytes: (width: number, languages: number) => number;
  /** Bytes of a site's factor. */
  readonly factorBytes: (width: number) => number;
}

/** Bytes of the packed upper half of a Gram. */
export const packedBytes = (width: number): number => (width * (width + 1) * 4) / 2;

/** What a recipe leaves open is the default of the stages. */
export function computedStatistics({ capture, factor, compress, decisions: { denseStates } }: DecidedRecipe): ComputedStatistics {
  const any = compress["withoutFactors"] !== true;
  const gram = any && capture["statistics"] !== "diagonal";
  const isPooled = capture["grams"] === "pooled";
  const upper = gram && factor["upper"] !== "off";
  const crossBytes = (width: number): number => (denseStates ? 4 * width * width : 0);
  const momentBytes = (width: number): number => (gram ? packedBytes(width) + crossBytes(width) : 4 * width);
  return {
    any,
    gram,
    upper,
    statisticBytes: (width, languages) => {
      if (!any) return 0;
      return gram && isPooled ? momentBytes(width) + 4 * width * languages : momentBytes(width) * languages;
    },
    factorBytes: (width) => (any ? momentBytes(width) + (upper ? packedBytes(width) : 0) : 0),
  };
}
