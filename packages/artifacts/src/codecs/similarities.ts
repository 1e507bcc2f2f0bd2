import type { ArtifactStream } from "@mbs/contracts";
import type { SimilarityMetadata } from "../metadata.ts";
import type { SimilarityRecord } from "../records.ts";
import { encodeRows, readRows, type Items } from "../rows.ts";
import { soundRows } from "./sound-rows.ts";

/** Similarities → artifact, a row each. */
export const encodeSimilarities = (items: Items<SimilarityRecord>, metadata: SimilarityMetadata): ArtifactStream =>
  encodeRows("similarity", metadata, items);

/**
 * The similarities of an artifact, in order.
 *
 * @throws {BadDataError} on one that is not finite
 */
export const readSimilarities = (stream: ArtifactStream): AsyncIterable<SimilarityRecord> =>
  soundRows(readRows("similarity", stream), {
    least: { value: -Infinity },
    name: ({ step, site, measure, first, second }) => `similarity: ${measure} of ${first} and ${second} at ${step} ${site}`,
    remedy: "make it again",
  });
