import type { Matrix } from "@mbs/contracts";

/** H[first … first+count-1, from … to-1] of a block of columns, whole as a matrix. */
export function hessianPart(
  hessian: Float32Array,
  { first, count }: { readonly first: number; readonly count: number },
  from: number,
  to: number,
): Matrix {
  const size = Math.round(Math.sqrt(hessian.length));
  const values = new Float32Array(count * (to - from));
  for (let row = 0; row < count; row += 1) {
    const start = (first + row) * size;
    values.set(hessian.subarray(start + from, start + to), row * (to - from));
  }
  return { rows: count, columns: to - from, values };
}
