import { bytesOfDtype } from "../checkpoint/checkpoint.ts";
import type { TensorInfo } from "../checkpoint/checkpoint.ts";
import type { WeightDtype } from "@mbs/numbers";

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
