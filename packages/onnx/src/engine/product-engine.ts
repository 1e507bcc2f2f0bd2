import type { PlacedMatrix } from "../device-tensor.ts";
import type { Panel } from "./gram-panels.ts";

/** A running sum of products, where it is in memory. On a graphics processor it is known by this object. */
export interface ProductSum {
  readonly values: Float32Array;
}

/** What adds products up, in memory or on a graphics processor. */
export interface ProductEngine {
  /** Adds XᵀX of X, [tokens, width], to the panels of its upper half. */
  addGram(states: PlacedMatrix, panels: readonly Panel[]): Promise<void>;
  /** Adds AᵀB, both [tokens, width]. */
  addCross(a: PlacedMatrix, b: PlacedMatrix, sum: ProductSum): Promise<void>;
  /** Brings a sum to memory. */
  settle(sum: ProductSum): Promise<void>;
  /** Forgets a sum that is elsewhere. */
  drop(sum: ProductSum): void;
  release(): Promise<void>;
}
