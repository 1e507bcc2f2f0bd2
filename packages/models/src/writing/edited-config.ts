import { bytesOfDtype } from "@mbs/numbers";
import { FailedPreconditionError, isObject } from "@mbs/contracts";
import type { WeightDtype } from "@mbs/numbers";
import { applyEdits, modify } from "jsonc-parser";
import type { Model } from "../folder/model.ts";
import { textFile } from "./output-file.ts";
import type { OutputFile } from "./output-file.ts";
import { releasedMethod } from "../checkpoint/quantised/quantised-checkpoint.ts";
import type { TensorInfo } from "../checkpoint/checkpoint.ts";

const storedDtypes = { f32: "F32", f16: "F16", bf16: "BF16" } as const;
const configDtypes = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;

/** A tensor as it is written: weights in another dtype, integers and other types as they are. */
export function converted(tensor: TensorInfo, dtype: WeightDtype | undefined): TensorInfo {
  if (dtype === undefined || tensor.dtype === undefined) return tensor;
  const bytes = (tensor.bytes / bytesOfDtype(tensor.dtype)) * bytesOfDtype(dtype);
  return { ...tensor, dtype, storedDtype: storedDtypes[dtype], bytes };
}

/** What config.json says of the dtype that all weights have, under the names that it has there. */
function dtypeKeys(config: object, dtype: WeightDtype | undefined): Readonly<Record<string, string>> {
  if (dtype === undefined) return {};
  const names = ["dtype", "torch_dtype"].filter((name) => Object.hasOwn(config, name));
  const keys = names.length > 0 ? names : ["dtype"];
  return Object.fromEntries(keys.map((key) => [key, configDtypes[dtype]]));
}

/** The source's config.json, parsed and checked when the model was opened. */
export const readConfig = (model: Model): Promise<string> => model.files.text("config.json");

/** Keys with new values; those whose value is undefined are removed. */
type Changes = Readonly<Record<string, unknown>>;

/**
 * A JSON text with some keys changed, of its top level or of one of its sections. Everything else stays as it was written: 1.0
 * read and written again would be 1, which programs that check types refuse.
 */
export function editedJson(text: string, changes: Changes, section?: string): string {
  const formattingOptions = { tabSize: 2, insertSpaces: true, eol: "\n" };
  const path = section === undefined ? [] : [section];
  return Object.entries(changes).reduce(
    (edited, [key, value]) => applyEdits(edited, modify(edited, [...path, key], value, { formattingOptions })),
    text,
  );
}

/**
 * The source's config.json with some keys changed: at its top level, and in the section of the language model, where that has the
 * same key.
 */
export async function editedConfig(model: Model, changes: Changes): Promise<OutputFile> {
  const text = await readConfig(model);
  const edited = editedJson(text, changes);
  const section = model.kind === "architecture" ? model.section : undefined;
  if (section === undefined) return textFile("config.json", edited);
  const own = (JSON.parse(text) as Readonly<Record<string, object>>)[section] ?? {};
  const inside = Object.entries(changes).filter(([key]) => Object.hasOwn(own, key));
  return textFile("config.json", editedJson(edited, Object.fromEntries(inside), section));
}

/** Whether a model was published so: there is no dense one that it was made from. */
const isReleased = (quantisation: unknown): boolean => isObject(quantisation) && quantisation["quant_method"] === releasedMethod;

/** @throws {FailedPreconditionError} for a model whose weights are packed: what is made of it must start from the dense one */
export async function requireDense(model: Model): Promise<void> {
  const { quantization_config: quantisation } = JSON.parse(await readConfig(model)) as { readonly quantization_config?: unknown };
  if (quantisation === undefined || quantisation === null || isReleased(quantisation)) return;
  throw new FailedPreconditionError(`${model.path} is quantised already; give the model it was made from`, {
    model: model.path,
  });
}

/** What differs in the config.json of a model that is written. */
interface WrittenConfig {
  /** Of all weights that are not packed; undefined where each keeps its own. */
  readonly dtype: WeightDtype | undefined;
  /** Tells programs how to read packed weights. */
  readonly quantisation?: object;
  /** Other keys that are set, or removed where undefined. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** The source's config.json, with the dtype of the weights and their `quantization_config`. */
export async function configOf(model: Model, { dtype, quantisation, more }: WrittenConfig): Promise<OutputFile> {
  const config = JSON.parse(await readConfig(model)) as object;
  return editedConfig(model, {
    ...dtypeKeys(config, dtype),
    ...more,
    // what is written is dense, or packed in this way
    quantization_config: quantisation,
  });
}
