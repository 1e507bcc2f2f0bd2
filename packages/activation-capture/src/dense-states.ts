import { parseMetadata, readStates, requireKind } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import type { Model } from "@mbs/models";
import { checkStates, joinStreams } from "./state-source.ts";
import type { SegmentStates } from "./state-source.ts";

/**
 * @param blocks how many blocks the compressed states have gone through
 * @throws {BadDataError} when the states are of another model or block, or went through compressed layers
 */
export function checkDenseStates(stream: ArtifactStream, model: Model, blocks: number): void {
  requireKind(stream, ["states"]);
  const dense = checkStates(stream, model);
  if (dense.blocks !== blocks) {
    throw new BadDataError(
      `the dense states are those after ${dense.blocks} blocks, the states after ${blocks}; propagate both as far`,
      { blocks, found: dense.blocks },
    );
  }
  if (parseMetadata("states", stream.schema).layers.length > 0) {
    throw new BadDataError("the dense states went through compressed layers; propagate them without --layers");
  }
}

/** A segment's states, and where they are given the dense model's. */
export interface StatePair {
  readonly segment: SegmentStates;
  readonly dense?: SegmentStates;
}

const describe = ({ segment, language, lengths }: SegmentStates): string =>
  `segment ${segment} of ${language}, ${lengths.join(" and ")} tokens`;

/**
 * Pairs states with the dense model's, segment by segment.
 *
 * @throws {BadDataError} when the two are not of the same segments in the same order
 */
export async function* withDense(
  segments: AsyncIterable<SegmentStates>,
  dense: ArtifactStream | undefined,
  model: Model,
): AsyncGenerator<StatePair> {
  if (dense === undefined) {
    for await (const segment of segments) yield { segment };
    return;
  }
  const others = joinStreams(readStates(dense), model)[Symbol.asyncIterator]();
  for await (const segment of segments) {
    const { value: other, done } = await others.next();
    if (done === true || describe(other) !== describe(segment)) {
      const found = done === true ? "nothing" : describe(other);
      throw new BadDataError(
        `the dense states have ${found} where the states have ${describe(segment)}; propagate both from the same segments`,
        { segment: segment.segment },
      );
    }
    yield { segment, dense: other };
  }
  // reading to the end checks that the artifact is complete
  if ((await others.next()).done !== true) {
    throw new BadDataError("the dense states have more segments than the states; propagate both from the same segments");
  }
}
