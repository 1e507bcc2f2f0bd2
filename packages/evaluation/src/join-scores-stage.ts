import { collect, encodeScores, orderAllShards, parseMetadata, readScores, type Score } from "@mbs/artifacts";
import { at, defineStage } from "@mbs/contracts";

/** The scores of all shards, in the order of one evaluation: by model, and within one by window. */
function* byModel(shards: readonly (readonly Score[])[]): Generator<Score> {
  const models = new Set(shards.flatMap((scores) => scores.map(({ model }) => model)));
  for (const model of models) for (const scores of shards) yield* scores.filter((score) => score.model === model);
}

/** Stage `join-scores`: scores of shards of the windows become those of all windows. */
export const joinScores = defineStage({
  name: "join-scores",
  summary: "Join scores whose windows were evaluated apart.",
  examples: ["mbs join-scores --scores shard-1.arrow --scores shard-2.arrow > scores.arrow"],
  inputs: {
    scores: { kinds: ["scores"], many: true, description: "outputs of `mbs evaluate --shard`, all shards of the windows" },
  },
  outputs: { scores: { kind: "scores", description: "loss, tokens and bytes of each window" } },
  options: {},
  async run({ scores }) {
    const parts = scores.map((stream) => {
      const { shards, ...common } = parseMetadata("scores", stream.schema);
      return { stream, shards, common };
    });
    const streams = orderAllShards(parts, "the windows");
    const read = await Promise.all(streams.map((stream) => collect(readScores(stream, { shards: true }))));
    return { scores: encodeScores(byModel(read), at(parts, 0).common) };
  },
});
