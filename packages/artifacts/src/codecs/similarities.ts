import type { ArtifactStream } from "@mbs/contracts";
import type { SimilarityMetadata } from "../kinds/metadata.ts";
import type { SimilarityRecord } from "../kinds/records.ts";
import { encodeRows, readRows, type Items } from "../rows/rows.ts";
import { soundRows } from "./checks/sound-rows.ts";

/** Similarities → artifact, a row each. */
export const encodeSimilarities = (items: Items<SimilarityRecord>, metadata: SimilarityMetadata): ArtifactStream =>
  encodeRows("similarity", metadata, items);

/** What float32 products may put a share beyond 0 and 1. */
const rounding = 1e-3;

/** The least and the most that each measure can be; of `subspace:K` its name before the number. */
const ranges: ReadonlyMap<string, readonly [least: number, most: number]> = new Map([
  ["cosine", [0, 1]],
  ["degrees", [0, 90]],
  ["euclidean", [0, Infinity]],
  ["gram", [0, 1]],
  ["subspace", [0, 1]],
]);

function similarityFault({ measure, first, second, value }: SimilarityRecord): string | undefined {
  const [, name = measure] = /^(subspace):[1-9]\d*$/.exec(measure) ?? [];
  const range = ranges.get(name);
  if (range === undefined) return `its measure is none of ${[...ranges.keys()].join(", ")}`;
  if (first >= second) return "its languages are not two in the order of their codes";
  const [least, most] = range;
  return value < least - rounding || value > most + rounding ? `value is ${value}, not from ${least} to ${most}` : undefined;
}

/**
 * The similarities of an artifact, in order.
 *
 * @throws {BadDataError} on an unknown measure, or a value that it cannot have
 */
export const readSimilarities = (stream: ArtifactStream): AsyncIterable<SimilarityRecord> =>
  soundRows(readRows("similarity", stream), {
    least: { value: -Infinity },
    fault: similarityFault,
    name: ({ step, site, measure, first, second }) => `similarity: ${measure} of ${first} and ${second} at ${step} ${site}`,
    remedy: "make it again",
  });
