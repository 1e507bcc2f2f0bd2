import type { LayerRecord, LayerSummary, TensorData } from "@mbs/artifacts";
import type { RowRange } from "@mbs/solvers";
import { inRows, joinSummaries, refusePart } from "./joined-tensor.ts";

const bytesOf = (data: TensorData | undefined): Uint8Array => data?.data ?? new Uint8Array();

/** A tensor, or some neighbouring rows of it, whose rows are solved in another order than they have in it. */
export class ScatteredRows {
  readonly #range: RowRange;
  readonly #data = new Map<(typeof inRows)[number], TensorData>();
  readonly #parts: { readonly summary: LayerSummary; readonly rows: number }[] = [];
  #first: LayerRecord | undefined;
  #done = 0;

  /** @param range of the tensor's rows */
  constructor(range: RowRange) {
    this.#range = range;
  }

  /** How many rows there are so far. */
  get done(): number {
    return this.#done;
  }

  /**
   * Adds some rows.
   *
   * @param rows their numbers in the tensor
   * @param isPart whether rows out of the range are solved elsewhere
   * @returns the layer of all rows, once they are there
   * @throws {BadDataError} where they are of another form than those before
   */
  add(layer: LayerRecord, rows: Int32Array, isPart: boolean): LayerRecord | undefined {
    const { firstRow, rows: all } = this.#range;
    const first = (this.#first ??= layer);
    if (Buffer.compare(bytesOf(layer.groups), bytesOf(first.groups)) !== 0) {
      refusePart(layer, "some of its rows have other groups of columns");
    }
    for (const key of inRows) {
      const own = layer[key];
      if ((own === undefined) !== (first[key] === undefined)) refusePart(layer, `some of its rows have ${key} and others none`);
      if (own === undefined) continue;
      const stride = own.data.length / own.rows;
      const whole = this.#data.get(key) ?? { ...own, rows: all, data: new Uint8Array(all * stride) };
      this.#data.set(key, whole);
      for (const [index, row] of rows.entries()) {
        whole.data.set(own.data.subarray(index * stride, (index + 1) * stride), (row - firstRow) * stride);
      }
    }
    this.#parts.push({ summary: layer.summary, rows: rows.length });
    this.#done += rows.length;
    if (this.#done < all) return undefined;
    return { ...first, ...Object.fromEntries(this.#data), summary: joinSummaries(this.#parts, isPart ? firstRow : undefined) };
  }
}
