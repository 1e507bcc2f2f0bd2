import { parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { bytesOfDtype } from "@mbs/models";
import type { ArchitectureModel, TensorInfo, WeightDtype } from "@mbs/models";

/** Of every format that writes safetensors. */
export const dtypeOptions = {
  dtype: {
    kind: "choice",
    choices: ["f32", "f16", "bf16"],
    optional: true,
    description:
      "dtype of all weights that are not packed; default: each keeps the model's own, those of a quantised GGUF file bf16",
  },
} as const satisfies OptionTable;

/** The dtype of all weights that are not packed, from the options of a format; undefined where each keeps its own. */
export const chosenDtype = (model: ArchitectureModel, options: unknown, what: string): WeightDtype | undefined =>
  parseOptions(dtypeOptions, options, what).dtype ?? model.writtenDtype;

const storedDtypes = { f32: "F32", f16: "F16", bf16: "BF16" } as const;
const configDtypes = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;

/** A tensor as it is written: weights in another dtype, integers and other types as they are. */
export function converted(tensor: TensorInfo, dtype: WeightDtype | undefined): TensorInfo {
  if (dtype === undefined || tensor.dtype === undefined) return tensor;
  const bytes = (tensor.bytes / bytesOfDtype(tensor.dtype)) * bytesOfDtype(dtype);
  return { ...tensor, dtype, storedDtype: storedDtypes[dtype], bytes };
}

/** What config.json says of the dtype that all weights have, under the names that it has there. */
export function dtypeKeys(config: object, dtype: WeightDtype | undefined): Readonly<Record<string, string>> {
  if (dtype === undefined) return {};
  const names = ["dtype", "torch_dtype"].filter((name) => Object.hasOwn(config, name));
  const keys = names.length > 0 ? names : ["dtype"];
  return Object.fromEntries(keys.map((key) => [key, configDtypes[dtype]]));
}
