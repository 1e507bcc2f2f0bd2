import { parseOptions } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import type { ArchitectureModel, WeightDtype } from "@mbs/models";

/** Of every format that writes safetensors. */
export const dtypeOptions = {
  dtype: {
    kind: "choice",
    choices: ["f32", "f16", "bf16"],
    optional: true,
    description:
      "dtype of all weights that are not packed; default: each keeps the model's own. Weights of a quantised GGUF file become bf16, those of a rotated model what they were before",
  },
} as const satisfies OptionTable;

/** The dtype of all weights that are not packed, from the options of a format; undefined where each keeps its own. */
export const chosenDtype = (model: ArchitectureModel, options: unknown, what: string): WeightDtype | undefined =>
  parseOptions(dtypeOptions, options, what).dtype ?? model.writtenDtype;
