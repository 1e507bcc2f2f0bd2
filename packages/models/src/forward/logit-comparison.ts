import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { createSession, floatTensor, floatValues, GraphBuilder, integerTensor, matrixTensor } from "@mbs/onnx";
import type { Session, Tensor } from "@mbs/onnx";
import type { Forward, TokenRange } from "../folder/model.ts";
import { logitsAtATime, RunningLogSum } from "./head.ts";

/** A tile of the logits that are compared: products of this size run at their peak, and what is made of them stays in the caches. */
const tile = { rows: 512, tokens: 1024 } as const;

/** Bytes of the logits of both models and of what is computed from them. */
export const comparisonBytes = 12 * tile.rows * tile.tokens * 4;

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

/** Compares the distributions of two models. */
export interface LogitComparison {
  /** @param first of as many rows as `second`, and of the same vocabulary */
  of(first: LogitSource, second: LogitSource): Promise<TokenDistances>;
  /**
   * Scores both by the logits that are compared, so that each head multiplies once. Losses are those of `Forward.score`, but for
   * the rounding of logits and of tiles' sums to float32.
   *
   * @param next the token that each row is to predict
   */
  scored(first: LogitSource, second: LogitSource, next: Int32Array): Promise<ScoredDistances>;
  close(): Promise<void>;
}

/**
 * Compares the distributions of two models within a tile, by row. KL(p ‖ q) is Σ q - p + p·ln(p/q): Σ q - p is 0 but for
 * rounding; with it no term is below 0, and what rounding does to the normaliser of either distribution cancels instead of
 * standing in the result.
 */
function comparisonGraph(): Uint8Array {
  const graph = new GraphBuilder("comparison");
  const next = graph.input("next", "int64", ["T", 1]);
  const lastAxis = graph.constant(integerTensor([1], [1]));
  const [logP, logQ] = (["first", "second"] as const).map((side) => {
    const logits = graph.input(side, "float32", ["T", "V"]);
    const logs = graph.node("LogSoftmax", [logits], { attributes: { axis: -1 } });
    const mostOf = (values: string): string => graph.node("ReduceMax", [values, lastAxis], { attributes: { keepdims: 0 } });
    graph.output(`${side} wanted`, graph.node("GatherElements", [logits, next], { attributes: { axis: 1 } }), "float32");
    // a tenth of what ArgMax takes: where a row's largest is above that of earlier tiles its place is looked up
    const most = mostOf(logits);
    graph.output(`${side} most`, most, "float32");
    // at the largest, whose share has a small logarithm, so that nothing is lost in the difference
    graph.output(`${side} sum`, graph.node("Sub", [most, mostOf(logs)]), "float32");
    return logs;
  }) as [string, string];
  // exponentials below are no normal numbers of float32, with which the processor takes ten times as long
  const least = graph.constant(floatTensor(Float32Array.of(-87), [1]));
  const boundedP = graph.node("Max", [logP, least]);
  const [p, q] = [graph.node("Exp", [boundedP]), graph.node("Exp", [graph.node("Max", [logQ, least])])];
  const weighted = graph.node("Mul", [p, graph.node("Sub", [boundedP, logQ])]);
  const terms = graph.node("Add", [graph.node("Sub", [q, p]), weighted]);
  graph.output("kl", graph.node("ReduceSum", [terms, lastAxis], { attributes: { keepdims: 0 } }), "float32");
  return graph.build();
}

/** What is known of one model's distributions after some tiles, by row. */
class RunningDistribution {
  readonly #side: string;
  readonly #all: RunningLogSum;
  /** ln Σ exp of every tile. */
  readonly #sums: Float32Array[] = [];
  readonly #wanted: Float32Array;
  readonly #most: Float32Array;
  readonly #top: Int32Array;

  /** @param side its name in the graph */
  constructor(side: string, rows: number) {
    this.#side = side;
    this.#all = new RunningLogSum(rows);
    this.#wanted = new Float32Array(rows);
    this.#most = new Float32Array(rows).fill(-Infinity);
    this.#top = new Int32Array(rows);
  }

