import { at, InternalError } from "@mbs/contracts";
import type { Device } from "@mbs/contracts";
import type { PlacedMatrix } from "../device-tensor.ts";
import type { BlasOptions } from "./blas.ts";
import { DeviceProducts } from "./device-products.ts";
import { addMean, panelDiagonal, panelsOf, writeMean } from "./gram-panels.ts";
import { HostProducts } from "./host-products.ts";
import type { ProductEngine, ProductSum } from "./product-engine.ts";
import { takeSessions } from "./pooled-sessions.ts";

/** A running sum of x xᵀ over tokens. */
export interface GramSum {
  readonly width: number;
  /** Tokens seen so far. */
  readonly tokens: number;
  /** Adds XᵀX of X, shape [tokens, width]. */
  add(states: PlacedMatrix): Promise<void>;
  /** Brings what was added to memory: what follows knows of nothing that was added later. */
  settle(): Promise<void>;
  /** The sum divided by a number: upper half packed, row i holds columns i … width-1. */
  mean(divisor: number): Float32Array;
  /** Adds `share` times the mean to a packed upper half, each rounded to float32. */
  addMean(divisor: number, share: number, target: Float32Array): void;
  /** The sum's diagonal, length width. NaN or Inf anywhere in the sum shows in it: |Σxᵢxⱼ| ≤ √(Σxᵢ² Σxⱼ²). */
  diagonal(): Float32Array;
  /** Begins again in the same memory. */
  clear(): void;
}

/** A running sum of a bᵀ over tokens. */
export interface CrossSum {
  /** Adds AᵀB, both of shape [tokens, width]. */
  add(a: PlacedMatrix, b: PlacedMatrix): Promise<void>;
  /** Whether no channel's sum with itself is NaN or Inf, as far as the sum is in memory: NaN in a state shows there. */
  readonly finiteDiagonal: boolean;
  /** The sum, [width, width], which begins again in other memory. */
  take(): Promise<Float32Array>;
}

/** Makes sums of second moments that share their sessions. */
export interface MomentKernel {
  gram(width: number): GramSum;
  cross(width: number): CrossSum;
  /** Frees the sessions, or leaves them in the pool; sums keep what was settled. */
  release(): Promise<void>;
}

function requireShape(width: number, states: PlacedMatrix): void {
  const { rows, columns } = states;
  const size = "tensor" in states ? states.tensor.size : states.values.length;
  if (columns === width && size === rows * width) return;
  throw new InternalError(`a sum of width ${width} was given states of shape ${rows}×${columns}`, { width });
}

function createGram(width: number, engine: ProductEngine, device: Device): GramSum {
  const panels = panelsOf(width, device);
  let tokens = 0;
  return {
    width,
    get tokens() {
      return tokens;
    },
    async add(states) {
      requireShape(width, states);
      if (states.rows === 0) return;
      await engine.addGram(states, panels);
      tokens += states.rows;
    },
    async settle() {
      for (const panel of panels) await engine.settle(panel);
    },
    mean: (divisor) => {
      const packed = new Float32Array((width * (width + 1)) / 2);
      writeMean(panels, width, divisor, packed);
      return packed;
    },
    addMean: (divisor, share, target) => addMean(panels, width, divisor, share, target),
    diagonal: () => panelDiagonal(panels, width),
    clear() {
      for (const panel of panels) {
        engine.drop(panel);
        panel.values.fill(0);
      }
      tokens = 0;
    },
  };
}

function createCross(width: number, engine: ProductEngine): CrossSum {
  /** Made by the first tokens, given away by `take`. */
  let sum: ProductSum | undefined;
  return {
    async add(a, b) {
      requireShape(width, a);
      requireShape(width, b);
      if (a.rows === 0) return;
      sum ??= { values: new Float32Array(width * width) };
      await engine.addCross(a, b, sum);
    },
    get finiteDiagonal() {
      const values = sum?.values;
      return (
        values === undefined ||
        Array.from({ length: width }, (_, channel) => at(values, channel * (width + 1))).every(Number.isFinite)
      );
    },
    async take() {
      const taken = sum;
      sum = undefined;
      if (taken === undefined) return new Float32Array(width * width);
      await engine.settle(taken);
      engine.drop(taken);
      return taken.values;
    },
  };
}

/**
 * Sums of second moments on ONNX Runtime: Grams Σ x xᵀ in upper block panels, about half the work of the whole product, and
 * whole products of two matrices. On a graphics processor they stay in its memory until they are settled or taken.
 *
 * A segment's product is summed by the engine onto the running float32 sum; over 256 segments that is good to 1e-6 of the
 * largest value. Sums of one kernel are fed one after the other.
 *
 * @param options threads of one product, ≥ 1, where sessions stay between kernels, and what computes
 */
export function createMomentKernel({
  threads,
  pool,
  device = "cpu",
}: BlasOptions & { readonly device?: Device | undefined }): MomentKernel {
  const engine = device === "cpu" ? new HostProducts(takeSessions("moments", threads, pool)) : new DeviceProducts();
  return {
    gram: (width) => createGram(width, engine, device),
    cross: (width) => createCross(width, engine),
    release: () => engine.release(),
  };
}
