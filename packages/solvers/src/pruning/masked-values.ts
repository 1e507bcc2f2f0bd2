/** Values with zeros where the mask has 0. Never -0, so that equal masks give equal bytes. */
export function maskedValues(values: Float32Array, mask: Uint8Array): Float32Array {
  const masked = values.slice();
  for (let index = 0; index < masked.length; index += 1) if (mask[index] === 0) masked[index] = 0;
  return masked;
}
