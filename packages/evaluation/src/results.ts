import { bitsPerByte, groupScores, logPerplexity, sumLosses, type Score } from "@mbs/artifacts";
import type { Interval } from "@mbs/numbers";
import { bootstrapInterval, resampleLosses } from "./bootstrap.ts";

/** One model in one language. */
export interface LanguageResult {
  readonly model: string;
  readonly language: string;
  /** exp(Σ nll / predicted tokens). */
  readonly perplexity: number;
  /** Comparable between tokenizers, as perplexity is not. */
  readonly bitsPerByte: number;
  /** Predicted tokens. */
  readonly tokens: number;
  /** Their UTF-8 bytes. */
  readonly bytes: number;
  readonly windows: number;
  /** 95% bootstrap interval of the perplexity, over windows; NaN (null in JSON) of fewer than five. */
  readonly interval: Interval;
}

/** The same for one source of a language. */
export interface SourceResult extends LanguageResult {
  readonly source: string;
}

function resultOf(model: string, language: string, windows: readonly Score[], seed: number): LanguageResult {
  const sums = sumLosses(windows);
  const draws = resampleLosses(windows, language, seed).map(Math.exp);
  return {
    model,
    language,
    perplexity: Math.exp(logPerplexity(sums)),
    bitsPerByte: bitsPerByte(sums),
    tokens: sums.tokens,
    bytes: sums.bytes,
    windows: windows.length,
    interval: bootstrapInterval(draws, windows.length),
  };
}

/** Results by model and language, in the order of the scores. */
export function summarise(scores: Iterable<Score>, seed = 0): readonly LanguageResult[] {
  return groupScores(scores).flatMap(({ model, languages }) =>
    [...languages].map(([language, windows]) => resultOf(model, language, windows, seed)),
  );
}

/** Results by model, language and source; none where the sources were not kept apart. */
export function summariseSources(scores: Iterable<Score>, seed = 0): readonly SourceResult[] {
  return groupScores(scores).flatMap(({ model, languages }) =>
    [...languages].flatMap(([language, windows]) => {
      const sources = [...new Set(windows.map(({ source }) => source))].filter((source) => source !== "");
      return sources.map((source) => ({
        ...resultOf(
          model,
          language,
          windows.filter((window) => window.source === source),
          seed,
        ),
        source,
      }));
    }),
  );
}
