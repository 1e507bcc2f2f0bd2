import type { LayerRecord, LayerSummary, TensorData } from "@mbs/artifacts";
import { InternalError } from "@mbs/contracts";
import type { RowRange } from "@mbs/solvers";
import { inRows, joinSummaries, refusePart } from "./joined-tensor.ts";

const bytesOf = (data: TensorData | undefined): Uint8Array => data?.data ?? new Uint8Array();

/** A tensor, or some neighbouring rows of it, whose rows are solved in another order than they have in it. */
export class ScatteredRows {
  readonly range: RowRange;
  readonly #data = new Map<(typeof inRows)[number], TensorData>();
  readonly #parts: { readonly summary: LayerSummary; readonly rows: number }[] = [];
  #first: LayerRecord | undefined;
  #done = 0;
  #isLeft = false;

  /** @param range of the tensor's rows */
  constructor(range: RowRange) {
    this.range = range;
  }

  /** How many rows there are so far. */
  get done(): number {
    return this.#done;
  }

  /** Whether the tensor stays as it is. */
  get isLeft(): boolean {
    return this.#isLeft;
  }

  leave(): void {
    this.#isLeft = true;
    this.#data.clear();
  }

  /**
   * Adds some rows.
   *
   * @param rows their numbers in the tensor
   * @throws {BadDataError} where they are of another form than those before
   */
  add(layer: LayerRecord, rows: Int32Array): void {
    const { firstRow, rows: all } = this.range;
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
  }

  /**
   * The layer of all rows; undefined where there are none, or the tensor stays as it is.
   *
   * @param isPart whether other rows of the tensor are solved elsewhere
   * @throws {InternalError} where some are missing
   */
  finish(isPart: boolean): LayerRecord | undefined {
    const { firstRow, rows } = this.range;
    if (this.#isLeft || rows === 0) return undefined;
    const first = this.#first;
    if (first === undefined || this.#done !== rows) throw new InternalError(`${this.#done} of ${rows} rows were solved`);
    return { ...first, ...Object.fromEntries(this.#data), summary: joinSummaries(this.#parts, isPart ? firstRow : undefined) };
  }
}
