import type { ArtifactStream } from "@mbs/contracts";
import type { MixesMetadata } from "../kinds/metadata.ts";
import type { MixRecord } from "../kinds/records.ts";
import { encodeRows, readRows, type Items } from "../rows/rows.ts";
import { checkedRows } from "./checks/checked-rows.ts";

/** Mixes and what they are predicted to do → artifact, a row a language. */
export const encodeMixes = (items: Items<MixRecord>, metadata: MixesMetadata): ArtifactStream =>
  encodeRows("mixes", metadata, items);

/**
 * The mixes of an artifact, in order.
 *
 * @throws {BadDataError} on a negative weight, or a number that is not finite
 */
export const readMixes = (stream: ArtifactStream): AsyncIterable<MixRecord> =>
  checkedRows(readRows("mixes", stream), {
    least: { weight: 0, loss: -Infinity, low: -Infinity, high: -Infinity },
    name: ({ mix, language }) => `mixes: ${language} in mix ${mix}`,
    remedy: "make them again",
  });
