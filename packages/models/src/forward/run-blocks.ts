import { at, InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { freeMatrix } from "@mbs/onnx";
import type { Block } from "../architectures/layout.ts";
import type { Forward, Model, BlockOptions } from "../folder/model.ts";
import { headStates, requireFiniteRows, requireFiniteStreams, statesOf, tokensOf } from "./streams.ts";
import type { PlacedStates, StreamStates } from "./streams.ts";

/** The states before the first block. @param segments stream → token ids, of each segment; equally long */
export async function embedStreams(
  forward: Forward,
  ...segments: readonly ReadonlyMap<string, Int32Array>[]
): Promise<StreamStates> {
  const states = new Map<string, Matrix>();
  for (const stream of at(segments, 0).keys()) {
    const tokens = segments.flatMap((inputs) => [...tokensOf(inputs, stream)]);
    states.set(stream, await forward.embed(Int32Array.from(tokens), segments.length, stream));
  }
  return states;
}

/** Runs block `index` and replaces the states of its stream by what it made; the other streams stay. */
export async function advance(
  forward: Forward,
  blocks: readonly Block[],
  index: number,
  states: StreamStates,
  options: Pick<BlockOptions, "batch" | "weights" | "activations"> = {},
): Promise<StreamStates> {
  const { stream, reads } = at(blocks, index);
  const others = new Map(reads.map((name) => [name, statesOf(states, name)]));
  return new Map([...states, [stream, await forward.block(index, statesOf(states, stream), { ...options, reads: others })]]);
}

/**
 * The same of states that are where the blocks run: those that the block has replaced are freed there.
 *
 * @param forward with a `keptBlock`
 */
export async function advanceKept(
  { keptBlock }: Pick<Forward, "keptBlock">,
  blocks: readonly Block[],
  index: number,
  states: PlacedStates,
  batch: number,
): Promise<PlacedStates> {
  const { stream, reads } = at(blocks, index);
  if (keptBlock === undefined) throw new InternalError("states are kept where no graphics processor runs the blocks");
  const others = new Map(reads.map((name) => [name, statesOf(states, name)]));
  const before = statesOf(states, stream);
  const made = await keptBlock(index, before, { batch, reads: others });
  freeMatrix(before);
  return new Map([...states, [stream, made]]);
}

/**
 * Embeds what each stream reads of one text and runs all blocks.
 *
 * @returns the states that the head reads
 * @throws {BadDataError} naming the block whose states are not finite
 */
export async function runBlocks(
  { blocks }: Pick<Model, "blocks">,
  forward: Forward,
  inputs: ReadonlyMap<string, Int32Array>,
  options: Pick<BlockOptions, "batch" | "weights"> = {},
): Promise<Matrix> {
  const segments = ["the text"];
  let states: StreamStates = await embedStreams(forward, inputs);
  requireFiniteStreams("embedding", states, segments);
  for (const [index, { name, stream }] of blocks.entries()) {
    states = await advance(forward, blocks, index, states, options);
    requireFiniteRows({ made: `${name}, stream ${stream}`, segments }, statesOf(states, stream));
  }
  return headStates(states);
}
