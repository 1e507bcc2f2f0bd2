import { groupScores, type Score, type ScoreDistance } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import type { Interval } from "@mbs/numbers";
import { bootstrapInterval, drawWindows } from "./bootstrap.ts";

/**
 * How far a model's distributions of the next token are from those of the first model, in one language. Intervals are 95%
 * bootstrap intervals over windows; NaN (null in JSON) of fewer than five windows.
 */
export interface LanguageDistance {
  readonly model: string;
  /** The first model of the scores. */
  readonly reference: string;
  readonly language: string;
  /** Compared distributions, one a predicted token. */
  readonly tokens: number;
  /** KL(reference ‖ model), nats, mean over tokens. */
  readonly kl: number;
  readonly klInterval: Interval;
  /** Its median over tokens. */
  readonly klMedian: number;
  readonly klMedianInterval: Interval;
  /** Its 99th percentile over tokens. */
  readonly klP99: number;
  readonly klP99Interval: Interval;
  /** Share of tokens for which both models take the same one for the most likely. */
  readonly agreement: number;
  readonly agreementInterval: Interval;
}

type Figures = Pick<LanguageDistance, "kl" | "klMedian" | "klP99" | "agreement">;

/** The tokens of all windows, from the least divergence to the largest. */
interface RankedTokens {
  readonly values: Float32Array;
  /** The window of each. */
  readonly windows: Int32Array;
}

function rankTokens(windows: readonly ScoreDistance[]): RankedTokens {
  const tokens = windows.reduce((sum, { kl }) => sum + kl.length, 0);
  const [values, owners] = [new Float32Array(tokens), new Int32Array(tokens)];
  let first = 0;
  for (const [window, { kl }] of windows.entries()) {
    values.set(kl, first);
    owners.fill(window, first, first + kl.length);
    first += kl.length;
  }
  const order = Int32Array.from(values.keys()).sort((a, b) => at(values, a) - at(values, b));
  return {
    values: Float32Array.from(order, (token) => at(values, token)),
    windows: order.map((token) => at(owners, token)),
  };
}

/**
 * The least value that at least the share `share` of tokens does not exceed (nearest rank).
 *
 * @param counts how often each window was drawn
 * @param tokens in all windows drawn
 */
function quantileOf({ values, windows }: RankedTokens, counts: Int32Array, tokens: number, share: number): number {
  const rank = Math.ceil(share * tokens);
  // from the nearer end
  const up = share <= 0.5;
  const wanted = up ? rank : tokens - rank + 1;
  let passed = 0;
  for (let step = 0; step < values.length; step++) {
    const place = up ? step : values.length - 1 - step;
    passed += at(counts, at(windows, place));
    if (passed >= wanted) return at(values, place);
  }
  return NaN;
}

/** The figures of the windows at `picks`, each as often as it is picked. */
function figuresOf(
  windows: readonly ScoreDistance[],
  sums: Float64Array,
  ranked: RankedTokens,
  picks: Iterable<number>,
): Figures {
  const counts = new Int32Array(windows.length);
  let [kl, agreed, tokens] = [0, 0, 0];
  for (const pick of picks) {
    const window = at(windows, pick);
    counts[pick] = at(counts, pick) + 1;
    kl += at(sums, pick);
    agreed += window.agreed;
    tokens += window.kl.length;
  }
  return {
    kl: kl / tokens,
    klMedian: quantileOf(ranked, counts, tokens, 0.5),
    klP99: quantileOf(ranked, counts, tokens, 0.99),
    agreement: agreed / tokens,
  };
}

function distanceOf(
  model: string,
  reference: string,
  language: string,
  windows: readonly ScoreDistance[],
  seed: number,
): LanguageDistance {
  const sums = Float64Array.from(windows, ({ kl }) => kl.reduce((sum, value) => sum + value, 0));
  const ranked = rankTokens(windows);
  const draws = Array.from(drawWindows(windows.length, language, seed), (picks) => figuresOf(windows, sums, ranked, picks));
  const interval = (name: keyof Figures): Interval =>
    bootstrapInterval(
      draws.map((draw) => draw[name]),
      windows.length,
    );
  return {
    model,
    reference,
    language,
    tokens: ranked.values.length,
    ...figuresOf(windows, sums, ranked, windows.keys()),
    klInterval: interval("kl"),
    klMedianInterval: interval("klMedian"),
    klP99Interval: interval("klP99"),
    agreementInterval: interval("agreement"),
  };
}

/** Distances by model and language, in the order of the scores; none where a window has none. */
export function summariseDistances(scores: Iterable<Score>, seed = 0): readonly LanguageDistance[] {
  const models = groupScores(scores);
  return models.flatMap(({ model, languages }) =>
    [...languages].flatMap(([language, windows]) => {
      const measured = windows.flatMap(({ distance }) => (distance === undefined ? [] : [distance]));
      if (measured.length < windows.length) return [];
      return [distanceOf(model, at(models, 0).model, language, measured, seed)];
    }),
  );
}
