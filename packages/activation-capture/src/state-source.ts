import { parseMetadata, readSegments, readStates } from "@mbs/artifacts";
import type { Segment, StateRecord } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import type { Forward, Model } from "@mbs/models";

function requireSame(what: string, expected: string, found: string, remedy: string): void {
  if (expected === found) return;
  throw new BadDataError(`the ${what} of the artifact is ${found}, the model folder's is ${expected}; ${remedy}`, {
    expected,
    found,
  });
}

/** @throws {BadDataError} with both addresses, when the segments were made with another tokenizer */
export function checkSegments(stream: ArtifactStream, model: Model): void {
  const { tokenizer } = parseMetadata("segments", stream.schema);
  requireSame("tokenizer", model.tokenizerAddress, tokenizer, "sample again with this model");
}

/**
 * @returns how many steps were applied, and the addresses of the layers that were
 * @throws {BadDataError} with both addresses, when the states are of another model
 */
export function checkStates(stream: ArtifactStream, model: Model): { steps: number; layers: readonly string[] } {
  const { model: address, tokenizer, steps, layers } = parseMetadata("states", stream.schema);
  requireSame("tokenizer", model.tokenizerAddress, tokenizer, "propagate again from segments of this model");
  requireSame("model", model.address, address, "propagate again from segments of this model");
  if (steps < 0 || steps >= model.steps.length) {
    throw new BadDataError(`the states are those after ${steps} of ${model.steps.length} steps; there is no step left to run`, {
      steps,
    });
  }
  return { steps, layers };
}

/** States before the first step, segment by segment. */
export async function* embedSegments(segments: AsyncIterable<Segment>, forward: Forward): AsyncGenerator<StateRecord> {
  for await (const { segment, language, tokens } of segments) {
    if (tokens.length === 0)
      throw new BadDataError(`segment ${segment} of ${language} has no tokens; sample again`, { segment, language });
    const { rows, columns, values } = await forward.embed(tokens);
    yield { segment, language, stream: "hidden", rows, width: columns, values };
  }
}

async function* checkRecords(records: AsyncIterable<StateRecord>, width: number): AsyncGenerator<StateRecord> {
  for await (const record of records) {
    if (record.stream !== "hidden" || record.width !== width || record.rows === 0) {
      throw new BadDataError(
        `segment ${record.segment} has states ${record.stream} [${record.rows}, ${record.width}] where the model has hidden, ${width} wide; propagate again`,
        { segment: record.segment, width },
      );
    }
    yield record;
  }
}

/** The states of an artifact of segments or states, segment by segment. */
export const readStateRecords = (
  stream: ArtifactStream,
  kind: "segments" | "states",
  model: Model,
  forward: Forward,
): AsyncIterable<StateRecord> =>
  kind === "segments" ? embedSegments(readSegments(stream), forward) : checkRecords(readStates(stream), model.hiddenSize);
