import { parseMetadata, readSegments } from "@mbs/artifacts";
import type { NumbersByName, Segment } from "@mbs/artifacts";
import { BadDataError, UsageError, parseShard, rangeOfShards, shardOption } from "@mbs/contracts";
import type { ArtifactStream, OptionTable, Shards } from "@mbs/contracts";
import type { Model } from "@mbs/models";
import { segmentPassage } from "./segment-passage.ts";

/** A part of the segments that is captured and propagated on its own, on any machine. */
export interface Shard {
  readonly shards: Shards;
  /** Tokens of each language in all segments, in all streams of the model. */
  readonly wholeTokens: NumbersByName;
}

/** The segments of a shard, by language. */
export interface ShardOfSegments extends Shard {
  readonly segments: readonly Segment[];
}

export const shardOptions = {
  shard: shardOption("--shard", "run a part of the segments alone: 2/8 is the second of eight; mbs add joins their statistics"),
} as const satisfies OptionTable;

async function countTokens(segments: readonly Segment[], seed: number, model: Model): Promise<NumbersByName> {
  const passages = await model.passages();
  const { vocabularySize } = model;
  const counts = new Map<string, number>();
  for (const segment of segments) {
    const { language } = segment;
    const { inputs } = segmentPassage(segment, seed, { vocabularySize, passages });
    const own = [...inputs.values()].reduce((sum, { length }) => sum + length, 0);
    counts.set(language, (counts.get(language) ?? 0) + own);
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * The segments of a shard. All segments are ordered by language and cut into pieces of equal number, so that a shard has few
 * languages and full batches.
 *
 * @throws {UsageError} where there are fewer segments than shards
 */
export async function readShard(stream: ArtifactStream, model: Model, shards: Shards): Promise<ShardOfSegments> {
  const { seed } = parseMetadata("segments", stream.schema);
  const all: Segment[] = [];
  for await (const segment of readSegments(stream)) all.push(segment);
  const { of } = shards;
  if (all.length < of) {
    throw new UsageError(`${all.length} segments cannot be cut into ${of} shards; take at most ${all.length} shards`, {
      segments: all.length,
      shards: of,
    });
  }
  // the sort is stable: segments of a language stay in their order
  const ordered = all.toSorted((a, b) => (a.language === b.language ? 0 : a.language < b.language ? -1 : 1));
  const { start, end } = rangeOfShards(shards, ordered.length);
  const wholeTokens = await countTokens(ordered, seed, model);
  return { shards, wholeTokens, segments: ordered.slice(start, end) };
}

/**
 * What a stage runs of its source: of segments the shard that was asked for, of states the shard that they were made of.
 *
 * @returns undefined for all segments
 * @throws as readShard and shardOfStates
 */
export async function findShard(
  stream: ArtifactStream,
  kind: "segments" | "states",
  model: Model,
  asked: string | undefined,
): Promise<(Shard & Partial<ShardOfSegments>) | undefined> {
  if (kind === "states") return shardOfStates(stream);
  const shards = parseShard(asked, "--shard");
  return shards && readShard(stream, model, shards);
}

/** @throws {UsageError} where a shard is asked for of states, which have one already */
export function requireSegments(stage: string, kind: "segments" | "states", asked: string | undefined): void {
  if (kind === "segments" || asked === undefined) return;
  throw new UsageError(`${stage}: --shard goes with segments; states have the shard that they were made of`, {
    option: "--shard",
  });
}

/** The shard that states are of; undefined for those of all segments. @throws {BadDataError} where the tokens are missing */
export function shardOfStates(stream: ArtifactStream): Shard | undefined {
  const { shards, wholeTokens } = parseMetadata("states", stream.schema);
  if (shards === undefined) return undefined;
  if (wholeTokens === undefined) {
    throw new BadDataError("the states are of a shard, without the tokens of all segments; propagate again");
  }
  return { shards, wholeTokens };
}
