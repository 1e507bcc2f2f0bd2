/**
 * Rotary positions: elements i and i + n of a head (n = number of frequencies) turn together by position · frequency[i].
 * Elements from 2n on stay as they are.
 *
 * @see arXiv:2104.09864
 */
export interface Rotary {
  /** Radians a position. */
  readonly frequencies: Float32Array;
}

/** Cosines and sines of positions 0 … length - 1, each [length, frequencies]. */
export function rotaryTables({ frequencies }: Rotary, length: number): { cosines: Float32Array; sines: Float32Array } {
  const angles = Float32Array.from(
    { length: length * frequencies.length },
    (_, index) => Math.floor(index / frequencies.length) * (frequencies[index % frequencies.length] ?? 0),
  );
  return { cosines: angles.map(Math.cos), sines: angles.map(Math.sin) };
}
