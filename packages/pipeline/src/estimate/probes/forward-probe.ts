import { at, BadDataError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Forward, Model, Block, BlockCut } from "@mbs/models";
import { sum } from "../sum.ts";
import { measure, seconds } from "./timing.ts";

/** Seconds of what the model computes, where no other program is at work. */
export interface ForwardRates {
  /** Of a block on average for one token: of its sites, one after the other, of what follows the last, and of all at once. */
  readonly sites: number;
  readonly end: number;
  readonly block: number;
  /** To open the model. */
  readonly open: number;
  /** To read the weights of a block and to make its session. */
  readonly weights: number;
}

export const forwardNames = ["sites", "end", "block", "open", "weights"] as const satisfies (keyof ForwardRates)[];

/** Tokens of a probe at most. */
export const batchTokens = 2048;

/** Fewer tokens than this say little of many, or of experts that read a part of them each. */
const leastTokens = 128;

/** What one pass of a probe through a block or the head may take, seconds. */
const passSeconds = 1.5;

/** Multiply-adds of one token in one block, without attention over other tokens. */
export const weightsOf = ({ sites }: Pick<Block, "sites">): number =>
  sum(sites, ({ width, weights }) => width * sum(weights, ({ rows }) => rows));

/** Tokens of a probe: segments of a length that fill a batch, fewer or shorter ones where a pass would take too long. */
interface ProbedTokens {
  readonly batch: number;
  readonly length: number;
}

/**
 * @param length tokens a segment
 * @param perToken multiply-adds of one token
 * @param gemm operations a second of a large matrix product
 */
export function probedTokens(length: number, perToken: number, gemm: number): ProbedTokens {
  const most = Math.max(leastTokens, Math.floor((passSeconds * gemm) / (2 * perToken)));
  const batch = Math.max(1, Math.floor(Math.min(batchTokens, most) / length));
  return { batch, length: Math.min(length, most) };
}

/** What a block computes: two of the same sites take the same time, but for their windows. */
const kindOf = ({ sites }: Block): string =>
  sites.map(({ name, width, weights }) => [name, width, ...weights.map(({ rows }) => rows)].join(" ")).join(", ");

/** A kind of block, and how many there are. */
export interface BlockKind {
  /** One of them. */
  readonly index: number;
  readonly count: number;
}

/**
 * The kinds of blocks that read their own stream alone.
 *
 * @throws {BadDataError} where there is none
 */
export function probedKinds({ blocks, path }: Pick<Model, "blocks" | "path">): readonly BlockKind[] {
  const kinds = new Map<string, BlockKind>();
  for (const [index, block] of blocks.entries()) {
    if (block.reads.length > 0) continue;
    const known = kinds.get(kindOf(block));
    kinds.set(kindOf(block), { index: known?.index ?? index, count: (known?.count ?? 0) + 1 });
  }
  if (kinds.size === 0) throw new BadDataError(`${path}: a model without blocks; there is nothing to estimate`);
  return [...kinds.values()];
}

/**
 * What a block takes on average, where blocks that were not probed take time by their weights.
 *
 * @param seconds of all blocks of these kinds
 */
export function averageOf({ blocks }: Pick<Model, "blocks">, kinds: readonly BlockKind[], seconds: number): number {
  const probed = sum(kinds, ({ index, count }) => count * weightsOf(at(blocks, index)));
  return (seconds * sum(blocks, weightsOf)) / probed / blocks.length;
}

/** Seconds of one block for all rows of its states, and of reading its weights. */
type BlockSeconds = Pick<ForwardRates, "sites" | "end" | "block" | "weights">;

async function measureBlock(
  forward: Forward,
  index: number,
  sites: number,
  { states, batch, threads }: { readonly states: Matrix; readonly batch: number; readonly threads: number },
): Promise<BlockSeconds> {
  const toLastSite = async (): Promise<BlockCut> => {
    let cut = await forward.beginBlock(index, states, { batch });
    while (cut.passed.size < sites) ({ cut } = await forward.nextSites(cut));
    return cut;
  };
  const { quiet: first, result: cut } = await measure(threads, toLastSite);
  const toSites = await seconds(threads, toLastSite);
  await forward.endBlock(cut);
  const end = await seconds(threads, () => forward.endBlock(cut));
  await forward.block(index, states, { batch });
  const block = await seconds(threads, () => forward.block(index, states, { batch }));
  return { sites: toSites, end, block, weights: Math.max(0, first - toSites) };
}

/**
 * Times one block of each kind; blocks that read other streams count by their weights.
 *
 * @param gemm operations a second of a large matrix product
 */
export async function measureForward(
  model: Model,
  { length, gemm, threads }: { readonly length: number; readonly gemm: number; readonly threads: number },
): Promise<ForwardRates> {
  const { quiet: open, result: again } = await measure(threads, () => openModel(model.path));
  const forward = await again.forward({ threads });
  try {
    const { blocks, hiddenSize, vocabularySize } = model;
    const kinds = probedKinds(model);
    const weightsAt = ({ index }: BlockKind): number => weightsOf(at(blocks, index));
    const perToken = Math.max(...kinds.map(weightsAt));
    const { batch, length: probed } = probedTokens(length, perToken, gemm);
    const rows = batch * probed;
    const tokens = Int32Array.from({ length: rows }, (_, index) => (index * 7919) % vocabularySize);
    const states = await forward.embed(tokens, batch);
    const total = { sites: 0, end: 0, block: 0 };
    let weights = 0;
    for (const kind of kinds) {
      const found = await measureBlock(forward, kind.index, at(blocks, kind.index).sites.length, { states, batch, threads });
      // A token reads half of a segment on average: as many products of its width for scores, and as many for values.
      const width = weightsAt(kind);
      const shortened = (width + length * hiddenSize) / (width + probed * hiddenSize);
      for (const part of ["sites", "end", "block"] as const) total[part] += kind.count * shortened * found[part];
      weights += kind.count * found.weights;
    }
    const average = (seconds: number): number => averageOf(model, kinds, seconds);
    return {
      sites: average(total.sites) / rows,
      end: average(total.end) / rows,
      block: average(total.block) / rows,
      open,
      weights: average(weights),
    };
  } finally {
    await forward.close();
    await again.close();
  }
}
