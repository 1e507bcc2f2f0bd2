import { at, BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { roundHalfEven } from "@mbs/numbers";
import type { seededGenerator } from "@mbs/numbers";
import { uniformInt } from "pure-rand/distribution/uniformInt";

/** Share of the tokens that is cut out. */
const noiseDensity = 0.15;

/** Tokens of a span, on average. */
const meanSpan = 3;

type Generator = ReturnType<typeof seededGenerator>;

/** Lengths of `parts` parts, each at least 1, that make `total`; all ways to cut are equally likely. */
function randomParts(total: number, parts: number, generator: Generator): number[] {
  const lengths: number[] = [];
  let length = 1;
  for (let position = 1; position < total; position++, length++) {
    // selection sampling: each remaining position is cut with the chance remaining cuts / remaining positions
    if (uniformInt(generator, 1, total - position) > parts - 1 - lengths.length) continue;
    lengths.push(length);
    length = 0;
  }
  return [...lengths, length];
}

/** How many tokens of a text are cut out, and in how many spans: the same for every text of that length. */
export function spanCounts(length: number): { readonly noise: number; readonly spans: number } {
  const noise = Math.min(Math.max(roundHalfEven(length * noiseDensity), 1), length - 1);
  return { noise, spans: Math.max(roundHalfEven(noise / meanSpan), 1) };
}

/**
 * Cuts random spans out of a text. In the source each is replaced by a sentinel, in the target it follows the same
 * sentinel. The text begins with a kept part and ends with a span.
 *
 * @param tokens at least 2
 * @param sentinels in the order in which they are used
 * @throws {BadDataError} where the text is too short, or has more spans than there are sentinels
 * @throws {FailedPreconditionError} where there are no sentinels
 * @see arXiv:1910.10683 §3.1.4, with the rates of §3.3.4
 */
export function corruptSpans(
  tokens: Int32Array,
  sentinels: readonly number[],
  generator: Generator,
): { readonly source: Int32Array; readonly target: Int32Array } {
  const { length } = tokens;
  if (sentinels.length === 0) {
    throw new FailedPreconditionError(
      "the tokenizer has no sentinel tokens (<extra_id_0>, <extra_id_1>, …), which cutting spans out of texts needs; take the tokenizer of the model's source, or evaluate with --source-target",
    );
  }
  if (length < 2) throw new BadDataError(`a text of ${length} tokens has no span to cut out; use longer segments`, { length });
  const { noise, spans } = spanCounts(length);
  if (spans > sentinels.length) {
    throw new BadDataError(
      `a segment of ${length} tokens has ${spans} spans to cut out and the tokenizer ${sentinels.length} sentinel tokens; lower --length`,
      { length, spans },
    );
  }
  const cut = randomParts(noise, spans, generator);
  const kept = randomParts(length - noise, spans, generator);
  const source: number[] = [];
  const target: number[] = [];
  let position = 0;
  for (const [span, sentinel] of sentinels.slice(0, spans).entries()) {
    const begin = position + at(kept, span);
    const end = begin + at(cut, span);
    source.push(...tokens.subarray(position, begin), sentinel);
    target.push(sentinel, ...tokens.subarray(begin, end));
    position = end;
  }
  return { source: Int32Array.from(source), target: Int32Array.from(target) };
}
