import type { ArtifactStream } from "@mbs/contracts";
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
 * @throws {BadDataError} on an invalid window, loss, or number of tokens or bytes
 */
export const readScores = (stream: ArtifactStream): AsyncIterable<Score> =>
  checkedRows(readRows("scores", stream), {
    least: { window: 0, nll: 0, tokens: 1, bytes: 0 },
    name: ({ model, language, window }) => `scores: window ${window} of ${language} by ${model}`,
    remedy: "evaluate again",
  });
