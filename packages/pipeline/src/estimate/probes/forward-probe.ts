import { performance } from "node:perf_hooks";
import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Forward, Model, Block, BlockCut } from "@mbs/models";
import { sum } from "../sum.ts";
import { seconds } from "./timing.ts";

/** Seconds of what the model computes. */
export interface ForwardRates {
  /** Of one block for one token: of its sites, one after the other, of what follows the last, and of all at once. */
  readonly sites: number;
  readonly end: number;
  readonly block: number;
  /** Of the loss for one token; 0 where the run evaluates nothing. */
  readonly head: number;
  /** To open the model. */
  readonly open: number;
  /** To read the weights of a block and to make its session. */
  readonly weights: number;
}

/** Tokens of a probe at most. */
export const batchTokens = 2048;

/** The loss of a token costs the same from about so many on. */
const headTokens = 256;

/** Fewer tokens than this say little of many, or of experts that read a part of them each. */
const leastTokens = 128;

/** What one pass of a probe through a block or the head may take, seconds. */
const passSeconds = 1.5;

/** Multiply-adds of one token in one block, without attention over other tokens. */
export const weightsOf = ({ sites }: Block): number =>
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

/** Seconds of the loss for one token. */
async function measureHead(
  forward: Forward,
  { hiddenSize, vocabularySize }: Model,
  { columns, values, rows }: Matrix,
  tokens: Int32Array,
  gemm: number,
): Promise<number> {
  const scored = Math.min(rows, probedTokens(headTokens, hiddenSize * vocabularySize, gemm).length);
  const score = (count: number): Promise<Float64Array> =>
    forward.score({ rows: count, columns, values: values.subarray(0, count * columns) }, tokens.subarray(0, count));
  // the first reads the head
  await score(2);
  return (await seconds(() => score(scored))) / scored;
}

/**
 * @param gemm operations a second of a large matrix product
 * @param scores whether the run computes losses
 */
export async function measureForward(
  model: Model,
  length: number,
  gemm: number,
  scores: boolean,
  threads: number,
): Promise<ForwardRates> {
  const started = performance.now();
  const again = await openModel(model.path);
  const opened = performance.now();
  const forward = await again.forward({ threads });
  try {
    const { hiddenSize, vocabularySize } = model;
    const perToken = weightsOf(at(model.blocks, 0));
    const { batch, length: probed } = probedTokens(length, perToken, gemm);
    // A token reads half of a segment on average: as many products of its width for scores, and as many for values.
    const shortened = (perToken + length * hiddenSize) / (perToken + probed * hiddenSize);
    const rows = batch * probed;
    const tokens = Int32Array.from({ length: rows }, (_, index) => (index * 7919) % vocabularySize);
    const states = await forward.embed(tokens, batch);
    const { sites } = at(model.blocks, 0);
    const toLastSite = async (): Promise<BlockCut> => {
      let cut = await forward.beginBlock(0, states, { batch });
      while (cut.passed.size < sites.length) ({ cut } = await forward.nextSites(cut));
      return cut;
    };
    const cut = await toLastSite();
    const first = (performance.now() - opened) / 1000;
    const toSites = await seconds(toLastSite);
    await forward.endBlock(cut);
    const end = await seconds(() => forward.endBlock(cut));
    await forward.block(0, states, { batch });
    const block = await seconds(() => forward.block(0, states, { batch }));
    const head = scores ? await measureHead(forward, model, states, tokens, gemm) : 0;
    return {
      sites: (shortened * toSites) / rows,
      end: (shortened * end) / rows,
      block: (shortened * block) / rows,
      head,
      open: (opened - started) / 1000,
      weights: Math.max(0, first - toSites),
    };
  } finally {
    await forward.close();
    await again.close();
  }
}
