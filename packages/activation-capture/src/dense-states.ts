import { parseMetadata, readStates, requireKind } from "@mbs/artifacts";
import type { StateRecord } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import type { Model } from "@mbs/models";
import { checkStates } from "./state-source.ts";

/**
 * @param steps how many steps the compressed states have gone through
 * @throws {BadDataError} when the states are of another model or step, or went through compressed layers
 */
export function checkDenseStates(stream: ArtifactStream, model: Model, steps: number): void {
  requireKind(stream, ["states"]);
  const dense = checkStates(stream, model);
  if (dense.steps !== steps) {
    throw new BadDataError(
      `the dense states are those after ${dense.steps} steps, the states after ${steps}; propagate both as far`,
      { steps, found: dense.steps },
    );
  }
  if (parseMetadata("states", stream.schema).layers.length > 0) {
    throw new BadDataError("the dense states went through compressed layers; propagate them without --layers");
  }
}

/** A segment's states, and where they are given the dense model's. */
interface StatePair {
  readonly record: StateRecord;
  readonly dense?: StateRecord;
}

/**
 * Pairs states with the dense model's, segment by segment.
 *
 * @throws {BadDataError} when the two are not of the same segments in the same order
 */
export async function* withDense(
  records: AsyncIterable<StateRecord>,
  dense: ArtifactStream | undefined,
): AsyncGenerator<StatePair> {
  if (dense === undefined) {
    for await (const record of records) yield { record };
    return;
  }
  const others = readStates(dense)[Symbol.asyncIterator]();
  for await (const record of records) {
    const { value: other, done } = await others.next();
    const same =
      done !== true && (["segment", "language", "stream", "rows", "width"] as const).every((key) => other[key] === record[key]);
    if (!same) {
      const found = done === true ? "nothing" : `segment ${other.segment} of ${other.language}, ${other.rows} tokens`;
      throw new BadDataError(
        `the dense states have ${found} beside segment ${record.segment} of ${record.language}, ${record.rows} tokens; propagate both from the same segments`,
        { segment: record.segment },
      );
    }
    yield { record, dense: other };
  }
  // read to its end, which proves it whole
  if ((await others.next()).done !== true) {
    throw new BadDataError("the dense states have more segments than the states; propagate both from the same segments");
  }
}
