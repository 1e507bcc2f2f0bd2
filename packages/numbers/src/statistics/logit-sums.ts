import { at } from "@mbs/contracts";
import { KernelLayout } from "../wasm/kernel-memory.ts";

/** What some columns of a row add, x and y being the logits of two models less a number for each. */
export interface LogitTerms {
  /** Σ exp(x) */
  readonly first: number;
  /** Σ exp(y) */
  readonly second: number;
  /** Σ exp(x)·(x - y) */
  readonly difference: number;
}

/** Sums over two models' logits of the same tokens: what their losses and the divergence of their distributions are made of. */
export interface LogitSums {
  /** Logits of the first model, in rows one after the other: written by the caller. */
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** The largest of the logits from `from` to before `to`; NaN is none. */
  largest(side: "first" | "second", from: number, to: number): number;
  /**
   * @param mostFirst at least as large as each of the logits
   * @returns sums in float64 of up to 8 terms in float32. What the first model rules out (-Infinity) counts next to nothing; where the
   *   second does, the difference is Infinity; NaN gives NaN
   */
  sums(from: number, to: number, mostFirst: number, mostSecond: number): LogitTerms;
}

/** @param size logits of each model */
export function createLogitSums(size: number): LogitSums {
  const layout = new KernelLayout();
  const [P, Q, O] = [layout.take(size * 4), layout.take(size * 4), layout.take(3 * 8)];
  const { buffer, kernels } = layout.build();
  const made = new Float64Array(buffer, O, 3);
  return {
    first: new Float32Array(buffer, P, size),
    second: new Float32Array(buffer, Q, size),
    largest: (side, from, to) => kernels.largest((side === "first" ? P : Q) + 4 * from, to - from),
    sums(from, to, mostFirst, mostSecond) {
      kernels.sumLogits(P + 4 * from, Q + 4 * from, to - from, mostFirst, mostSecond, O);
      return { first: at(made, 0), second: at(made, 1), difference: at(made, 2) };
    },
  };
}
