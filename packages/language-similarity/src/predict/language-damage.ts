import type { DamageRecord, OwnStatistic } from "@mbs/artifacts";
import { at, BadDataError } from "@mbs/contracts";
import type { Blas } from "@mbs/contracts";
import { momentOf, outputsByRow } from "@mbs/solvers";
import type { WeightChange } from "./weight-change.ts";

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);

/** What errors of each row cost one language, where rows differ in that. */
export interface RowCosts {
  /** Of a squared error of the row's output, [rows]. */
  readonly output: Float32Array;
  /** Of a squared error of the row itself, [rows]; absent where that costs nothing else. */
  readonly row?: Float32Array;
}

/** Weighs squares of outputs, [rows], in place. @param values the weight or its change, [rows, columns] */
function weigh(squares: Float64Array, values: Float32Array, costs: RowCosts | undefined): void {
  if (costs === undefined) return;
  const columns = values.length / squares.length;
  for (const [row, square] of squares.entries()) {
    let own = 0;
    if (costs.row !== undefined) {
      for (let index = row * columns; index < (row + 1) * columns; index += 1) own += at(values, index) ** 2;
      own *= at(costs.row, row);
    }
    squares[row] = square * at(costs.output, row) + own;
  }
}

/**
 * The damage of changed weights to one language: tr(ΔW H ΔWᵀ) of each tensor, and its ratio to tr(W H Wᵀ).
 *
 * @param statistic H, or its diagonal, of the site that the weights read
 * @param costs of embedding and head
 * @throws {BadDataError} where an error overflows
 */
export async function languageDamage(
  blas: Blas,
  changes: readonly WeightChange[],
  statistic: OwnStatistic,
  costs?: RowCosts,
): Promise<DamageRecord[]> {
  const { block, site, language, kind } = statistic;
  const moment = momentOf(statistic);
  const records: DamageRecord[] = [];
  for (const { tensor, rows, weight, change } of changes) {
    // Rounding can make an error of 0 slightly negative.
    const [error, output] = (await outputsByRow(blas, [change, weight], rows, moment)).map((squares, index) => {
      weigh(squares, index === 0 ? change : weight, costs);
      return Math.max(0, sum(squares));
    }) as [number, number];
    if (!Number.isFinite(error) || !Number.isFinite(output)) {
      throw new BadDataError(
        `${tensor} at ${block} ${site}: its error in ${language} overflows float32; its weights or the states that it read are broken or too large: take the model from its source again`,
        { block, site, language },
      );
    }
    records.push({ block, site, tensor, language, moment: kind, error, output, damage: output > 0 ? error / output : 0 });
  }
  return records;
}
