// The upper half of a Gram sum as panels of rows, and plain loops over their values.
import type { Device } from "@mbs/contracts";

/** Columns a panel. Narrower panels save more of the lower half, wider ones run nearer to the peak. */
const panelColumns = { cpu: 160, webgpu: 1024 } as const;

/** Rows first … last-1 of the sum, its columns first … width-1: little below the diagonal is computed. */
export interface Panel {
  readonly first: number;
  readonly last: number;
  readonly values: Float32Array;
}

export const panelCount = (width: number, device: Device): number => Math.max(1, Math.round(width / panelColumns[device]));

export function panelsOf(width: number, device: Device): Panel[] {
  const count = panelCount(width, device);
  return Array.from({ length: count }, (_, index) => {
    const first = Math.round((index * width) / count);
    const last = Math.round(((index + 1) * width) / count);
    return { first, last, values: new Float32Array((last - first) * (width - first)) };
  });
}

/** Writes the sum divided by a number to a packed upper half: row i holds columns i … width-1. */
export function writeMean(panels: readonly Panel[], width: number, divisor: number, packed: Float32Array): void {
  let target = 0;
  for (const { first, last, values } of panels) {
    const columns = width - first;
    for (let row = 0; row < last - first; row += 1) {
      const end = (row + 1) * columns;
      for (let index = row * columns + row; index < end; index += 1, target += 1) packed[target] = values[index]! / divisor;
    }
  }
}

/** Adds `share` times the mean, which is rounded to float32, to a packed upper half. */
export function addMean(panels: readonly Panel[], width: number, divisor: number, share: number, packed: Float32Array): void {
  const { fround } = Math;
  let target = 0;
  for (const { first, last, values } of panels) {
    const columns = width - first;
    for (let row = 0; row < last - first; row += 1) {
      const end = (row + 1) * columns;
      for (let index = row * columns + row; index < end; index += 1, target += 1) {
        packed[target]! += share * fround(values[index]! / divisor);
      }
    }
  }
}

/** The sum's diagonal, length width. */
export function panelDiagonal(panels: readonly Panel[], width: number): Float32Array {
  const diagonal = new Float32Array(width);
  for (const { first, last, values } of panels) {
    for (let row = first; row < last; row += 1) diagonal[row] = values[(row - first) * (width - first + 1)]!;
  }
  return diagonal;
}
