import type { ArtifactStream } from "@mbs/contracts";
import type { SimilarityMetadata } from "../kinds/metadata.ts";
import type { SimilarityRecord } from "../kinds/records.ts";
import { encodeRows, readRows, type Items } from "../rows/rows.ts";
import { checkedRows } from "./checks/checked-rows.ts";

/** Similarities → artifact, a row each. */
export const encodeSimilarities = (items: Items<SimilarityRecord>, metadata: SimilarityMetadata): ArtifactStream =>
  encodeRows("similarity", metadata, items);

/** How far a share may be outside 0 to 1: rounding of float32 products. */
const rounding = 1e-3;

/** The range of each measure; `subspace:K` is listed without its number. */
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
  if (first >= second) return "its languages are not two different ones in the order of their codes";
  const [least, most] = range;
  return value < least - rounding || value > most + rounding ? `value is ${value}, not from ${least} to ${most}` : undefined;
}

/**
 * The similarities of an artifact, in order.
 *
 * @throws {BadDataError} on an unknown measure, or a value that it cannot have
 */
export const readSimilarities = (stream: ArtifactStream): AsyncIterable<SimilarityRecord> =>
  checkedRows(readRows("similarity", stream), {
    least: { value: -Infinity },
    fault: similarityFault,
    name: ({ block, site, measure, first, second }) => `similarity: ${measure} of ${first} and ${second} at ${block} ${site}`,
    remedy: "make it again",
  });
