/** Copies some rows of `count` columns from one matrix to another, [columns, rows]; `stride` is from one column to the next. */
export function copyRows<Values extends Float32Array | Uint8Array>(
  source: Values,
  from: { readonly row: number; readonly stride: number },
  target: Values,
  to: { readonly row: number; readonly stride: number },
  rows: number,
  count: number,
): void {
  for (let column = 0; column < count; column += 1) {
    const start = column * from.stride + from.row;
    target.set(source.subarray(start, start + rows), column * to.stride + to.row);
  }
}
