import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";

/** The rows of matrices under each other. */
export function stackRows(parts: readonly Matrix[]): Matrix {
  const first = at(parts, 0);
  if (parts.length === 1) return first;
  const { columns } = first;
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const values = new Float32Array(rows * columns);
  let row = 0;
  for (const part of parts) {
    values.set(part.values, row * columns);
    row += part.rows;
  }
  return { rows, columns, values };
}
