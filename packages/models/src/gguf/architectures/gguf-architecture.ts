import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import type { GgufTensor, MetadataReader } from "@mbs/gguf";
import { ofExperts, renamed } from "../dense-tensor.ts";
import type { DenseTensor } from "../dense-tensor.ts";
import { ggufNames } from "../gguf-names.ts";
import type { GgufNames } from "../gguf-names.ts";
import type { TensorForm } from "./tensor-forms.ts";

/** What the files of a model hold. */
export interface GgufContents {
  readonly metadata: MetadataReader;
  /** Of all files, by name. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** The values of a small tensor that is no weight, such as factors of rotary positions. */
  readonly read: (name: string) => readonly number[];
}

/** A model as Hugging Face's programs have it. */
export interface GgufReading extends TensorForm {
  /** The keys of config.json that are the architecture's own. */
  readonly config: Readonly<Record<string, unknown>> & { readonly model_type: string };
}

/** How an architecture of GGUF files is read: listed in gguf-architectures.ts. */
export type GgufArchitecture = (contents: GgufContents) => GgufReading;

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

/** @throws {FailedPreconditionError} on tensors of a form that the architecture's files have too, and that is not read */
export function refuseOtherForms({ tensors, metadata: { path, architecture } }: GgufContents): void {
  const known = [...ggufNames.values()].filter((names) => names.architecture === architecture);
  for (const { part, form, remedy } of otherForms) {
    if (known.some((names) => [...names.tensors.keys()].some((name) => part.test(`${name}.`)))) continue;
    const found = [...tensors.keys()].find((name) => part.test(name));
    if (found === undefined) continue;
    throw new FailedPreconditionError(
      `${path}: tensors such as ${found} (${form}) are not read for architecture ${architecture}; ${remedy}`,
      { file: path, tensor: found },
    );
  }
}

/**
 * The tensors of a checkpoint out of those of a file.
 *
 * @param names of the model type
 * @throws {BadDataError} naming tensors that the architecture does not have
 */
export function nameDenseTensors(
  sources: readonly GgufTensor[],
  { prefix, views }: GgufReading,
  names: GgufNames,
  path: string,
): readonly DenseTensor[] {
  const unknown: string[] = [];
  const found = sources.flatMap((source) => {
    if (described.has(source.name)) return [];
    const [, stem = "", kind = ""] = /^(.*)\.(weight|bias)$/.exec(source.name) ?? [];
    const { before = "", block = "", after = "" } = nameParts.exec(stem)?.groups ?? {};
    const key = block === "" ? stem : `${before}{block}${after}`;
    const name = names.tensors.get(key);
    if (name === undefined) {
      unknown.push(source.name);
      return [];
    }
    const view = Object.hasOwn(views, key) ? views[key] : undefined;
    const whole = `${heads.has(name) ? "" : prefix}${name.replace("{block}", block)}.${kind}`;
    return (view ?? (name.includes("{expert}") ? ofExperts : renamed))(source, whole);
  });
  if (unknown.length > 0) {
    const more = unknown.length > shownNames ? ` and ${unknown.length - shownNames} more` : "";
    throw new BadDataError(
      `${path}: tensors ${unknown.slice(0, shownNames).join(", ")}${more} are unknown in architecture ${names.architecture}; is the file of a model that is supported?`,
      { file: path, problems: unknown.length },
    );
  }
  return found;
}

/**
 * Whether the layers of a block have biases, by those of the first block: all of them or none.
 *
 * @param layers "attn_q"
 * @throws {FailedPreconditionError} where only some have, naming them and the others
 */
export function haveBiases(contents: GgufContents, ...layers: readonly string[]): boolean {
  const { path, architecture } = contents.metadata;
  const names = layers.map((layer) => `blk.0.${layer}.bias`);
  const [found, absent] = [true, false].map((wanted) => names.filter((name) => hasTensor(contents, name) === wanted).join(", "));
  if (found && absent) {
    throw new FailedPreconditionError(
      `${path} has ${found}, but not ${absent}; architecture ${architecture} is read with all of them or none: convert the model again, or take another one`,
      { file: path },
    );
  }
  return absent === "";
}

/** Whether a file has a tensor, such as a head of its own. */
export const hasTensor = ({ tensors }: GgufContents, name: string): boolean => tensors.has(name);

/** A side of a tensor's shape. @throws {BadDataError} where there is no such tensor */
export function sideOf({ tensors, metadata }: GgufContents, name: string, side: number): number {
  const found = tensors.get(name)?.shape.at(side);
  if (found === undefined)
    throw new BadDataError(`${metadata.path} has no tensor ${name}; is the file complete?`, {
      file: metadata.path,
      tensor: name,
    });
  return found;
}

/** Rows of the embedding: llama.cpp takes the vocabulary's size from the tokens, which must be as many. */
export const vocabularyOf = (contents: GgufContents): number => sideOf(contents, "token_embd.weight", 0);
