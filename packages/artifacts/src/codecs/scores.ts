import type { ArtifactStream } from "@mbs/contracts";
import type { ScoresMetadata } from "../metadata.ts";
import type { Score } from "../records.ts";
import { encodeRows, readRows, type Items } from "../rows.ts";

/** Scores → artifact, a row each. */
export const encodeScores = (items: Items<Score>, metadata: ScoresMetadata): ArtifactStream =>
  encodeRows("scores", metadata, items);

/** The scores of an artifact, in order. */
export const readScores = (stream: ArtifactStream): AsyncIterable<Score> => readRows("scores", stream);
