import { FailedPreconditionError, type ArtifactStream } from "@mbs/contracts";
import { parseMetadata } from "../kinds/metadata.ts";
import type { ScoresMetadata } from "../kinds/metadata.ts";
import type { Score } from "../kinds/records.ts";
import { encodeRows, readRows, type Items } from "../rows/rows.ts";
import { checkedRows } from "./checks/checked-rows.ts";

/** Scores → artifact, a row each. */
export const encodeScores = (items: Items<Score>, metadata: ScoresMetadata): ArtifactStream =>
  encodeRows("scores", metadata, items);

/**
 * The scores of an artifact, in order. A window may have no bytes: its target is the end token alone.
 *
 * @param options shards: whether scores of some of the windows alone are wanted too
 * @throws {FailedPreconditionError} on scores of some of the windows, unless they are wanted
 * @throws {BadDataError} on an invalid window, loss, or number of tokens or bytes
 */
export function readScores(
  stream: ArtifactStream,
  { shards: wanted = false }: { readonly shards?: boolean } = {},
): AsyncIterable<Score> {
  const { shards } = parseMetadata("scores", stream.schema);
  if (shards !== undefined && !wanted) {
    throw new FailedPreconditionError(
      `these scores are of shard ${shards.first + 1} of ${shards.of} of the windows; join all shards first (mbs join-scores)`,
      { ...shards },
    );
  }
  return checkedRows(readRows("scores", stream), {
    least: { window: 0, nll: 0, tokens: 1, bytes: 0 },
    name: ({ model, language, window }) => `scores: window ${window} of ${language} by ${model}`,
    remedy: "evaluate again",
  });
}
