import { createHash } from "node:crypto";
import type { Score } from "@mbs/artifacts";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { sumLosses, type LossSums } from "./language-losses.ts";

/** How often the windows of a language are drawn anew. */
export const resamples = 1000;

/**
 * Sums over as many windows as there are, drawn with replacement, `resamples` times.
 *
 * The draws depend on seed, language and the number of windows alone: models that were scored on the same windows are
 * summed over the same draws, so that their differences are paired.
 */
export function resampleSums(windows: readonly Score[], language: string, seed: number): readonly LossSums[] {
  const generator = xoroshiro128plus(
    createHash("sha256")
      .update(JSON.stringify([seed, language]))
      .digest()
      .readInt32LE(0),
  );
  const picks = new Int32Array(windows.length);
  return Array.from({ length: resamples }, () => {
    for (let index = 0; index < picks.length; index++) picks[index] = uniformInt(generator, 0, windows.length - 1);
    return sumLosses(windows, picks);
  });
}
