import { layerNorm, rmsNorm } from "../../graph/norms.ts";
import type { RowGraph } from "../../graph/sequence-graph.ts";
import type { GatedDecoder } from "./gated-block.ts";

/** A norm of the decoder's kind over the last axis, of `size` elements. */
export const gatedNorm = (rows: RowGraph, value: string, role: string, size: number, norm: GatedDecoder["norm"]): string =>
  norm.centred
    ? layerNorm(rows, value, role, { size, epsilon: norm.epsilon, biased: false })
    : rmsNorm(rows, value, role, { size, ...norm });
