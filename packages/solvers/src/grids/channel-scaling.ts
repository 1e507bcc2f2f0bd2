/** W·diag(s), [rows, columns]; s has length columns. */
export const scaleColumns = (values: Float32Array, scales: Float32Array): Float32Array =>
  values.map((value, index) => value * scales[index % scales.length]!);

/** E[x xᵀ] of inputs divided by s, [columns, columns]. */
export const scaleGram = (gram: Float32Array, scales: Float32Array): Float32Array =>
  gram.map((value, index) => value / (scales[Math.floor(index / scales.length)]! * scales[index % scales.length]!));

/** M·diag(s)⁻¹ - W: how a rounded matrix of scaled weights differs from the weights, [rows, columns]. */
export const unscaledChange = (rounded: Float32Array, scales: Float32Array, values: Float32Array): Float32Array =>
  rounded.map((value, index) => value / scales[index % scales.length]! - values[index]!);
