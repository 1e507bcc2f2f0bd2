import { logPerplexity, sumLosses, type Score } from "@mbs/artifacts";
import { percentileInterval, seededGenerator, type Interval } from "@mbs/numbers";
import { uniformInt } from "pure-rand/distribution/uniformInt";

/** How often the windows of a language are resampled. */
export const resamples = 1000;

/**
 * As many windows as there are, drawn with replacement, `resamples` times.
 *
 * The draws depend on seed, language and the number of windows alone: models that were scored on the same windows have the
 * same draws, so that their differences are paired.
 *
 * @returns indices of windows, in one array that the next draw overwrites
 */
export function* drawWindows(windows: number, language: string, seed: number): Generator<Int32Array, void, undefined> {
  const generator = seededGenerator(seed, language);
  const picks = new Int32Array(windows);
  for (let draw = 0; draw < resamples; draw++) {
    for (let index = 0; index < windows; index++) picks[index] = uniformInt(generator, 0, windows - 1);
    yield picks;
  }
}

/** What the windows of one language lose in each draw. */
interface DrawnLosses {
  readonly windows: readonly Score[];
  readonly language: string;
  readonly seed: number;
  readonly losses: Float64Array;
}

/** By the first window: a model is in its own result, in differences and in means, and drawing takes most of the time. */
const drawn = new WeakMap<Score, DrawnLosses[]>();

/** Nats a predicted token of the windows of each draw, not to be changed. */
export function resampleLosses(windows: readonly Score[], language: string, seed: number): Float64Array {
  const [first] = windows;
  const before = (first && drawn.get(first)) ?? [];
  const found = before.find(
    (known) =>
      known.language === language &&
      known.seed === seed &&
      known.windows.length === windows.length &&
      known.windows.every((window, index) => window === windows[index]),
  );
  if (found !== undefined) return found.losses;
  const draws = Array.from(drawWindows(windows.length, language, seed), (picks) => logPerplexity(sumLosses(windows, picks)));
  const losses = Float64Array.from(draws);
  if (first !== undefined) drawn.set(first, [...before, { windows: [...windows], language, seed, losses }]);
  return losses;
}

/**
 * Fewer windows of a language than this give no interval. Drawn from one, all draws are alike and the interval a point; of
 * three, its end is an extreme window itself (drawn thrice in 1 of 27); of five, that is so in 1 of 3125.
 */
export const leastWindows = 5;

/**
 * The 95% interval of a figure.
 *
 * @param draws the figure, of each draw of `resampleLosses`
 * @param windows of the language that has fewest
 * @returns NaN for both ends where there are too few windows: no comparison with it holds, so that nothing is claimed
 */
export const bootstrapInterval = (draws: readonly number[] | Float64Array, windows: number): Interval =>
  windows < leastWindows ? [NaN, NaN] : percentileInterval(draws);
