import type { Matrix } from "@mbs/contracts";
import { createSession, floatTensor, floatValues, GraphBuilder, integerTensor } from "@mbs/onnx";
import type { Session, Tensor } from "@mbs/onnx";
import type { Forward } from "../folder/model.ts";
import { logitsAtATime } from "./head.ts";

/** Logits of each model that are compared at a time: what is made of them stays in the caches. */
const comparedAtATime = 512 * 1024;

/** States after the last block, each row of which predicts a token, and the model that they are of. */
export interface LogitSource {
  readonly forward: Pick<Forward, "logits">;
  /** [tokens, hidden] */
  readonly states: Matrix;
}

/** How far one model's distributions are from another's, by token. */
export interface TokenDistances {
  /** KL(first ‖ second), nats, at least 0; NaN where logits are not finite. */
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
   * Scores both by the logits that are compared, so that each head multiplies once.
   *
   * A loss is the logarithm of a probability in float32, within about 1e-6 of that by `Forward.score`, which sums in double
   * precision.
   *
   * @param next the token that each row is to predict
   */
  scored(first: LogitSource, second: LogitSource, next: Int32Array): Promise<ScoredDistances>;
  close(): Promise<void>;
}

/**
 * KL(p ‖ q) as Σ q - p + p·ln(p/q). Σ q - p is 0 but for rounding; with it no term is below 0, and what rounding does to the
 * normaliser of either distribution cancels instead of standing in the result.
 */
function comparisonGraph(): Uint8Array {
  const graph = new GraphBuilder("comparison");
  const [first, second] = [graph.input("first", "float32", ["T", "V"]), graph.input("second", "float32", ["T", "V"])];
  const next = graph.input("next", "int64", ["T", 1]);
  const logarithms = (logits: string): string => graph.node("LogSoftmax", [logits], { attributes: { axis: -1 } });
  const [logP, logQ] = [logarithms(first), logarithms(second)];
  const [p, q] = [graph.node("Exp", [logP]), graph.node("Exp", [logQ])];
  const weighted = graph.node("Mul", [p, graph.node("Sub", [logP, logQ])]);
  const terms = graph.node("Add", [graph.node("Sub", [q, p]), weighted]);
  const lastAxis = graph.constant(integerTensor([1], [1]));
  graph.output("kl", graph.node("ReduceSum", [terms, lastAxis], { attributes: { keepdims: 0 } }), "float32");
  const loss = (logs: string): string =>
    graph.node("Neg", [graph.node("GatherElements", [logs, next], { attributes: { axis: 1 } })]);
  graph.output("first loss", loss(logP), "float32");
  graph.output("second loss", loss(logQ), "float32");
  const top = (logits: string): string => graph.node("ArgMax", [logits], { attributes: { axis: -1, keepdims: 0 } });
  graph.output(
    "agrees",
    graph.node("Cast", [graph.node("Equal", [top(first), top(second)])], { attributes: { to: 1 } }),
    "float32",
  );
  return graph.build();
}

const rowsOf = ({ columns, values }: Matrix, first: number, last: number): Matrix => ({
  rows: last - first,
  columns,
  values: values.subarray(first * columns, last * columns),
});

const tensorOf = ({ rows, columns, values }: Matrix): Tensor => floatTensor(values, [rows, columns]);

/**
 * Compares models token by token. Logits of few tokens are in memory at a time: 64 of a vocabulary of 250,000, of both models.
 *
 * Logits, and what is computed from those of one token, are float32.
 *
 * @param vocabulary tokens of both models
 */
export function createLogitComparison(vocabulary: number, threads: number): LogitComparison {
  const together = Math.max(1, Math.floor(logitsAtATime / vocabulary));
  const compared = Math.max(1, Math.floor(comparedAtATime / vocabulary));
  let session: Promise<Session> | undefined;
  const own: LogitComparison = {
    // the losses of any token are as good as of another where nobody reads them
    of: (first, second) => own.scored(first, second, new Int32Array(first.states.rows)),
    async scored(first, second, next) {
      session ??= createSession(comparisonGraph(), { threads });
      const compare = await session;
      const { rows } = first.states;
      const [kl, agrees] = [new Float32Array(rows), new Float32Array(rows)];
      const [firstLosses, secondLosses] = [new Float64Array(rows), new Float64Array(rows)];
      for (let start = 0; start < rows; start += together) {
        const end = Math.min(rows, start + together);
        const firsts = await first.forward.logits(rowsOf(first.states, start, end));
        const seconds = await second.forward.logits(rowsOf(second.states, start, end));
        for (let row = start; row < end; row += compared) {
          const part = [row - start, Math.min(end, row + compared) - start] as const;
          const made = await compare.run({
            first: tensorOf(rowsOf(firsts, ...part)),
            second: tensorOf(rowsOf(seconds, ...part)),
            next: integerTensor(next.subarray(start + part[0], start + part[1]), [part[1] - part[0], 1]),
          });
          // rounding may leave it a little below 0
          kl.set(
            floatValues(made, "kl").map((value) => Math.max(0, value)),
            row,
          );
          agrees.set(floatValues(made, "agrees"), row);
          firstLosses.set(floatValues(made, "first loss"), row);
          secondLosses.set(floatValues(made, "second loss"), row);
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
