import {
  collectScores,
  encodeScores,
  orderAllShards,
  parseMetadata,
  type AllScores,
  type Score,
  type TaskScore,
} from "@mbs/artifacts";
import { at, BadDataError, defineStage, groupBy } from "@mbs/contracts";

/** The rows of all shards, in the order of one evaluation: by model, and within one by shard. */
function* byModel<Row extends Score | TaskScore>(shards: readonly (readonly Row[])[]): Generator<Row> {
  const models = new Set(shards.flatMap((scores) => scores.map(({ model }) => model)));
  for (const model of models) for (const scores of shards) yield* scores.filter((score) => score.model === model);
}

/** @throws {BadDataError} where a model's distances were measured in some shards alone: a summary would drop them all */
function requireSameDistances(shards: readonly AllScores[]): void {
  const measured = groupBy(
    shards.flatMap(({ windows }) => windows),
    ({ model }) => model,
  );
  for (const [model, windows] of measured) {
    const count = windows.filter(({ distance }) => distance !== undefined).length;
    if (count === 0 || count === windows.length) continue;
    throw new BadDataError(
      `${model}: distances from the first model were measured in some shards and not in others; make all shards with the same --distances`,
      { model },
    );
  }
}

/** Windows, then tasks. */
function* joined(shards: readonly AllScores[]): Generator<Score | TaskScore> {
  yield* byModel(shards.map(({ windows }) => windows));
  yield* byModel(shards.map(({ tasks }) => tasks));
}

/** Stage `join-scores`: scores of shards of the windows and documents become those of all. */
export const joinScores = defineStage({
  name: "join-scores",
  summary: "Join scores whose windows and documents were evaluated apart.",
  examples: ["mbs join-scores --scores shard-1.arrow --scores shard-2.arrow > scores.arrow"],
  inputs: {
    scores: { kinds: ["scores"], many: true, description: "outputs of `mbs evaluate --shard`, all shards" },
  },
  outputs: { scores: { kind: "scores", description: "losses of windows, and of the choices of tasks" } },
  options: {},
  async run({ scores }) {
    const parts = scores.map((stream) => {
      const { shards, ...common } = parseMetadata("scores", stream.schema);
      return { stream, shards, common };
    });
    const streams = orderAllShards(parts, "the scores");
    const read = await Promise.all(streams.map((stream) => collectScores(stream, { shards: true })));
    requireSameDistances(read);
    return { scores: encodeScores(joined(read), at(parts, 0).common) };
  },
});
