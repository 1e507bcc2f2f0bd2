import { embeddingSite, headSite } from "@mbs/artifacts";
import type { FactorRecord, LayerRecord } from "@mbs/artifacts";
import { at, BadDataError, InterruptedError, type Shards } from "@mbs/contracts";
import type { BlockType } from "@mbs/gguf";
import type { Model, SiteTensor, Vocabulary } from "@mbs/models";
import { packUpper } from "@mbs/numbers";
import { rowsOfShard, splitLongRows } from "@mbs/solvers";
import { joinTensor } from "../rows/joined-tensor.ts";
import type { SiteInput } from "./site-statistics.ts";
import { scaleDtypeOf, type RowOrigin } from "./site-weight.ts";
import { solveSite, type SiteContext, type SolverChoice } from "./solve-site.ts";

/** How much each row counts: what an error of a token's logit costs, and how often its embedding is read; [vocabulary]. */
export interface TokenCosts {
  readonly spread?: Float32Array;
  readonly reads?: Float32Array;
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
      rescues: 0,
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

/** How embedding or head is compressed. */
interface VocabularyTask {
  readonly choice: SolverChoice;
  /** The block type of GGUF that its rows are rounded to, which holds whole rows; undefined for grids of groups. */
  readonly type: BlockType | undefined;
  readonly costs: TokenCosts;
  /** Of the rows; undefined for all. */
  readonly shards: Shards | undefined;
}

/**
 * Compresses embedding or head, in parts of its rows, so that only its codes and written values are in memory as a whole.
 *
 * @param input one of `vocabularyInputs`
 * @returns undefined where the tensor has NaN or Inf and stays as it is, or the shard has no rows
 */
export async function solveVocabulary(
  model: Model,
  input: SiteInput,
  { choice, type, costs, shards }: VocabularyTask,
  context: Omit<SiteContext, "origins" | "rowCosts"> & { readonly onRows: (done: number, total: number) => void },
): Promise<LayerRecord | undefined> {
  const { site: name, width: columns } = input;
  const { tensor, rows: tensorRows } = vocabularyTensor(model, input);
  const rowCosts = name === embeddingSite ? costs.reads : costs.spread;
  if (rowCosts !== undefined && rowCosts.length !== tensorRows) {
    throw new BadDataError(`the statistics are of ${rowCosts.length} tokens, ${tensor} has ${tensorRows} rows; capture again`);
  }
  const dtype = model.checkpoint.info(tensor).dtype ?? model.dtype;
  const range = shards === undefined ? { firstRow: 0, rows: tensorRows } : rowsOfShard(tensorRows, shards);
  const parts: LayerRecord[] = [];
  for (const { firstRow, rows } of splitLongRows(range, columns)) {
    if (context.signal.aborted) throw new InterruptedError("compress: stopped");
    const values = await model.checkpoint.readRowsF32(
      tensor,
      Int32Array.from({ length: rows }, (_, row) => firstRow + row),
    );
    if (model.checkpoint.nonfinite.has(tensor)) {
      context.warn(`tensor ${tensor} has NaN or Inf and stays uncompressed`);
      return undefined;
    }
    const weight = {
      rows,
      columns,
      values,
      parts: [{ tensor, firstRow: 0, rows, ...(type && { grid: type.name }) }],
      scalable: false,
      scaleDtype: scaleDtypeOf(model, [dtype]),
    };
    const origins: readonly RowOrigin[] = [{ firstRow, tensorRows }];
    const own = rowCosts?.subarray(firstRow, firstRow + rows);
    parts.push(...(await solveSite(choice, weight, [dtype], input, { ...context, origins, rowCosts: own })));
    context.onRows(firstRow + rows - range.firstRow, range.rows);
  }
  if (parts.length === 0) return undefined;
  return joinTensor(parts, shards === undefined ? undefined : range.firstRow);
}
