import { at } from "@mbs/contracts";
/** A decoder block whose inner width is 4 times its width, and the tokens that go through it. */
export interface Shape {
  readonly width: number;
  readonly blocks: number;
  readonly segments: number;
  readonly length: number;
}

/** Floating-point operations (a multiplication and an addition are two) of each part of a sequential run. */
export interface Operations {
  readonly capture: number;
  readonly grams: number;
  readonly factors: number;
  readonly compress: number;
  readonly propagate: number;
}

const sum = (values: readonly number[], of: (value: number) => number): number =>
  values.reduce((total, value) => total + of(value), 0);

/**
 * What has to be computed, in matrix products alone; norms, softmax and activations are left out.
 *
 * Capturing leaves out the last projection; attention and Grams count the half that is needed; a site has one factor for
 * all its weights; the states after the last block feed nothing, so they are not computed.
 */
export function neededOperations({ width: d, blocks, segments, length }: Shape): Operations {
  const tokens = segments * length;
  const attention = 2 * length * d;
  const inputs = [d, d, d, 4 * d];
  const rows = [3 * d, d, 4 * d, d];
  return {
    capture: blocks * tokens * (16 * d ** 2 + attention),
    grams: blocks * tokens * sum(inputs, (width) => width ** 2),
    // n³/3 for the factorisation and n³/3 for its triangular inverse
    factors: blocks * sum(inputs, (width) => (2 / 3) * width ** 3),
    // the spread of errors over later columns, and the output's error before and after: tr(M·H·Mᵀ) twice
    compress: blocks * sum([...inputs.keys()], (site) => at(rows, site) * at(inputs, site) ** 2 * (1 + 4)),
    propagate: (blocks - 1) * tokens * (24 * d ** 2 + attention),
  };
}

/** The same for the usual loop: whole Grams, whole attention, every projection every time, three factorisations a weight. */
export function usualOperations({ width: d, blocks, segments, length }: Shape): Operations {
  const tokens = segments * length;
  const forward = blocks * tokens * (24 * d ** 2 + 4 * length * d);
  const inputs = [d, d, d, 4 * d];
  const rows = [3 * d, d, 4 * d, d];
  return {
    capture: forward,
    grams: blocks * tokens * sum(inputs, (width) => 2 * width ** 2),
    factors: blocks * sum(inputs, (width) => (4 / 3) * width ** 3),
    compress: blocks * sum([...inputs.keys()], (site) => at(rows, site) * at(inputs, site) ** 2),
    propagate: forward,
  };
}

export const total = (operations: Operations): number => sum(Object.values(operations) as number[], (value) => value);
