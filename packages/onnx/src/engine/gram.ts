import { InternalError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import type { BlasOptions } from "./blas.ts";
import { GraphBuilder } from "../graph-builder.ts";
import { addMean, panelDiagonal, panelsOf, writeMean } from "./gram-panels.ts";
import type { Panel } from "./gram-panels.ts";
import { takeSessions } from "./pooled-sessions.ts";
import type { Sessions } from "./pooled-sessions.ts";
import { floatTensor } from "../tensor.ts";

/** A running sum of x xᵀ over tokens. */
export interface GramSum {
  readonly width: number;
  /** Tokens seen so far. */
  readonly tokens: number;
  /** Adds XᵀX of X, shape [tokens, width]. */
  add(states: Matrix): Promise<void>;
  /** The sum divided by a number: upper half packed, row i holds columns i … width-1. */
  mean(divisor: number): Float32Array;
  /** Adds `share` times the mean to a packed upper half, each rounded to float32. */
  addMean(divisor: number, share: number, target: Float32Array): void;
  /** The sum's diagonal, length width. NaN or Inf anywhere in the sum shows in it: |Σxᵢxⱼ| ≤ √(Σxᵢ² Σxⱼ²). */
  diagonal(): Float32Array;
  /** Begins again in the same memory. */
  clear(): void;
}

/** Makes Gram sums that share their sessions. */
export interface GramKernel {
  sum(width: number): GramSum;
  /** Frees the sessions, or leaves them in the pool; sums keep what they have. */
  release(): Promise<void>;
}

function transposeGraph(): Uint8Array {
  const graph = new GraphBuilder("transpose");
  const x = graph.input("x", "float32", ["T", "W"]);
  graph.output("y", graph.node("Transpose", [x], { attributes: { perm: [1, 0] } }), "float32", ["W", "T"]);
  return graph.build();
}

function panelGraph(): Uint8Array {
  const graph = new GraphBuilder("gram");
  const inputs = [
    graph.input("a", "float32", ["M", "T"]),
    graph.input("b", "float32", ["N", "T"]),
    graph.input("sum", "float32", ["M", "N"]),
  ];
  const product = graph.node("Gemm", inputs, { attributes: { transB: 1 }, name: "gram-panel" });
  graph.output("y", product, "float32", ["M", "N"]);
  return graph.build();
}

/** What all sums of a kernel share: sessions, and a buffer for one Xᵀ. */
class Engine {
  readonly #sessions: Sessions;
  #buffer = new Float32Array(0);

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
  }

  /** Adds XᵀX to the panels. Parts of Xᵀ are views, and a panel is read and written in place: nothing else is copied. */
  async add({ rows, columns, values }: Matrix, panels: readonly Panel[]): Promise<void> {
    const transpose = await this.#sessions.get("transpose", transposeGraph);
    const product = await this.#sessions.get("panel", panelGraph);
    if (this.#buffer.length < values.length) this.#buffer = new Float32Array(values.length);
    const turned = this.#buffer.subarray(0, values.length);
    await transpose.run({ x: floatTensor(values, [rows, columns]) }, { y: floatTensor(turned, [columns, rows]) });
    for (const { first, last, values: panel } of panels) {
      const sum = floatTensor(panel, [last - first, columns - first]);
      const a = floatTensor(turned.subarray(first * rows, last * rows), [last - first, rows]);
      const b = floatTensor(turned.subarray(first * rows), [columns - first, rows]);
      await product.run({ a, b, sum }, { y: sum });
    }
  }

  async release(): Promise<void> {
    this.#buffer = new Float32Array(0);
    await this.#sessions.release();
  }
}

function createSum(width: number, engine: Engine): GramSum {
  const panels = panelsOf(width);
  let tokens = 0;
  return {
    width,
    get tokens() {
      return tokens;
    },
    async add(states) {
      if (states.columns !== width || states.values.length !== states.rows * width) {
        throw new InternalError(`a Gram sum of width ${width} was given states of shape ${states.rows}×${states.columns}`, {
          width,
        });
      }
      if (states.rows === 0) return;
      await engine.add(states, panels);
      tokens += states.rows;
    },
    mean: (divisor) => {
      const packed = new Float32Array((width * (width + 1)) / 2);
      writeMean(panels, width, divisor, packed);
      return packed;
    },
    addMean: (divisor, share, target) => addMean(panels, width, divisor, share, target),
    diagonal: () => panelDiagonal(panels, width),
    clear() {
      for (const { values } of panels) values.fill(0);
      tokens = 0;
    },
  };
}

/**
 * Gram matrices Σ x xᵀ on ONNX Runtime, computed in upper block panels: about half the work of the whole product.
 *
 * A segment's product is summed by the engine onto the running float32 sum; over 256 segments that is good to 1e-6 of the
 * largest value. Sums of one kernel are fed one after the other.
 *
 * @param options threads of one product, ≥ 1, and where sessions stay between kernels
 */
export function createGramKernel({ threads, pool }: BlasOptions): GramKernel {
  const engine = new Engine(takeSessions("Grams", threads, pool));
  return {
    sum: (width) => createSum(width, engine),
    release: () => engine.release(),
  };
}
