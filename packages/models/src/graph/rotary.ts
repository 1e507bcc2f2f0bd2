import type { GraphBuilder } from "@mbs/onnx";

/**
 * Rotary positions: elements i and i + n of a head (n = number of frequencies) turn together by position · frequency[i].
 * Elements from 2n on stay as they are.
 *
 * @see arXiv:2104.09864
 */
export interface Rotary {
  /** Radians a position. */
  readonly frequencies: Float32Array;
  /** Other frequencies for all positions of texts of more than `beyond` tokens. */
  readonly long?: { readonly beyond: number; readonly frequencies: Float32Array };
  /** Factor on cosines and sines. Default 1. */
  readonly amplitude?: number;
  /** A further factor, which grows with the position: 1 + beta · ln(1 + ⌊position / every⌋). Default none. */
  readonly growth?: { readonly beta: number; readonly every: number };
}

/** What turns a head: cosines and sines of its angles, and a function that slices its elements. */
export interface Turn {
  readonly cosines: string;
  readonly sines: string;
  /** Elements from … to-1 of the last axis. */
  readonly part: (from: number, to: number) => string;
}

/** Adds the rotation of [batch, heads, length, headSize] to a graph. */
export function addRotation(graph: GraphBuilder, { frequencies }: Rotary, { cosines, sines, part }: Turn): string {
  const half = frequencies.length;
  const times = (a: string, b: string): string => graph.node("Mul", [a, b]);
  const [first, second] = [part(0, half), part(half, 2 * half)];
  const turned = [
    graph.node("Sub", [times(first, cosines), times(second, sines)]),
    graph.node("Add", [times(second, cosines), times(first, sines)]),
    part(2 * half, Number.MAX_SAFE_INTEGER),
  ];
  return graph.node("Concat", turned, { attributes: { axis: 3 } });
}

/**
 * Cosines and sines of positions 0 … length - 1, each [length, frequencies].
 *
 * @param isLong whether they are those of long texts, where there are two kinds; default by `length`
 */
export function rotaryTables(
  rotary: Rotary,
  length: number,
  isLong = rotary.long !== undefined && length > rotary.long.beyond,
): { cosines: Float32Array; sines: Float32Array } {
  const { long, amplitude = 1, growth = { beta: 0, every: 1 } } = rotary;
  const frequencies = long !== undefined && isLong ? long.frequencies : rotary.frequencies;
  const angles = new Float32Array(length * frequencies.length);
  for (let position = 0; position < length; position++) {
    for (const [pair, frequency] of frequencies.entries()) angles[position * frequencies.length + pair] = position * frequency;
  }
  const factor = (index: number): number =>
    amplitude * (1 + growth.beta * Math.log(1 + Math.floor(Math.floor(index / frequencies.length) / growth.every)));
  return {
    cosines: angles.map((angle, index) => factor(index) * Math.cos(angle)),
    sines: angles.map((angle, index) => factor(index) * Math.sin(angle)),
  };
}
