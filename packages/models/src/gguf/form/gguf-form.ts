import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import type { GgufTensor, MetadataReader } from "@mbs/gguf";
import type { JsonObject } from "../../folder/json-file.ts";
import type { View } from "../dense-tensor.ts";
import type { ModelSettings } from "./model-settings.ts";

/** What the files of a model hold. */
export interface GgufContents {
  readonly metadata: MetadataReader;
  /** Of all files, by name. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** The values of a small tensor that is no weight, such as factors of rotary positions. */
  readonly read: (name: string) => readonly number[];
}

/** A setting of a model in both forms: in the metadata of a GGUF file, and as keys of config.json. */
export interface MetadataField {
  /** The keys of config.json. */
  readonly read?: (contents: GgufContents) => JsonObject;
  /**
   * Puts the metadata. Absent where files do not hold the setting.
   *
   * @throws {FailedPreconditionError} where the model has what such a file cannot say
   */
  readonly write?: (model: ModelSettings) => void;
  /** The key that transformers declares as float: it refuses 30 where it wants 30.0. */
  readonly float?: string;
}

/** A tensor of one number in each block. */
export interface ListedTensor {
  readonly name: string;
  readonly shape: readonly [] | readonly [1];
}

/**
 * How llama.cpp's files hold a model type: `model-types/TYPE.gguf.ts`. Files are read and written by this one value; llama.cpp's
 * converter for Hugging Face models is the source.
 */
export interface GgufForm {
  /** Of the class of transformers, as config.json names it. */
  readonly className: string;
  /** Put before the names of all tensors but the head's. */
  readonly prefix: string;
  /**
   * GGUF → Hugging Face, without the prefix and without ".weight" or ".bias". `{block}` is the number of a block. A name with
   * `{expert}` stands for one tensor an expert, which GGUF stores in one tensor [experts, rows, columns]; where it has
   * "{gate_proj|up_proj}" too, for several, whose rows follow each other in that of the expert. `{bare}` at its end says that the
   * name ends there: that of the checkpoint where GGUF's has ".weight", or both, whatever GGUF's ends with.
   */
  readonly tensors: ReadonlyMap<string, string>;
  /**
   * Tensors of one number that a file has in its metadata, a list with one for each block: the key → the name with `{block}` and
   * without the prefix. They are float32. Default none.
   */
  readonly lists?: ReadonlyMap<string, ListedTensor>;
  /** Tensors of checkpoints that files do not have, named as in `tensors`: nothing that is computed depends on them. Default none. */
  readonly leftOut?: readonly string[];
  /** Tensors that the checkpoint has in another form, by their names in `tensors`: "blk.{block}.attn_q". Default none. */
  readonly views?: (config: JsonObject) => Readonly<Record<string, View>>;
  /** In the order in which config.json has their keys. */
  readonly fields: readonly MetadataField[];
  /** Metadata that a file has before those of `metadataOrder`, in this order. Default none. */
  readonly firstMetadata?: readonly string[];
  /** Whether it is an encoder, whose files also say how the states of a text become its embedding. Default false. */
  readonly pools?: true;
  /** Whether a file of the architecture is of this type, where several types have the same architecture. Default true. */
  readonly isOf?: (contents: GgufContents) => boolean;
}

/**
 * Whether the layers of a block have biases, by those of the first block: all of them or none.
 *
 * @param layers "attn_q"
 * @throws {FailedPreconditionError} where only some have, naming them and the others
 */
export function haveBiases(contents: GgufContents, layers: readonly string[]): boolean {
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
