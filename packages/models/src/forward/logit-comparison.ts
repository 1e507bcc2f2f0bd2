import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { createLogitSums } from "@mbs/numbers";
import type { LogitSums } from "@mbs/numbers";
import type { Forward, TokenRange } from "../folder/model.ts";
import { logitsAtATime } from "./head.ts";

/** A tile of the logits that are compared: products of this size run at their peak. */
const tile = { rows: 512, tokens: 1024 } as const;

/** Bytes of the logits of both models. */
export const comparisonBytes = 2 * tile.rows * tile.tokens * 4;

/** States after the last block, each row of which predicts a token, and the model that they are of. */
export interface LogitSource {
  readonly forward: Pick<Forward, "logits" | "logitsByTokens">;
  /** [tokens, hidden] */
  readonly states: Matrix;
}

/** How far one model's distributions are from another's, by token. */
export interface TokenDistances {
  /** KL(first ‖ second), nats, at least 0; not finite where a logit of the second is not, or NaN or Inf is one of the first. */
  readonly kl: Float32Array;
  /** 1 where both have their largest logit at the same token (the first of equals), else 0. */
  readonly agrees: Float32Array;
}

/** The same with the losses of the tokens that came, nats. */
export interface ScoredDistances extends TokenDistances {
  readonly firstLosses: Float64Array;
  readonly secondLosses: Float64Array;
}

/** Compares the distributions of two models: one call at a time, since all write to the same memory. */
export interface LogitComparison {
  /** @param first of as many rows as `second`, and of the same vocabulary */
  of(first: LogitSource, second: LogitSource): Promise<TokenDistances>;
  /**
   * Scores both by the logits that are compared, so that each head multiplies once. Losses are those of `Forward.score`, but for
   * the rounding of logits, which come from products of other sizes.
   *
   * @param next the token that each row is to predict
   */
  scored(first: LogitSource, second: LogitSource, next: Int32Array): Promise<ScoredDistances>;
}

type Side = "first" | "second";

/** The lowest finite number of float32: what a tile that is ruled out as a whole leaves as the largest logit. */
const lowest = -3.4028234663852886e38;

/** What is known of one model's distributions after some tiles, by row. */
class RunningDistribution {
  /** The largest logit. */
  readonly most: Float32Array;
  /** Its token, the first of equals. */
  readonly top: Int32Array;
  /** Σ exp of the logits less the largest. */
  readonly sum: Float64Array;
  /** The logit of the token that the row is to predict. */
  readonly wanted: Float32Array;

  constructor(rows: number) {
    this.most = new Float32Array(rows).fill(lowest);
    this.top = new Int32Array(rows);
    this.sum = new Float64Array(rows);
    this.wanted = new Float32Array(rows);
  }

  /** Takes a larger logit as the one that others are less. @returns by how much it is larger; 0 where there was none */
  raise(row: number, most: number, token: number): number {
    const rise = at(this.sum, row) === 0 ? 0 : most - at(this.most, row);
    this.sum[row] = at(this.sum, row) * Math.exp(-rise);
    this.most[row] = most;
    this.top[row] = token;
    return rise;
  }

  /** Loss of the token that a row is to predict, nats. */
  loss(row: number): number {
    return at(this.most, row) + Math.log(at(this.sum, row)) - at(this.wanted, row);
  }
}

/** Distributions of two models after some tiles of their logits. */
class RunningPair {
  readonly first: RunningDistribution;
  readonly second: RunningDistribution;
  /** Σ exp(x)·(x - y) by row, x and y being the logits less the largest of their model. */
  readonly #difference: Float64Array;

  constructor(rows: number) {
    this.first = new RunningDistribution(rows);
    this.second = new RunningDistribution(rows);
    this.#difference = new Float64Array(rows);
  }

  /** Adds a tile of the logits of every row. @param next the token that each row is to predict */
  add(logits: LogitSums, { first: start, count }: TokenRange, next: Int32Array): void {
    for (const [row, token] of next.entries()) {
      const [from, to] = [row * count, (row + 1) * count];
      for (const side of ["first", "second"] as const) {
        this.#raise(side, row, logits, { from, to, start });
        if (token >= start && token < start + count) this[side].wanted[row] = at(logits[side], from + token - start);
      }
      const terms = logits.sums(from, to, at(this.first.most, row), at(this.second.most, row));
      this.first.sum[row] = at(this.first.sum, row) + terms.first;
      this.second.sum[row] = at(this.second.sum, row) + terms.second;
      this.#difference[row] = at(this.#difference, row) + terms.difference;
    }
  }

