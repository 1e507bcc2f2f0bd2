import { KernelLayout } from "../wasm/kernel-memory.ts";
import type { PointChoice, PointTables } from "./point-rounder-reference.ts";

/**
 * Chooses points of a codebook by a kernel. It gives the same bits as {@link roundPointsReference}.
 *
 * @param rows rows of W
 * @returns the function that {@link roundPointsReference} is of one codebook; the values that it gives back are overwritten by the
 * next call
 */
export function createPointRounder(
  { span, width, levels, tree, evenSigns }: PointTables,
  rows: number,
): (choice: PointChoice) => Float32Array {
  const layout = new KernelLayout();
  const [X, Q] = [layout.take(4 * span * rows), layout.take(4 * span * rows)];
  const [S, C] = [layout.take(4 * rows), layout.take(span * rows)];
  const [U, L] = [layout.take(8 * span * span), layout.take(8 * levels.length)];
  const [T, B] = [layout.take(2 * tree.length), layout.take(8 * 64)];
  const { buffer, kernels } = layout.build();
  new Int16Array(buffer, T, tree.length).set(tree);
  new Float64Array(buffer, L, levels.length).set(levels);
  const [panel, values] = [new Float32Array(buffer, X, span * rows), new Float32Array(buffer, Q, span * rows)];
  const codePanel = new Uint8Array(buffer, C, span * rows);
  return ({ wanted, upper, scales, codes, keeps }) => {
    panel.set(wanted);
    new Float64Array(buffer, U, span * span).set(upper);
    new Float32Array(buffer, S, rows).set(scales);
    codePanel.set(codes);
    kernels.roundPoints(X, U, S, C, Q, T, L, B, rows, span, width, levels.length / 2, Number(evenSigns), Number(keeps));
    codes.set(codePanel);
    return values;
  };
}
