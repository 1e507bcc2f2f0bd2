/** Index of the first NaN or Inf; -1 where all are finite. */
export function findNonfinite(values: Float32Array): number {
  // a plain loop: findIndex calls a function for each value, ten times as slow
  for (let index = 0; index < values.length; index += 1) if (!Number.isFinite(values[index])) return index;
  return -1;
}
