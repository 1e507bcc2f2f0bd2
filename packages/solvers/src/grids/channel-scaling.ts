// Plain loops over rows: the array's own methods call a function for each value, and AWQ comes here for each of its powers.

/** W·diag(s), [rows, columns]; s has length columns. */
export function scaleColumns(values: Float32Array, scales: Float32Array): Float32Array {
  const columns = scales.length;
  const scaled = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += columns) {
    for (let column = 0; column < columns; column += 1) scaled[start + column] = values[start + column]! * scales[column]!;
  }
  return scaled;
}

/** E[x xᵀ] of inputs divided by s, [columns, columns]. */
export function scaleGram(gram: Float32Array, scales: Float32Array): Float32Array {
  const columns = scales.length;
  const scaled = new Float32Array(gram.length);
  for (let row = 0; row < columns; row += 1) {
    const start = row * columns;
    for (let column = 0; column < columns; column += 1) {
      scaled[start + column] = gram[start + column]! / (scales[row]! * scales[column]!);
    }
  }
  return scaled;
}

/** M·diag(s)⁻¹ - W: how a rounded matrix of scaled weights differs from the weights, [rows, columns]. */
export function unscaledChange(rounded: Float32Array, scales: Float32Array, values: Float32Array): Float32Array {
  const columns = scales.length;
  const change = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += columns) {
    for (let column = 0; column < columns; column += 1) {
      const index = start + column;
      change[index] = rounded[index]! / scales[column]! - values[index]!;
    }
  }
  return change;
}
