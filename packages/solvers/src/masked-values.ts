/** Values with zeros where the mask has 0. Never -0, so that equal masks give equal bytes. */
export const maskedValues = (values: Float32Array, mask: Uint8Array): Float32Array =>
  values.map((value, index) => (mask[index] === 0 ? 0 : value));
