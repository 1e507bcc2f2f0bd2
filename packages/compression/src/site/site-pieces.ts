import { embeddingsBlock } from "@mbs/artifacts";
import { at, BadDataError, type Shards } from "@mbs/contracts";
import type { Model, SiteTensor } from "@mbs/models";
import { rowsOfShard, splitLongRows, type RowRange } from "@mbs/solvers";
import type { ChoiceOf } from "../assignment/tensor-choice.ts";
import type { Work } from "./compressed-inputs.ts";
import { cutSite, findSite, readSite, requireRange, scaleDtypeOf, type LoadedSite } from "./site-weight.ts";

/** Weights of a site that are solved at a time. */
export interface SitePiece extends LoadedSite {
  /** Which rows of one large tensor they are; absent where a site is read as a whole. */
  readonly rows?: { readonly numbers: Int32Array; readonly range: RowRange };
  /** What a squared error of each row's output costs. */
  readonly rowCosts?: Float32Array | undefined;
}

/** The rows of a range that a factor is for. */
function rowsOfClass({ rowClass }: Work, { firstRow, rows }: RowRange): Int32Array {
  const all = Int32Array.from({ length: rows }, (_, row) => firstRow + row);
  return rowClass === undefined ? all : all.filter((row) => rowClass.classes[row] === rowClass.number);
}

/** Some rows of a tensor that is too large to be solved as a whole: only codes and written values of all are in memory, or blocks. */
async function* readRows(
  model: Model,
  work: Work,
  { tensor, rows: tensorRows }: SiteTensor,
  choiceOf: ChoiceOf,
  shards: Shards | undefined,
): AsyncGenerator<SitePiece> {
  const { block, width: columns, rowCosts, rowClass } = work;
  const choice = choiceOf({ block, tensor, columns });
  if (choice === undefined) return;
  for (const values of [rowCosts, rowClass?.classes]) {
    if (values === undefined || values.length === tensorRows) continue;
    throw new BadDataError(`the statistics are of ${values.length} tokens, ${tensor} has ${tensorRows} rows; capture again`);
  }
  const dtypes = [model.checkpoint.info(tensor).dtype ?? model.dtype];
  const shared = { dtypes, choices: [choice], scaledBy: [] };
  const range = shards === undefined ? { firstRow: 0, rows: tensorRows } : rowsOfShard(tensorRows, shards);
  const chosen = rowsOfClass(work, range);
  for (const { firstRow, rows } of splitLongRows({ firstRow: 0, rows: chosen.length }, columns)) {
    const numbers = chosen.subarray(firstRow, firstRow + rows);
    const values = await model.checkpoint.readRowsF32(tensor, numbers);
    const isSkipped = model.checkpoint.nonfinite.has(tensor);
    if (!isSkipped) requireRange(tensor, values, choice.grid);
    yield {
      ...shared,
      weight: {
        rows: isSkipped ? 0 : rows,
        columns,
        values,
        parts: [{ tensor, firstRow: 0, rows, grid: choice.grid }],
        scalable: false,
        scaleDtype: scaleDtypeOf(model, dtypes),
      },
      skipped: isSkipped ? [tensor] : [],
      origins: [{ firstRow: range.firstRow, tensorRows }],
      rows: { numbers, range },
      rowCosts: rowCosts && Float32Array.from(numbers, (row) => at(rowCosts, row)),
    };
    if (isSkipped) return;
  }
}

/**
 * Reads the weights of a site that are compressed: all of them, or some rows at a time where they are embedding or head.
 *
 * @param choiceOf what each tensor gets, if it does not stay as it is
 * @param shards whose rows are read; default all
 * @throws {BadDataError} where the model has no such site or it is of another width, or statistics are of other rows
 */
export async function* readPieces(
  model: Model,
  work: Work,
  choiceOf: ChoiceOf,
  shards: Shards | undefined,
): AsyncGenerator<SitePiece> {
  if (work.block === embeddingsBlock) {
    yield* readRows(model, work, at(findSite(model, work).weights, 0), choiceOf, shards);
    return;
  }
  const site = await readSite(model, work, choiceOf);
  yield shards === undefined ? site : cutSite(site, shards);
}
