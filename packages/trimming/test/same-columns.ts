import * as assert from "uvu/assert";
import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";

/**
 * The same products of the same rows: only the order of sums within a product may differ, where ONNX Runtime splits one of another
 * width otherwise. A sum of n products in float32 has an error of about √n·6e-8.
 */
const tolerance = 2e-6;

/** Whether a trimmed model has the logits of its source, in the columns of the rows that it kept. */
export function sameColumns(before: Matrix, after: Matrix, rows: readonly number[]): void {
  assert.is(after.rows, before.rows);
  assert.is(after.columns, rows.length);
  const most = before.values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  for (let index = 0; index < after.values.length; index++) {
    const [row, column] = [Math.floor(index / after.columns), index % after.columns];
    const difference = Math.abs(at(after.values, index) - at(before.values, row * before.columns + at(rows, column)));
    assert.ok(difference <= tolerance * most, `row ${row}, token ${column}: ${difference} of ${most}`);
  }
}
