import { UsageError, type OptionTable, type OptionValues } from "@mbs/contracts";
import { allocatedTypes, typeMixes } from "@mbs/gguf";
import { codeBits } from "@mbs/numbers";
import { sharedGroupOptions } from "@mbs/solvers";
import { parseSize } from "./bit-budget.ts";
import { bitChoices, parseBits, parseTypes, typeChoices, type StorageChoices } from "./storage-choices.ts";

/** Options that all ways to choose bits or types have. */
export const bitOptions = {
  bitsPerWeight: {
    kind: "number",
    description: "bits a weight of all compressed tensors together, scales and zero points counted",
    above: 2,
    maximum: 9,
    optional: true,
  },
  size: {
    kind: "text",
    placeholder: "SIZE",
    description:
      "size of all weights instead, such as 180MB (1 MB is a million bytes): compressed ones with scales and zero points, and those that stay as they are; with --types of the whole GGUF file",
    optional: true,
    excludes: ["bitsPerWeight"],
    check: parseSize,
  },
  bits: {
    kind: "list",
    placeholder: "BITS,…",
    description: "numbers of bits to choose from; in a recipe those that the format holds, if not given",
    default: codeBits.map(String),
    optional: true,
    check: parseBits,
  },
  types: {
    kind: "list",
    placeholder: "TYPE,…",
    description: `types of GGUF to choose from instead of bits, such as Q2_K,Q3_K,Q4_K; where rows are no whole blocks, their fallbacks; in a recipe with format gguf ${allocatedTypes.join(", ")}, if not given`,
    optional: true,
    excludes: ["bits", ...Object.keys(sharedGroupOptions)],
    check: parseTypes,
  },
  typeMix: {
    kind: "choice",
    choices: [...typeMixes.keys()],
    description:
      "with --types: what --type of assemble --format gguf is going to be (Q4_K_M if not given); --size counts embedding and head by it, and compress --embeddings on rounds them to its types",
    optional: true,
  },
  unit: {
    kind: "choice",
    choices: ["tensor", "site"],
    description:
      "what gets bits of its own: each tensor, or all tensors of a site together, as programs need them that join query, key and value (vLLM), and solvers that scale inputs (awq)",
    default: "tensor",
  },
  ...sharedGroupOptions,
} as const satisfies OptionTable;

export type BitOptions = OptionValues<typeof bitOptions>;

/** What the options let tensors be stored as. @throws {UsageError} on bits or types that there are not */
export function choicesOf(options: BitOptions): StorageChoices {
  const { types, typeMix, bits = bitOptions.bits.default } = options;
  if (types !== undefined) return typeChoices(types);
  if (typeMix !== undefined) {
    throw new UsageError("allocate: --type-mix is of GGUF files; give --types too, or leave it out", { option: "--type-mix" });
  }
  return bitChoices(bits, options);
}
