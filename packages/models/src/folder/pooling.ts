import { FailedPreconditionError } from "@mbs/contracts";
import { parseJsonObject } from "./json-file.ts";
import { poolingFile } from "./model-files.ts";
import type { Model } from "./model.ts";

/** How the states of a text become its embedding: their mean, or the state of the first token. */
export type Pooling = "mean" | "first";

/** By the keys of sentence-transformers, which writes one of them as true. */
const poolings: Readonly<Record<string, Pooling>> = { pooling_mode_mean_tokens: "mean", pooling_mode_cls_token: "first" };

/** The keys that are true, or what newer versions write in their place: `"pooling_mode": "cls"`. */
function chosenKeys(json: Readonly<Record<string, unknown>>): readonly string[] {
  const { pooling_mode: name } = json;
  if (name === "mean") return ["pooling_mode_mean_tokens"];
  if (name === "cls") return ["pooling_mode_cls_token"];
  if (typeof name === "string") return [`pooling_mode ${name}`];
  return Object.keys(json).filter((key) => key.startsWith("pooling_mode_") && json[key] === true);
}

/**
 * What a model's `1_Pooling/config.json` says, as sentence-transformers writes it; the mean, where there is none.
 *
 * @throws {FailedPreconditionError} for another way, or several at once
 */
export async function readPooling({ files, path }: Pick<Model, "files" | "path">): Promise<Pooling> {
  if (!(await files.list()).includes(poolingFile)) return "mean";
  const file = `${path}/${poolingFile}`;
  const chosen = chosenKeys(parseJsonObject(new TextEncoder().encode(await files.text(poolingFile)), file, file));
  const [only = "none", ...others] = chosen;
  const pooling = poolings[only];
  if (pooling !== undefined && others.length === 0) return pooling;
  throw new FailedPreconditionError(
    `${file} asks for ${chosen.length === 0 ? "no pooling" : chosen.join(" and ")}; supported: ${Object.keys(poolings).join(", ")}, one of them`,
    { file },
  );
}

/** The same as files of a folder, by name. @param width of the states */
export const poolingFiles = (pooling: Pooling, width: number): ReadonlyMap<string, object> =>
  new Map<string, object>([
    [
      poolingFile,
      {
        word_embedding_dimension: width,
        ...Object.fromEntries(Object.entries(poolings).map(([key, own]) => [key, own === pooling])),
      },
    ],
    [
      "modules.json",
      [
        { idx: 0, name: "0", path: "", type: "sentence_transformers.models.Transformer" },
        { idx: 1, name: "1", path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
      ],
    ],
  ]);