  /** Sees whether a tile has a larger logit than those before it. */
  #raise(side: Side, row: number, logits: LogitSums, { from, to, start }: { from: number; to: number; start: number }): void {
    const [own, most] = [this[side], logits.largest(side, from, to)];
    if (most <= at(own.most, row)) return;
    const before = at(this.first.sum, row);
    const rise = own.raise(row, most, start + logits[side].subarray(from, to).indexOf(most));
    const difference = at(this.#difference, row);
    // every x - y falls by as much, or rises
    this.#difference[row] = side === "first" ? (difference - before * rise) * Math.exp(-rise) : difference + before * rise;
  }

  /** KL(first ‖ second) of a row, nats. */
  divergence(row: number): number {
    const [p, q] = [at(this.first.sum, row), at(this.second.sum, row)];
    // rounding may leave it a little below 0
    return Math.max(0, at(this.#difference, row) / p - Math.log(p) + Math.log(q));
  }
}

const rowsOf = ({ columns, values }: Matrix, first: number, count: number): Matrix => ({
  rows: count,
  columns,
  values: values.subarray(first * columns, (first + count) * columns),
});

/** Writes logits of some tokens into an array, [rows, tokens.count]. */
type LogitsInto = (tokens: TokenRange, into: Float32Array) => Promise<void>;

async function logitsOf({ forward, states }: LogitSource): Promise<LogitsInto> {
  const { rows } = states;
  const own = await forward.logitsByTokens?.(states);
  if (own !== undefined) return async (tokens, into) => void (await own(tokens, into));
  const all = await forward.logits(states);
  return ({ first, count }, into) => {
    for (let row = 0; row < rows; row += 1) {
      into.set(rowsOf(all, row, 1).values.subarray(first, first + count), row * count);
    }
    return Promise.resolve();
  };
}

/**
 * Compares models token by token, a tile of logits at a time. With x and y their logits less the largest, P = Σ exp(x) and
 * Q = Σ exp(y), KL(p ‖ q) = Σ exp(x)·(x - y) / P - ln P + ln Q.
 *
 * Logits and terms are float32, sums float64. Where a few tokens have nearly all of a distribution, the roundings of their terms
 * leave some 1e-7 nats; they are independent from token to token, so that means over many tokens are far closer.
 *
 * @param vocabulary tokens of both models
 */
export function createLogitComparison(vocabulary: number): LogitComparison {
  let sums: LogitSums | undefined;

  /** Distributions of the rows of one tile. */
  async function compareRows(first: LogitSource, second: LogitSource, next: Int32Array): Promise<RunningPair> {
    const { rows } = first.states;
    const logits = (sums ??= createLogitSums(tile.rows * tile.tokens));
    const [ofFirst, ofSecond] = [await logitsOf(first), await logitsOf(second)];
    const pair = new RunningPair(rows);
    for (let start = 0; start < vocabulary; start += tile.tokens) {
      const tokens = { first: start, count: Math.min(tile.tokens, vocabulary - start) };
      await ofFirst(tokens, logits.first.subarray(0, rows * tokens.count));
      await ofSecond(tokens, logits.second.subarray(0, rows * tokens.count));
      pair.add(logits, tokens, next);
    }
    return pair;
  }

  const own: LogitComparison = {
    // the losses of any token are as good as of another where nobody reads them
    of: (first, second) => own.scored(first, second, new Int32Array(first.states.rows)),
    async scored(first, second, next) {
      const inParts = [first, second].every(({ forward }) => forward.logitsByTokens !== undefined);
      // where all logits are made at once few rows are
      const atATime = inParts ? tile.rows : Math.min(tile.rows, Math.max(1, Math.floor(logitsAtATime / vocabulary)));
      const { rows } = first.states;
      const [kl, agrees] = [new Float32Array(rows), new Float32Array(rows)];
      const [firstLosses, secondLosses] = [new Float64Array(rows), new Float64Array(rows)];
      for (let start = 0; start < rows; start += atATime) {
        const count = Math.min(atATime, rows - start);
        const part = ({ forward, states }: LogitSource): LogitSource => ({ forward, states: rowsOf(states, start, count) });
        const pair = await compareRows(part(first), part(second), next.subarray(start, start + count));
        for (let row = 0; row < count; row += 1) {
          kl[start + row] = pair.divergence(row);
          agrees[start + row] = Number(at(pair.first.top, row) === at(pair.second.top, row));
          firstLosses[start + row] = pair.first.loss(row);
          secondLosses[start + row] = pair.second.loss(row);
        }
      }
      return { kl, agrees, firstLosses, secondLosses };
    },
  };
  return own;
}
