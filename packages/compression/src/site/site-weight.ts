import { at, BadDataError, type Grid, type Shards, type SiteWeight, type WeightPart } from "@mbs/contracts";
import { largestBlockValue } from "@mbs/gguf";
import { compressibleBlocks, type Model, type ScaledTensor, type Site } from "@mbs/models";
import type { WeightDtype } from "@mbs/numbers";
import { rowsOf, rowsOfShard } from "@mbs/solvers";
import type { ChoiceOf, TensorChoice } from "../assignment/tensor-choice.ts";
import type { SiteInput } from "./site-statistics.ts";

/** The place of some rows in their tensor. */
export interface RowOrigin {
  readonly firstRow: number;
  /** Of the whole tensor. */
  readonly tensorRows: number;
}

/** The weights of a site that can be compressed, stacked. */
export interface LoadedSite {
  readonly weight: SiteWeight;
  /** Of each part. */
  readonly dtypes: readonly WeightDtype[];
  /** What was chosen for each part. */
  readonly choices: readonly TensorChoice[];
  /** Tensors that hold NaN or Inf and stay as they are. */
  readonly skipped: readonly string[];
  /** Norms that can absorb the inverse of an input scale; empty where none can. */
  readonly scaledBy: readonly ScaledTensor[];
  /** Where the rows of each part are from; absent where all rows of the site are there. */
  readonly origins?: readonly RowOrigin[];
}

/** The rows of a site that belong to a shard; a site without rows stays as it is. */
export function cutSite(site: LoadedSite, shards: Shards): LoadedSite {
  const { weight, dtypes, choices } = site;
  if (weight.rows === 0) return site;
  const range = rowsOfShard(weight.rows, shards);
  const end = range.firstRow + range.rows;
  const touched = [...weight.parts.entries()].filter(
    ([, { firstRow, rows }]) => firstRow < end && firstRow + rows > range.firstRow,
  );
  return {
    ...site,
    weight: rowsOf(weight, range),
    dtypes: touched.map(([index]) => at(dtypes, index)),
    choices: touched.map(([index]) => at(choices, index)),
    origins: touched.map(([, { firstRow, rows }]): RowOrigin => ({
      firstRow: Math.max(0, range.firstRow - firstRow),
      tensorRows: rows,
    })),
  };
}

/** The dtype whose values the files of all parts hold exactly: f16 holds what bf16 holds, within its range. */
export function scaleDtypeOf(model: Model, dtypes: readonly WeightDtype[]): WeightDtype {
  const written = model.kind === "architecture" && model.writtenDtype !== undefined ? [model.writtenDtype] : dtypes;
  return (["bf16", "f16"] as const).find((dtype) => written.includes(dtype)) ?? "f32";
}

/** Four times as much is infinite in float32: the range of a group, and with it its scale, has to be finite. */
const largestGroupValue = 2 ** 126;

/** @throws {BadDataError} on a value that is too large for its grid */
export function requireRange(tensor: string, values: Float32Array, { kind }: Grid): void {
  if (kind === "none") return;
  const largest = kind === "groups" ? largestGroupValue : largestBlockValue;
  const index = values.findIndex((value) => Math.abs(value) > largest);
  if (index < 0) return;
  throw new BadDataError(
    `tensor ${tensor} has ${at(values, index)}, which is too large for any scale; repair the model, or take a solver that does not round`,
    { tensor },
  );
}

/** The site of a model, embedding and head among them. @throws {BadDataError} where it has none, or one of another width */
export function findSite(model: Model, { block, site, width }: SiteInput): Site {
  const blocks = compressibleBlocks(model);
  const found = blocks.find(({ name }) => name === block)?.sites.find(({ name }) => name === site);
  if (found?.width === width) return found;
  const has = found ? `has width ${found.width} there` : "has no such site";
  throw new BadDataError(`${block} ${site}: the input is ${width} wide, the model ${has}; is it another model's?`, {
    block,
    site,
  });
}

/**
 * Reads the weights that read a site.
 *
 * @param choiceOf what each tensor gets, if it does not stay as it is; default no grid
 * @throws {BadDataError} where the model has no such site or it is of another width
 */
export async function readSite(
  model: Model,
  input: SiteInput,
  choiceOf: ChoiceOf = () => ({ grid: { kind: "none" } }),
): Promise<LoadedSite> {
  const { block, width } = input;
  const found = findSite(model, input);
  const tensors: { choice: TensorChoice; tensor: string; rows: number; values: Float32Array; dtype: WeightDtype }[] = [];
  const skipped: string[] = [];
  let isLeft = false;
  for (const { tensor, rows } of found.weights) {
    const values = await model.readWeight(tensor);
    if (values.length !== rows * width) {
      throw new BadDataError(`tensor ${tensor} has ${values.length} values, ${rows}×${width} expected`, { tensor });
    }
    if (model.checkpoint.nonfinite.has(tensor)) {
      skipped.push(tensor);
      continue;
    }
    const choice = choiceOf({ block, tensor, columns: width });
    if (choice === undefined) {
      isLeft = true;
      continue;
    }
    requireRange(tensor, values, choice.grid);
    tensors.push({ choice, tensor, rows, values, dtype: model.checkpoint.info(tensor).dtype ?? model.dtype });
  }
  const rows = tensors.reduce((sum, { rows: own }) => sum + own, 0);
  const [first] = tensors;
  const values = tensors.length === 1 && first !== undefined ? first.values : new Float32Array(rows * width);
  const parts: WeightPart[] = [];
  let firstRow = 0;
  for (const { choice, tensor, rows: own, values: stored } of tensors) {
    if (stored !== values) values.set(stored, firstRow * width);
    parts.push({ tensor, firstRow, rows: own, grid: choice.grid });
    firstRow += own;
  }
  // a tensor that stays as it is reads the same input, which must then stay unscaled
  const scaledBy = isLeft || skipped.length > 0 ? [] : (found.scaledBy ?? []);
  const fixed = scaledBy.length === 0 || scaledBy.some(({ tensor }) => model.checkpoint.nonfinite.has(tensor));
  const dtypes = tensors.map(({ dtype }) => dtype);
  return {
    weight: { rows, columns: width, values, parts, scalable: !fixed, scaleDtype: scaleDtypeOf(model, dtypes) },
    dtypes,
    choices: tensors.map(({ choice }) => choice),
    skipped,
    scaledBy,
  };
}
