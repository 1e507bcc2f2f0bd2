import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import type { GgufTensor } from "@mbs/gguf";
import type { JsonObject } from "../folder/json-file.ts";
import { findName, splitKind, withKind } from "./gguf-names.ts";
import { listedTensor, ofExperts, renamed } from "./dense-tensor.ts";
import type { DenseTensor } from "./dense-tensor.ts";
import type { GgufContents, GgufForm } from "./form/gguf-form.ts";
import type { GgufForms } from "./form/load-form.ts";

/** Tensors that become keys of config.json. */
const described: ReadonlySet<string> = new Set(["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"]);
const heads: ReadonlySet<string> = new Set(["lm_head", "embed_out"]);
const nameParts = /^(?<before>(?:enc\.|dec\.)?blk\.)(?<block>0|[1-9]\d*)(?<after>\..*)$/;
const shownNames = 5;

/** Forms in which llama.cpp also writes tensors, by a part of their names, and how to get the one that is read. */
const otherForms: readonly { readonly part: RegExp; readonly form: string; readonly remedy: string }[] = [
  { part: /\.attn_qkv\./, form: "query, key and value in one", remedy: "convert the model again without --fuse-qkv" },
  {
    part: /\.ffn_gate_up_exps\./,
    form: "gate and up of the experts in one",
    remedy: "convert the model again without --fuse-gate-up-exps",
  },
  {
    part: /\.ffn_(?:gate|up|down)\.\d+\./,
    form: "one for each expert",
    remedy: "convert the model again with a newer llama.cpp, which puts all experts in one",
  },
];

/**
 * @param forms of the architecture
 * @throws {FailedPreconditionError} on tensors of a form that the architecture's files have too, and that is not read
 */
export function refuseOtherForms({ tensors, metadata: { path, architecture } }: GgufContents, forms: GgufForms): void {
  const known = [...forms.values()].flatMap((form) => [...form.tensors.keys()]);
  for (const { part, form, remedy } of otherForms) {
    if (known.some((name) => part.test(`${name}.`))) continue;
    const found = [...tensors.keys()].find((name) => part.test(name));
    if (found === undefined) continue;
    throw new FailedPreconditionError(
      `${path}: tensors such as ${found} (${form}) are not read for architecture ${architecture}; ${remedy}`,
      { file: path, tensor: found },
    );
  }
}

/**
 * The tensors of a checkpoint that the metadata hold, a list with one number for each block; one number where all are alike.
 *
 * @throws {BadDataError} where a list is missing or too short
 */
export function listedTensors(
  { metadata: reader }: GgufContents,
  { lists = new Map(), prefix }: GgufForm,
): readonly DenseTensor[] {
  const blocks = reader.count("block_count");
  return [...lists].flatMap(([key, { name, shape }]) => {
    const found = reader.metadata.get(key);
    return Array.from({ length: blocks }, (_, block) => {
      const value = typeof found === "object" ? found[block] : found;
      if (typeof value === "number") return listedTensor(`${prefix}${name.replace("{block}", String(block))}`, shape, value);
      throw new BadDataError(`${reader.path}: ${key} must be a list of ${blocks} numbers; convert the model again`, {
        file: reader.path,
        key,
      });
    });
  });
}

/**
 * The tensors of a checkpoint out of those of a file.
 *
 * @param config that was made of the file's metadata
 * @throws {BadDataError} naming tensors that the architecture does not have
 */
export function nameDenseTensors(
  sources: readonly GgufTensor[],
  { prefix, tensors, views: viewsOf }: GgufForm,
  config: JsonObject,
  { path, architecture }: { readonly path: string; readonly architecture: string },
): readonly DenseTensor[] {
  const views = viewsOf?.(config) ?? {};
  const unknown: string[] = [];
  const found = sources.flatMap((source) => {
    if (described.has(source.name)) return [];
    const { before = "", block = "", after = "" } = nameParts.exec(source.name)?.groups ?? {};
    const general = block === "" ? source.name : `${before}{block}${after}`;
    const { stem: key, kind } = splitKind(general);
    const name = findName(tensors, general);
    if (name === undefined) {
      unknown.push(source.name);
      return [];
    }
    const view = Object.hasOwn(views, key) ? views[key] : undefined;
    const whole = `${heads.has(name) ? "" : prefix}${withKind(name.replace("{block}", block), kind)}`;
    return (view ?? (name.includes("{expert}") ? ofExperts : renamed))(source, whole);
  });
  if (unknown.length > 0) {
    const more = unknown.length > shownNames ? ` and ${unknown.length - shownNames} more` : "";
    throw new BadDataError(
      `${path}: tensors ${unknown.slice(0, shownNames).join(", ")}${more} are unknown in architecture ${architecture}; is the file of a model that is supported?`,
      { file: path, problems: unknown.length },
    );
  }
  return found;
}
