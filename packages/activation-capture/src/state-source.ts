import { parseMetadata, readSegments, readStates } from "@mbs/artifacts";
import type { NumbersByName, Segment, StateRecord } from "@mbs/artifacts";
import { BadDataError } from "@mbs/contracts";
import type { ArtifactStream, Matrix } from "@mbs/contracts";
import { embedStreams, requireCompressible, requireFiniteStreams } from "@mbs/models";
import type { Forward, Model, StreamStates } from "@mbs/models";
import { nameSegment, segmentPassage } from "./segment-passage.ts";
import type { TokenReads } from "./token-reads.ts";

function requireSame(what: string, expected: string, found: string, remedy: string): void {
  if (expected === found) return;
  throw new BadDataError(`the ${what} of the artifact is ${found}, the model's is ${expected}; ${remedy}`, {
    expected,
    found,
  });
}

/**
 * Checks that segments are for a model with something to compress, and says what the user should know of it.
 *
 * @throws {BadDataError} with both addresses, when the segments were made with another tokenizer
 * @throws {FailedPreconditionError} where all linear weights are quantised already
 */
export function checkSegments(stream: ArtifactStream, model: Model, warn: (message: string) => void): void {
  const { tokenizer } = parseMetadata("segments", stream.schema);
  requireSame("tokenizer", model.tokenizerAddress, tokenizer, "sample again with this model");
  requireCompressible(model, warn);
}

/**
 * @param goal what is run from the states: a block, or also what comes behind the last one
 * @returns how many blocks were applied, and the addresses of the layers that were
 * @throws {BadDataError} with both addresses, when the states are of another model
 */
export function checkStates(
  stream: ArtifactStream,
  model: Model,
  goal: "block" | "block or embeddings" = "block",
): { blocks: number; layers: readonly string[] } {
  const { model: address, tokenizer, blocks, layers } = parseMetadata("states", stream.schema);
  requireSame("tokenizer", model.tokenizerAddress, tokenizer, "propagate again from segments of this model");
  requireSame("model", model.address, address, "propagate again from segments of this model");
  const last = model.blocks.length - (goal === "block" || model.embeddings === undefined ? 1 : 0);
  if (blocks > last) {
    throw new BadDataError(
      `the states are those after ${blocks} of ${model.blocks.length} blocks; there is no block left to run`,
      {
        blocks,
      },
    );
  }
  return { blocks, layers };
}

/** The segments of each language in the mix that was asked for, where others were added to cover experts, or some are missing. */
export function mixOfSource(stream: ArtifactStream, kind: "segments" | "states"): { readonly ofMix?: NumbersByName } {
  const { ofMix } = parseMetadata(kind, stream.schema);
  return ofMix === undefined ? {} : { ofMix };
}

/** A segment without its states. */
export interface SegmentHead {
  readonly segment: number;
  readonly language: string;
  /** Tokens in each of the model's streams. */
  readonly lengths: readonly number[];
}

/** The states of one segment. */
export interface SegmentStates extends SegmentHead {
  /** In the order of the model's streams. */
  readonly states: StreamStates;
}

const segmentStates = (segment: number, language: string, states: StreamStates): SegmentStates => ({
  segment,
  language,
  states,
  lengths: [...states.values()].map(({ rows }) => rows),
});

/** States before the first block, segment by segment. */
async function* embedSegments(
  segments: AsyncIterable<Segment> | Iterable<Segment>,
  seed: number,
  model: Model,
  forward: Forward,
): AsyncGenerator<SegmentStates> {
  const passages = await model.passages();
  const { vocabularySize } = model;
  for await (const segment of segments) {
    const { inputs } = segmentPassage(segment, seed, { vocabularySize, passages });
    const states = await embedStreams(forward, inputs);
    requireFiniteStreams("embedding", states, [nameSegment(segment)]);
    yield segmentStates(segment.segment, segment.language, states);
  }
}

/** The streams of a segment follow each other in the model's order. */
export async function* joinStreams(records: AsyncIterable<StateRecord>, model: Model): AsyncGenerator<SegmentStates> {
  const { streams, stateWidth } = model;
  let states = new Map<string, Matrix>();
  let first: StateRecord | undefined;
  for await (const record of records) {
    const wanted = streams[states.size];
    if (record.stream !== wanted || record.width !== stateWidth || (first ?? record).segment !== record.segment) {
      throw new BadDataError(
        `segment ${record.segment} has states ${record.stream} [${record.rows}, ${record.width}] where the model has ${wanted}, ${stateWidth} wide; propagate again`,
        { segment: record.segment, width: stateWidth },
      );
    }
    first ??= record;
    states.set(record.stream, { rows: record.rows, columns: record.width, values: record.values });
    if (states.size < streams.length) continue;
    yield segmentStates(record.segment, record.language, states);
    states = new Map();
    first = undefined;
  }
  if (first !== undefined) {
    throw new BadDataError(`segment ${first.segment} has no states ${streams[states.size]}; propagate again`, {
      segment: first.segment,
    });
  }
}

/** Where a stage has its states from. */
export interface StateSource {
  readonly source: ArtifactStream;
  readonly kind: "segments" | "states";
  /** The segments of a shard, where the artifact of all has been read already. */
  readonly segments?: readonly Segment[] | undefined;
  readonly model: Model;
  /** Counts the tokens of each segment, where the source is of segments. */
  readonly reads?: TokenReads | undefined;
}

/** The states of an artifact of segments or states, segment by segment. */
export function readSegmentStates(
  { source, kind, segments, model, reads }: StateSource,
  forward: Forward,
): AsyncIterable<SegmentStates> {
  if (kind === "states") return joinStreams(readStates(source), model);
  const { seed } = parseMetadata("segments", source.schema);
  const read = segments ?? readSegments(source);
  return embedSegments(reads === undefined ? read : reads.countAll(read), seed, model, forward);
}

/** Ends the reading of an artifact that turned out not to be needed. */
export async function leaveUnread({ batches }: ArtifactStream): Promise<void> {
  for await (const _ of batches) break;
}
