import type { ArtifactStream } from "@mbs/contracts";
import { parseMetadata, type SegmentsMetadata } from "../kinds/metadata.ts";
import type { Segment } from "../kinds/records.ts";
import { encodeRows, readRows, type Items } from "../rows/rows.ts";
import { checkedRows } from "./checks/checked-rows.ts";

/** Segments → artifact, a row each. */
export const encodeSegments = (items: Items<Segment>, metadata: SegmentsMetadata): ArtifactStream =>
  encodeRows("segments", metadata, items);

/** @param length the tokens that each segment may have */
function segmentFault({ tokens }: Segment, length: number): string | undefined {
  if (tokens.length === 0) return "it has no tokens";
  if (tokens.length > length) return `it has ${tokens.length} tokens where segments have ${length}`;
  // the largest token is checked where a model reads it
  const negative = tokens.findIndex((token) => token < 0);
  return negative < 0 ? undefined : `token ${tokens[negative]} at position ${negative} is below 0`;
}

/**
 * The segments of an artifact, in order.
 *
 * @throws {BadDataError} on a segment without tokens, of more than its length, or with a negative token
 */
export function readSegments(stream: ArtifactStream): AsyncIterable<Segment> {
  const rows = readRows("segments", stream);
  const { length } = parseMetadata("segments", stream.schema);
  return checkedRows(rows, {
    least: { segment: 0, documents: 1 },
    fault: (segment) => segmentFault(segment, length),
    name: ({ segment, language }) => `segments: segment ${segment} of ${language}`,
    remedy: "sample again",
  });
}
