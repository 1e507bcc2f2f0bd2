import { setImmediate } from "node:timers/promises";
import { BadDataError, InterruptedError, UsageError, at } from "@mbs/contracts";
import type { StageContext } from "@mbs/contracts";
import type { Corpus } from "@mbs/corpora";
import type { MergeList } from "@mbs/models";
import { percentileInterval } from "@mbs/numbers";
import type { Interval } from "@mbs/numbers";
import { bootstrapShares } from "./merges/bootstrap-shares.ts";
import { estimateShares } from "./merges/estimate-shares.ts";
import { replayMerges } from "./merges/merge-replay.ts";
import { WordTable } from "./merges/word-table.ts";

export interface EstimateOptions {
  /** Merges used, from the first. */
  readonly merges: number;
  /** UTF-8 bytes of text used of each language, in the order of the corpus; the last document is used whole. */
  readonly bytes: number;
  /** Times that the estimate is repeated for the spread; 0 for none. */
  readonly resamples: number;
  readonly seed: number;
}

export interface LanguageEstimate {
  readonly language: string;
  /** Share in the bytes of the tokenizer's training text, ≥ 0. */
  readonly share: number;
  /**
   * Spread of the resamples, their 2.5th to 97.5th percentile; absent without them. No 95% interval of the share: it
   * knows nothing of how the texts differ from the tokenizer's.
   */
  readonly interval?: Interval;
  /** Documents and UTF-8 bytes of text used. */
  readonly documents: number;
  readonly bytes: number;
}

/** Language shares, estimated from a tokenizer's merges. */
export interface DistributionEstimate {
  /** In the order of the corpus; shares sum to 1. */
  readonly languages: readonly LanguageEstimate[];
  /** Merges used, and those among them that do not occur in the texts and count for nothing. */
  readonly merges: number;
  readonly missing: number;
  /** Distinct words of the texts. */
  readonly words: number;
  readonly inequalities: number;
  /**
   * Part of the order of merges that no shares explain: violations that remain, over the frequencies of the merged pairs; 0 for
   * texts just like those the tokenizer was trained on.
   */
  readonly unexplained: number;
  readonly resamples: number;
  readonly seed: number;
}

type Context = Pick<StageContext, "signal" | "progress">;

async function readTexts(list: MergeList, corpus: Corpus, limit: number, { progress }: Context): Promise<WordTable> {
  const table = new WordTable(corpus.languages);
  for (const [index, language] of corpus.languages.entries()) {
    let bytes = 0;
    for await (const { text } of corpus.documents(language)) {
      const size = Buffer.byteLength(text);
      table.add(index, list.words(text), size);
      bytes += size;
      if (bytes >= limit) break;
    }
    if (bytes === 0) {
      throw new BadDataError(`corpus ${corpus.name} has no text in ${language}; add some, or leave the language out`, {
        language,
      });
    }
    progress({ activity: "read texts", done: index + 1, total: corpus.languages.length, unit: "languages" });
  }
  return table;
}

/**
 * Estimates the share of each language in the text that a BPE tokenizer was trained on, from the order of its merges (Hayase et
 * al. 2024, arXiv 2407.16607): texts of each language are merged the same way, and the shares are those under which each merged
 * pair was the most frequent one at its step, as nearly as possible.
 *
 * Memory: the distinct words of all texts, and 4 bytes per pair of symbols and language.
 *
 * @throws {UsageError} for fewer than two languages
 * @throws {BadDataError} where a language has no text, or no merge occurs in the texts
 */
export async function estimateDistribution(
  list: MergeList,
  corpus: Corpus,
  { merges: wanted, bytes, resamples, seed }: EstimateOptions,
  context: Context,
): Promise<DistributionEstimate> {
  const { signal, progress } = context;
  if (corpus.languages.length < 2) throw new UsageError(`corpus ${corpus.name} has one language; shares need two or more`);
  const table = await readTexts(list, corpus, bytes, context);
  const merges = list.merges.slice(0, wanted);
  const words = table.words.map((word) => list.symbols(word));
  const counts = table.count();
  // Native code and long loops in between would keep a signal waiting.
  const alive = async (): Promise<void> => {
    await setImmediate();
    if (signal.aborted) throw new InterruptedError("distribution: stopped");
  };
  await alive();
  const history = replayMerges(words, counts, merges);
  const missing = history.merged.filter((pair) => pair < 0).length;
  if (missing === merges.length) {
    throw new BadDataError(
      `no merge of the tokenizer occurs in corpus ${corpus.name}; give texts of the languages it was made for`,
    );
  }
  const { shares, violation, orders, inequalities } = await estimateShares(history, counts.bytes, {
    onRound: async (round) => {
      await alive();
      progress({ activity: "solve", done: round, unit: "rounds" });
    },
  });
  const drawn = await bootstrapShares(table, words, merges, {
    resamples,
    seed,
    orders,
    onRound: alive,
    onResample: (done) => progress({ activity: "resample", done, total: resamples, unit: "resamples" }),
  });
  // Merged counts are [merges, languages].
  const explained = history.mergedCounts.reduce((sum, count, index) => {
    const language = index % shares.length;
    return sum + (count * at(shares, language)) / at(counts.bytes, language);
  }, 0);
  return {
    languages: corpus.languages.map((language, index) => ({
      language,
      share: at(shares, index),
      ...(resamples > 0 && { interval: percentileInterval(drawn.map((draw) => at(draw, index))) }),
      documents: table.documents(index),
      bytes: at(counts.bytes, index),
    })),
    merges: merges.length,
    missing,
    words: words.length,
    inequalities,
    unexplained: violation / explained,
    resamples,
    seed,
  };
}
