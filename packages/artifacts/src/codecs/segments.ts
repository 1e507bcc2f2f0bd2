import type { ArtifactStream } from "@mbs/contracts";
import type { SegmentsMetadata } from "../metadata.ts";
import type { Segment } from "../records.ts";
import { encodeRows, readRows, type Items } from "../rows.ts";

/** Segments → artifact, a row each. */
export const encodeSegments = (items: Items<Segment>, metadata: SegmentsMetadata): ArtifactStream =>
  encodeRows("segments", metadata, items);

/** The segments of an artifact, in order. */
export const readSegments = (stream: ArtifactStream): AsyncIterable<Segment> => readRows("segments", stream);
