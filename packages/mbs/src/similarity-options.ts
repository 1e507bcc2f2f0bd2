import type { OptionTable } from "@mbs/contracts";

/** Which of the similarities is shown. */
export const similarityOptions = {
  at: {
    kind: "text",
    optional: true,
    placeholder: "STEP/SITE",
    description: "where to show: a site such as h.3/mlp-up, or mean for the mean over all; default the first step's input",
  },
  measure: {
    kind: "choice",
    choices: ["degrees", "cosine", "euclidean", "gram", "subspace"],
    default: "degrees",
    description: "what to show",
  },
} as const satisfies OptionTable;
