import type { ArtifactStream } from "@mbs/contracts";
import type { SimilarityMetadata } from "../metadata.ts";
import type { SimilarityRecord } from "../records.ts";
import { encodeRows, readRows, type Items } from "../rows.ts";

/** Similarities → artifact, a row each. */
export const encodeSimilarities = (items: Items<SimilarityRecord>, metadata: SimilarityMetadata): ArtifactStream =>
  encodeRows("similarity", metadata, items);

/** The similarities of an artifact, in order. */
export const readSimilarities = (stream: ArtifactStream): AsyncIterable<SimilarityRecord> => readRows("similarity", stream);
