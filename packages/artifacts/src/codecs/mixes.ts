import type { ArtifactStream } from "@mbs/contracts";
import type { MixesMetadata } from "../metadata.ts";
import type { MixRecord } from "../records.ts";
import { encodeRows, readRows, type Items } from "../rows.ts";

/** Mixes that were tried → artifact, a row a language. */
export const encodeMixes = (items: Items<MixRecord>, metadata: MixesMetadata): ArtifactStream =>
  encodeRows("mixes", metadata, items);

/** The mixes of an artifact, in order. */
export const readMixes = (stream: ArtifactStream): AsyncIterable<MixRecord> => readRows("mixes", stream);
