import { at, BadDataError, nameShards, UsageError } from "@mbs/contracts";
import type { ArtifactStream, Shards } from "@mbs/contracts";
import { canonicalJson } from "./json.ts";

/** An artifact of some shards. */
export interface ShardedStream {
  readonly stream: ArtifactStream;
  /** Undefined for one of the whole, which is refused. */
  readonly shards: Shards | undefined;
  /** What must be the same in all of them. */
  readonly common: object;
}

/**
 * Artifacts of shards in the order of these, and what they are together.
 *
 * @returns shards: undefined where they are the whole
 * @throws {UsageError} on an artifact of the whole, on a shard that is missing between two others, or is given twice
 * @throws {BadDataError} on shards of different wholes
 */
export function orderShards(given: readonly ShardedStream[]): {
  readonly streams: readonly ArtifactStream[];
  readonly shards: Shards | undefined;
} {
  const parts = given
    .map(({ stream, shards, common }) => {
      if (shards === undefined) throw new UsageError(`one of the inputs is whole already; give it shards alone`);
      return { stream, shards, common: new Map(Object.entries(common)) };
    })
    .toSorted((a, b) => a.shards.first - b.shards.first);
  const { shards, common } = at(parts, 0);
  let next = shards.first;
  for (const part of parts) {
    const names = [...new Set([...common.keys(), ...part.common.keys()])];
    const differing = names.find((name) => canonicalJson([common.get(name)]) !== canonicalJson([part.common.get(name)]));
    if (differing !== undefined || part.shards.of !== shards.of) {
      throw new BadDataError(
        `shard ${nameShards(part.shards)} does not belong to ${nameShards(shards)}: their ${differing ?? "number of shards"} differs; make all with the same options`,
        { name: differing ?? "of" },
      );
    }
    if (part.shards.first !== next) {
      const problem = part.shards.first < next ? "is given twice" : `follows ${next} of ${shards.of}, so one is missing between`;
      throw new UsageError(`shard ${nameShards(part.shards)} ${problem}; give each shard once`, { shard: next + 1 });
    }
    next += part.shards.count;
  }
  const count = next - shards.first;
  return {
    streams: parts.map(({ stream }) => stream),
    shards: count === shards.of ? undefined : { first: shards.first, count, of: shards.of },
  };
}

/**
 * Artifacts of all shards, in the order of these.
 *
 * @param what they are shards of, for messages: "the rows"
 * @throws as orderShards; {BadDataError} where some are not given
 */
export function orderAllShards(given: readonly ShardedStream[], what: string): readonly ArtifactStream[] {
  const { streams, shards } = orderShards(given);
  if (shards === undefined) return streams;
  throw new BadDataError(`only ${nameShards(shards)} of ${what} is given; give all shards`, { ...shards });
}