  /** @param next the token that each row is to predict */
  add(made: Readonly<Record<string, Tensor>>, logits: Matrix, first: number, next: Int32Array): void {
    const read = (name: string): Float32Array => floatValues(made, `${this.#side} ${name}`);
    const [sums, wanted, most] = [read("sum"), read("wanted"), read("most")];
    const { columns: count } = logits;
    this.#all.add(sums);
    this.#sums.push(sums);
    for (let row = 0; row < next.length; row += 1) {
      const column = at(next, row) - first;
      if (column >= 0 && column < count) this.#wanted[row] = at(wanted, row);
      if (at(most, row) <= at(this.#most, row)) continue;
      this.#most[row] = at(most, row);
      this.#top[row] = first + rowsOf(logits, row, 1).values.indexOf(at(most, row));
    }
  }

  /** Loss of the token that a row is to predict, nats. */
  loss(row: number): number {
    return this.#all.at(row) - at(this.#wanted, row);
  }

  /** ln of the share that a tile has. */
  logShare(row: number, tile: number): number {
    return at(at(this.#sums, tile), row) - this.#all.at(row);
  }

  top(row: number): number {
    return at(this.#top, row);
  }
}

const rowsOf = ({ columns, values }: Matrix, first: number, count: number): Matrix => ({
  rows: count,
  columns,
  values: values.subarray(first * columns, (first + count) * columns),
});

/** Logits of the rows of a tile, some tokens at a time, in memory that the next ones use again. */
async function logitsOf({ forward, states }: LogitSource): Promise<(tokens: TokenRange) => Promise<Matrix>> {
  const { rows } = states;
  const buffer = new Float32Array(rows * tile.tokens);
  const own = await forward.logitsByTokens?.(states);
  if (own !== undefined) return (tokens) => own(tokens, buffer.subarray(0, rows * tokens.count));
  const all = await forward.logits(states);
  return ({ first, count }) => {
    const values = buffer.subarray(0, rows * count);
    for (let row = 0; row < rows; row += 1) {
      values.set(rowsOf(all, row, 1).values.subarray(first, first + count), row * count);
    }
    return Promise.resolve({ rows, columns: count, values });
  };
}

/**
 * Compares models token by token, a tile of logits at a time. The divergence is that of the tiles' shares, and that within
 * each tile by its share: KL(p ‖ q) = Σₜ Qₜ - Pₜ + Pₜ·(ln Pₜ/Qₜ + KLₜ), where no term is below 0 either.
 *
 * Logits, and what is computed from those of one tile, are float32; sums over tiles are float64.
 *
 * @param vocabulary tokens of both models
 */
export function createLogitComparison(vocabulary: number, threads: number): LogitComparison {
  let session: Promise<Session> | undefined;

  /** Distributions of the rows of one tile, and the divergence of each. */
  async function compareRows(first: LogitSource, second: LogitSource, next: Int32Array) {
    session ??= createSession(comparisonGraph(), { threads, keepsMemory: true });
    const compare = await session;
    const { rows } = first.states;
    const [p, q] = [new RunningDistribution("first", rows), new RunningDistribution("second", rows)];
    const [ofFirst, ofSecond] = [await logitsOf(first), await logitsOf(second)];
    const within: Float32Array[] = [];
    for (let start = 0; start < vocabulary; start += tile.tokens) {
      const range = { first: start, count: Math.min(tile.tokens, vocabulary - start) };
      const [firsts, seconds] = [await ofFirst(range), await ofSecond(range)];
      const columns = next.map((token) => (token >= start && token < start + range.count ? token - start : 0));
      const made = await compare.run({
        first: matrixTensor(firsts),
        second: matrixTensor(seconds),
        next: integerTensor(columns, [rows, 1]),
      });
      p.add(made, firsts, start, next);
      q.add(made, seconds, start, next);
      within.push(floatValues(made, "kl"));
    }
    const divergence = (row: number): number =>
      within.reduce((sum, own, index) => {
        const [logP, logQ] = [p.logShare(row, index), q.logShare(row, index)];
        const share = Math.exp(logP);
        // rounding may leave either a little below 0
        return sum + Math.max(0, Math.exp(logQ) - share + share * (logP - logQ)) + share * Math.max(0, at(own, row));
      }, 0);
    return { p, q, divergence };
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
        const { p, q, divergence } = await compareRows(part(first), part(second), next.subarray(start, start + count));
        for (let row = 0; row < count; row += 1) {
          kl[start + row] = divergence(row);
          agrees[start + row] = Number(p.top(row) === q.top(row));
          firstLosses[start + row] = p.loss(row);
          secondLosses[start + row] = q.loss(row);
        }
      }
      return { kl, agrees, firstLosses, secondLosses };
    },
    async close() {
      await (await session)?.release();
      session = undefined;
    },
  };
  return own;
}
