import { decodeBrain, encodeBrain } from "./brain.ts";
import { decodeHalf, encodeHalf } from "./half.ts";

/** Data types of weights on disk. */
export type WeightDtype = "f32" | "f16" | "bf16";

/** The values that a checkpoint of this dtype would give back, as a new float32 array. */
export function roundTo(dtype: WeightDtype, values: Float32Array): Float32Array {
  switch (dtype) {
    case "f32":
      return values.slice();
    case "f16":
      return decodeHalf(encodeHalf(values));
    case "bf16":
      return decodeBrain(encodeBrain(values));
  }
}
