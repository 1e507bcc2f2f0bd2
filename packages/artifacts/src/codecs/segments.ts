import type { ArtifactStream } from "@mbs/contracts";
import { parseMetadata, type SegmentsMetadata } from "../kinds/metadata.ts";
import type { Segment } from "../kinds/records.ts";
import { encodeRows, readRows, type Items } from "../rows/rows.ts";
import { checkedRows } from "./checks/checked-rows.ts";

const noTarget = new Int32Array();

async function* withTargets(items: Items<Segment>): AsyncGenerator<Required<Segment>> {
  for await (const segment of items) yield { target: noTarget, ...segment };
}

async function* withoutEmptyTargets(rows: AsyncIterable<Required<Segment>>): AsyncGenerator<Segment> {
  for await (const { target, ...segment } of rows) yield target.length === 0 ? segment : { ...segment, target };
}

/** Segments → artifact, a row each. */
export const encodeSegments = (items: Items<Segment>, metadata: SegmentsMetadata): ArtifactStream =>
  encodeRows("segments", metadata, withTargets(items));

/** @param length the tokens that each segment may have */
function tokensFault(tokens: Int32Array, length: number): string | undefined {
  if (tokens.length > length) return `it has ${tokens.length} tokens where segments have ${length}`;
  // the largest token is checked where a model reads it
  const negative = tokens.findIndex((token) => token < 0);
  return negative < 0 ? undefined : `token ${tokens[negative]} at position ${negative} is below 0`;
}

function segmentFault({ tokens, target = noTarget }: Segment, length: number): string | undefined {
  if (tokens.length === 0) return "it has no tokens";
  if (target.length === 1) return "its target has a beginning and no token";
  // the last token of a target is predicted and not read
  return tokensFault(tokens, length) ?? tokensFault(target, length + 1);
}

/**
 * The segments of an artifact, in order.
 *
 * @throws {BadDataError} on a segment without tokens, of more than its length, or with a negative token
 */
export function readSegments(stream: ArtifactStream): AsyncIterable<Segment> {
  const rows = readRows("segments", stream);
  const { length } = parseMetadata("segments", stream.schema);
  return checkedRows(withoutEmptyTargets(rows), {
    least: { segment: 0, documents: 1 },
    fault: (segment) => segmentFault(segment, length),
    name: ({ segment, language }) => `segments: segment ${segment} of ${language}`,
    remedy: "sample again",
  });
}
