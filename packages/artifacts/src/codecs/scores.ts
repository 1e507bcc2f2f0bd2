import { FailedPreconditionError, type ArtifactStream } from "@mbs/contracts";
import { parseMetadata } from "../kinds/metadata.ts";
import type { ScoresMetadata } from "../kinds/metadata.ts";
import type { Score } from "../kinds/records.ts";
import { encodeRows, readRows, type Items, type Row } from "../rows/rows.ts";
import { checkedRows } from "./checks/checked-rows.ts";

type ScoreRow = Row<"scores">;

/** No distance is an empty list. */
async function* rowsOf(scores: Items<Score>): AsyncGenerator<ScoreRow> {
  for await (const { distance: { kl, agreed } = { kl: new Float32Array(), agreed: 0 }, ...score } of scores) {
    yield { ...score, kl, agreed };
  }
}

async function* scoresOf(rows: AsyncIterable<ScoreRow>): AsyncGenerator<Score> {
  for await (const { kl, agreed, ...score } of rows) yield kl.length === 0 ? score : { ...score, distance: { kl, agreed } };
}

function distanceFault({ tokens, kl, agreed }: ScoreRow): string | undefined {
  if (kl.length !== 0 && kl.length !== tokens) return `kl has ${kl.length} values for ${tokens} tokens`;
  if (agreed > kl.length) return `agreed is ${agreed} of ${kl.length} tokens`;
  const wrong = kl.find((value) => !(value >= 0 && Number.isFinite(value)));
  return wrong === undefined ? undefined : `kl has ${wrong}, not a finite number of at least 0`;
}

/** Scores → artifact, a row each. */
export const encodeScores = (items: Items<Score>, metadata: ScoresMetadata): ArtifactStream =>
  encodeRows("scores", metadata, rowsOf(items));

/**
 * The scores of an artifact, in order. A window may have no bytes: its target is the end token alone.
 *
 * @param options shards: whether scores of some of the windows alone are wanted too
 * @throws {FailedPreconditionError} on scores of some of the windows, unless they are wanted
 * @throws {BadDataError} on an invalid window, loss, distance, or number of tokens or bytes
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
  const rows = checkedRows(readRows("scores", stream), {
    least: { window: 0, nll: 0, tokens: 1, bytes: 0, agreed: 0 },
    fault: distanceFault,
    name: ({ model, language, window }) => `scores: window ${window} of ${language} by ${model}`,
    remedy: "evaluate again",
  });
  return scoresOf(rows);
}
