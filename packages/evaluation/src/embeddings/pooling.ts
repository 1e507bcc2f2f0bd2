import { FailedPreconditionError, at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { parseJsonObject, poolingFile } from "@mbs/models";
import type { Model } from "@mbs/models";

/** How the states of a text become its embedding: their mean, or the state of the token before it. */
export type Pooling = "mean" | "first";

/** By the keys of sentence-transformers. */
const poolings: Readonly<Record<string, Pooling>> = { pooling_mode_mean_tokens: "mean", pooling_mode_cls_token: "first" };

/**
 * What a model's `1_Pooling/config.json` says, as sentence-transformers writes it; the mean, where there is none.
 *
 * @throws {FailedPreconditionError} for another way, or several at once
 */
export async function readPooling({ files, path }: Pick<Model, "files" | "path">): Promise<Pooling> {
  if (!(await files.list()).includes(poolingFile)) return "mean";
  const file = `${path}/${poolingFile}`;
  const json = parseJsonObject(new TextEncoder().encode(await files.text(poolingFile)), file, file);
  const chosen = Object.keys(json).filter((key) => key.startsWith("pooling_mode_") && json[key] === true);
  const [only = "none", ...others] = chosen;
  const pooling = poolings[only];
  if (pooling !== undefined && others.length === 0) return pooling;
  throw new FailedPreconditionError(
    `${file} asks for ${chosen.length === 0 ? "no pooling" : chosen.join(" and ")}; supported: ${Object.keys(poolings).join(", ")}, one of them`,
    { file },
  );
}

/** The embedding of a text, of length 1. @param states after the last block, [tokens, hidden] */
export function pool({ rows, columns, values }: Matrix, pooling: Pooling): Float64Array {
  const sums = new Float64Array(columns);
  const counted = pooling === "mean" ? rows : 1;
  for (let row = 0; row < counted; row++) {
    for (let column = 0; column < columns; column++) sums[column] = at(sums, column) + at(values, row * columns + column);
  }
  const length = Math.hypot(...sums);
  // states of zeros alone have no direction: NaN would be the cosine of them
  return length === 0 ? sums : sums.map((value) => value / length);
}
