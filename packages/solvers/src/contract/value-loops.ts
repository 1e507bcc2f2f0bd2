/** Plain loops over all values of a weight: a function called for each takes ten times as long. */

/** Whether a number is above a limit. */
export function isAnyAbove(values: Uint8Array, limit: number): boolean {
  for (let index = 0; index < values.length; index += 1) if (values[index]! > limit) return true;
  return false;
}

/** The index of the first value that is not 0 where the mask is; -1 where none is. */
export function findUnmasked(values: Float32Array, mask: Uint8Array): number {
  for (let index = 0; index < values.length; index += 1) if (mask[index] === 0 && values[index] !== 0) return index;
  return -1;
}
