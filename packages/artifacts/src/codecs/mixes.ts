import type { ArtifactStream } from "@mbs/contracts";
import type { MixesMetadata } from "../kinds/metadata.ts";
import type { MixRecord } from "../kinds/records.ts";
import { encodeRows, readRows, type Items } from "../rows/rows.ts";
import { checkedRows } from "./checks/checked-rows.ts";

/** Mixes that were tried → artifact, a row a language. */
export const encodeMixes = (items: Items<MixRecord>, metadata: MixesMetadata): ArtifactStream =>
  encodeRows("mixes", metadata, items);

/**
 * The mixes of an artifact, in order.
 *
 * @throws {BadDataError} on a negative round, weight or damage
 */
export const readMixes = (stream: ArtifactStream): AsyncIterable<MixRecord> =>
  checkedRows(readRows("mixes", stream), {
    least: { round: 0, weight: 0, damage: 0 },
    name: ({ mix, language }) => `mixes: ${language} in mix ${mix}`,
    remedy: "make them again",
  });
