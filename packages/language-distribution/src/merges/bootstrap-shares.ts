import { at } from "@mbs/contracts";
import type { Merge } from "@mbs/models";
import { seededGenerator } from "@mbs/numbers";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { estimateShares } from "./estimate-shares.ts";
import { replayMerges } from "./merge-replay.ts";
import type { Order } from "./violated-orders.ts";
import type { WordTable } from "./word-table.ts";

/** Neighbouring merges compete with the same pairs, so they are drawn together. */
const blocks = 20;

export interface BootstrapOptions {
  readonly resamples: number;
  readonly seed: number;
  /** Inequalities of the estimate itself, to begin with. */
  readonly orders: readonly Order[];
  readonly onResample: (resample: number) => void;
  /** Awaited before each round of a resample; throw there to stop. */
  readonly onRound: () => Promise<void>;
}

type Generator = ReturnType<typeof seededGenerator>;

/** How often each of `count` things is drawn in `count` draws with replacement. */
function drawTimes(count: number, generator: Generator): Int32Array {
  const times = new Int32Array(count);
  for (let draw = 0; draw < count; draw += 1) {
    const drawn = uniformInt(generator, 0, count - 1);
    times[drawn] = at(times, drawn) + 1;
  }
  return times;
}

/**
 * Estimates again from documents of each language and from blocks of merges, both drawn with replacement.
 *
 * This shows how much the estimate depends on the texts and merges at hand. Texts of another kind than those the tokenizer
 * was trained on shift it too, which no resampling shows.
 *
 * @param words the symbols of each word of the table
 * @returns the shares of each resample, [resamples][languages]
 */
export async function bootstrapShares(
  table: WordTable,
  words: readonly Int32Array[],
  merges: readonly Merge[],
  { resamples, seed, orders, onResample, onRound }: BootstrapOptions,
): Promise<Float64Array[]> {
  const drawn: Float64Array[] = [];
  for (let resample = 0; resample < resamples; resample += 1) {
    onResample(resample);
    const generator = seededGenerator(seed, resample);
    const times = table.languages.map((_, language) => drawTimes(table.documents(language), generator));
    const blockTimes = drawTimes(Math.min(blocks, merges.length), generator);
    const stepWeights = Float64Array.from(merges, (_, step) =>
      at(blockTimes, Math.floor((step * blockTimes.length) / merges.length)),
    );
    const counts = table.count((language) => times[language]);
    const history = replayMerges(words, counts, merges);
    const { shares } = await estimateShares(history, counts.bytes, { stepWeights, orders, onRound });
    drawn.push(shares);
  }
  return drawn;
}
