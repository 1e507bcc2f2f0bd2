import type { Segment } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import { checkTokens } from "@mbs/models";
import type { Model, Passage, Passages } from "@mbs/models";

/** A segment as messages name it. */
export const nameSegment = ({ segment, language }: Pick<Segment, "segment" | "language">): string =>
  `segment ${segment} of ${language}`;

/**
 * What a model reads of a segment.
 *
 * @param seed of the segments
 * @throws {BadDataError} on a token beyond the vocabulary, or a segment with a target for a decoder
 */
export function segmentPassage(
  record: Segment,
  seed: number,
  { vocabularySize, passages }: Pick<Model, "vocabularySize"> & { readonly passages: Passages },
): Passage {
  const { segment, language, tokens, target } = record;
  const name = nameSegment(record);
  checkTokens(tokens, vocabularySize, name);
  if (target === undefined) return passages.ofSegment(tokens, [seed, language, segment]);
  checkTokens(target, vocabularySize, name);
  if (passages.ofWholePair === undefined) {
    throw new BadDataError(`${name} has a target, which a decoder does not read; sample without --source-target`, { segment });
  }
  return passages.ofWholePair(tokens, target);
}
