import { parseBytes, parseLanguageMix } from "@mbs/contracts";
import type { OptionTable } from "@mbs/contracts";
import { shardOptions } from "./shards.ts";

/** Options of `capture`. */
export const captureOptions = {
  model: { kind: "resource", resource: "model", description: "model folder" },
  ...shardOptions,
  site: {
    kind: "list",
    optional: true,
    placeholder: "SITE,…",
    description: "capture these sites only; default all and the block's input",
  },
  statistics: {
    kind: "choice",
    choices: ["gram", "diagonal"],
    default: "gram",
    description: "E[x xᵀ] of every site, or E[x²] alone, which is enough for Wanda and for similarity",
  },
  grams: {
    kind: "choice",
    choices: ["languages", "pooled"],
    default: "languages",
    description:
      "a Gram of each language, or one pooled in the shares of --mix and every language's diagonal, which is enough for mbs factor; of the head's input always one of each",
  },
  embeddings: {
    kind: "flag",
    description:
      "from segments: also what the head reads, and how often each token is read and predicted, to compress embedding and head; states after the last block give this alone",
    default: false,
  },
  normaliseTokens: {
    kind: "flag",
    description:
      "divide the inputs of each token by their root mean square, or by that of the states that the outputs are added to, so that those of large activations do not outweigh the others; in a recipe on with gptq, sparsegpt and alps if not given",
    default: false,
  },
  budget: {
    kind: "text",
    default: "4GiB",
    placeholder: "SIZE",
    description: "memory for the Grams of one block; beyond it one Gram of the mix and every language's diagonal are kept",
    check: (text: string) => parseBytes(text, "--budget"),
  },
  mix: {
    kind: "text",
    optional: true,
    placeholder: "LANG=WEIGHT,…",
    description:
      "weight of each language in a pooled Gram, and in factor; default: the tokens seen of it, without text that was added to cover experts",
    check: (text: string) => parseLanguageMix(text),
  },
  allowNonfinite: { kind: "flag", description: "read NaN and Inf weights as 0 instead of stopping", default: false },
} as const satisfies OptionTable;
