import { embeddingSite, headSite } from "@mbs/artifacts";
import type { FactorRecord } from "@mbs/artifacts";
import { at, BadDataError, InterruptedError, type Grid, type Shards } from "@mbs/contracts";
import type { Model, SiteTensor, Vocabulary } from "@mbs/models";
import { packUpper } from "@mbs/numbers";
import { rowsOfShard, splitLongRows, type RowRange } from "@mbs/solvers";
import type { ScatteredRows } from "../rows/scattered-rows.ts";
import type { SiteInput } from "./site-statistics.ts";
import { scaleDtypeOf, type RowOrigin } from "./site-weight.ts";
import { solveSite, type SiteContext, type SolverChoice } from "./solve-site.ts";

/** How much each row counts: what an error of a token's logit costs, and how often its embedding is read; [vocabulary]. */
export interface TokenCosts {
  readonly spread?: Float32Array;
  readonly reads?: Float32Array;
  /** The class of each row, whose factor solves it; absent where one factor solves all. */
  readonly classes?: Float32Array;
}

/** H = I for the embedding of an untied model: tokens read its rows as they are. */
function plainFactor({ step, width }: { readonly step: string; readonly width: number }, like: FactorRecord): FactorRecord {
  const identity = new Float32Array(width * width);
  for (let column = 0; column < width; column += 1) identity[column * (width + 1)] = 1;
  const packed = packUpper(identity, width);
  const { requestedDamping: _, fallback: __, ...summary } = like.summary;
  return {
    step,
    site: embeddingSite,
    width,
    summary: {
      ...summary,
      requestedDamping: 0,
      damping: 0,
      precision: "float32",
      retries: 0,
      dead: [],
      orderName: "natural",
      factorised: true,
    },
    order: Int32Array.from({ length: width }, (_, column) => column),
    diagonal: new Float32Array(width).fill(1),
    gram: packed,
    upper: packed.slice(),
  };
}

/** Embedding and head as inputs of `solveVocabulary`. @param head factor of the head's site; none without statistics */
export function vocabularyInputs({ name: step, sites }: Vocabulary, head: FactorRecord | undefined): readonly SiteInput[] {
  return sites.map(({ name: site, width }) => {
    if (head === undefined) return { step, site, width };
    return { step, site, width, factor: site === headSite ? head : plainFactor({ step, width }, head) };
  });
}

/** The tensor of embedding or head. @throws {BadDataError} where the factor is of another width */
export function vocabularyTensor(model: Model, { site: name, width, factor }: SiteInput): SiteTensor {
  const site = model.vocabulary?.sites.find((known) => known.name === name);
  if (site?.width !== width || (factor !== undefined && factor.width !== width)) {
    throw new BadDataError(
      `the factor of the ${name} is ${factor?.width ?? width} wide, and the model ${site?.width ?? "has none"}; factor again`,
    );
  }
  return at(site.weights, 0);
}

/** The rows of embedding or head that one factor is for. */
export interface VocabularyRows {
  readonly costs: TokenCosts;
  /** Their class; undefined for all rows. */
  readonly number: number | undefined;
  /** Whether no other rows of the tensor follow. */
  readonly isLast: boolean;
}

export const allRows = (costs: TokenCosts): VocabularyRows => ({ costs, number: undefined, isLast: true });

/** The largest number of a class: 0 where one factor is for all rows. */
export const lastClass = ({ classes }: TokenCosts): number => classes?.reduce((most, number) => Math.max(most, number), 0) ?? 0;

/** The rows of embedding or head that are compressed: all, or those of a shard. */
export function rangeOfVocabulary(model: Model, input: SiteInput, shards: Shards | undefined): RowRange {
  const { rows } = vocabularyTensor(model, input);
  return shards === undefined ? { firstRow: 0, rows } : rowsOfShard(rows, shards);
}

/** The rows of a class. */
function rowsOfClass({ classes }: TokenCosts, number: number | undefined, { firstRow, rows }: RowRange): Int32Array {
  const all = Int32Array.from({ length: rows }, (_, row) => firstRow + row);
  return number === undefined || classes === undefined ? all : all.filter((row) => classes[row] === number);
}

/** How some rows of embedding or head are compressed. */
interface VocabularyTask extends Pick<VocabularyRows, "costs" | "number"> {
  readonly choice: SolverChoice;
  /** What rows are rounded to. */
  readonly grid: Grid;
}

/**
 * Compresses the rows of a class of embedding or head, some at a time, so that only the codes and written values of all rows are
 * in memory as a whole.
 *
 * @param input one of `vocabularyInputs`, with the factor of the class
 * @param into takes the rows; a tensor with NaN or Inf is left as it is
 */
export async function solveVocabulary(
  model: Model,
  input: SiteInput,
  { choice, grid, costs, number }: VocabularyTask,
  into: ScatteredRows,
  context: Omit<SiteContext, "origins" | "rowCosts"> & { readonly onRows: (done: number, total: number) => void },
): Promise<void> {
  if (into.isLeft) return;
  const { range } = into;
  const { site: name, width: columns } = input;
  const { tensor, rows: tensorRows } = vocabularyTensor(model, input);
  const rowCosts = name === embeddingSite ? costs.reads : costs.spread;
  for (const values of [rowCosts, costs.classes]) {
    if (values === undefined || values.length === tensorRows) continue;
    throw new BadDataError(`the statistics are of ${values.length} tokens, ${tensor} has ${tensorRows} rows; capture again`);
  }
  const dtype = model.checkpoint.info(tensor).dtype ?? model.dtype;
  const chosen = rowsOfClass(costs, number, range);
  for (const { firstRow: first, rows } of splitLongRows({ firstRow: 0, rows: chosen.length }, columns)) {
    if (context.signal.aborted) throw new InterruptedError("compress: stopped");
    const taken = chosen.subarray(first, first + rows);
    const values = await model.checkpoint.readRowsF32(tensor, taken);
    if (model.checkpoint.nonfinite.has(tensor)) {
      context.warn(`tensor ${tensor} has NaN or Inf and stays uncompressed`);
      into.leave();
      return;
    }
    const weight = {
      rows,
      columns,
      values,
      parts: [{ tensor, firstRow: 0, rows, grid }],
      scalable: false,
      scaleDtype: scaleDtypeOf(model, [dtype]),
    };
    const origins: readonly RowOrigin[] = [{ firstRow: range.firstRow, tensorRows }];
    const own = rowCosts && Float32Array.from(taken, (row) => at(rowCosts, row));
    const solved = await solveSite(choice, weight, [dtype], input, { ...context, origins, rowCosts: own });
    into.add(at(solved, 0), taken);
    context.onRows(into.done, range.rows);
  }
}
