import type { TensorAllocation } from "@mbs/artifacts";
import {
  at,
  InternalError,
  optionFlag,
  parseBytes,
  quoted,
  UsageError,
  type GroupGrid,
  type OptionTable,
  type OptionValues,
} from "@mbs/contracts";
import {
  bitsIn,
  ggufGrids,
  quantisationTypeNamed,
  fittingType,
  type QuantisationType,
  allocatedTypes,
  typeMixes,
} from "@mbs/gguf";
import { bitLimits, codeBits } from "@mbs/numbers";
import { groupGrid, type GroupValues, sharedGroupOptions } from "@mbs/solvers";
import { storedBits } from "./bit-budget.ts";

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
    check: (text: string) => parseBytes(text, "--size"),
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
  embeddings: {
    kind: "choice",
    choices: ["off", "on", ...ggufGrids],
    description:
      "with --types: on chooses a type for embedding and head too, which compress --embeddings on follows; a type is the one that compress --embeddings gives them, and --size counts them by it; off, as if not given: those of the type mix",
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

/** Whether embedding and head are among what is chosen for. */
export const choosesEmbeddings = ({ embeddings }: Pick<BitOptions, "embeddings">): boolean => embeddings === "on";

/** What the options let tensors be stored as. @throws {UsageError} on bits or types that there are not */
export function choicesOf(options: BitOptions): StorageChoices {
  const { types, bits = bitOptions.bits.default } = options;
  if (types !== undefined) return typeChoices(types);
  for (const name of ["typeMix", "embeddings"] as const) {
    if (options[name] === undefined) continue;
    const option = optionFlag(name);
    throw new UsageError(`allocate: ${option} is of GGUF files; give --types too, or leave it out`, { option });
  }
  return bitChoices(bits, options);
}

/** What a tensor can be stored as, with what it takes. */
export interface SizedChoice {
  /** Bits of a code, "3", or the quantisation type that rows of this width get, "Q4_K". */
  readonly name: string;
  readonly grid: TensorAllocation["grid"];
  /** All bits of the tensor, scales and zero points included. */
  readonly size: number;
}

/** What tensors can be stored as. */
export interface StorageChoices {
  /**
   * For a tensor of some shape, from the smallest on, one for each that was asked for: two may be the same type where rows are no
   * whole blocks. None where it stays as it is.
   */
  readonly of: (shape: { readonly rows: number; readonly columns: number }) => readonly SizedChoice[];
  /** Grid of a rounding of about the size that is chosen between, the same for all tensors. */
  readonly trial: GroupGrid;
}

/** The names of some choices, each once. */
export const namesOf = (choices: readonly SizedChoice[]): string[] => [...new Set(choices.map(({ name }) => name))];

/** The choice of this name. @throws {InternalError} where there is none */
export function choiceNamed(choices: readonly SizedChoice[], name: string): SizedChoice {
  const found = choices.find((choice) => choice.name === name);
  if (found === undefined) throw new InternalError(`no choice ${name} among ${namesOf(choices).join(", ")}`);
  return found;
}

/** Bits of a trial. */
const trialBits = 3;

/** Columns of a group in a trial for quantisation types, whose sub-blocks have 16 or 32. */
const trialGroup = 32;

/** "2,3,4,8" as numbers, in order. @throws {UsageError} on others */
export function parseBits(texts: readonly string[]): number[] {
  const bits = [...new Set(texts.map(Number))].sort((a, b) => a - b);
  const wrong = texts.find((text) => !codeBits.some((own) => String(own) === text));
  if (wrong === undefined && bits.length > 0) return bits;
  throw new UsageError(
    `allocate: --bits takes whole numbers from ${bitLimits.fewest} to ${bitLimits.most}, such as 2,3,4,8, not ${quoted(wrong ?? "")}`,
    { option: "--bits" },
  );
}

/** Codes of some numbers of bits on grids of groups. @param values what is the same for all */
export function bitChoices(texts: readonly string[], values: GroupValues): StorageChoices {
  const grids = parseBits(texts).map((bits) => groupGrid(bits, values));
  return {
    of: (shape) => grids.map((grid) => ({ name: String(grid.bits), grid, size: storedBits(shape, grid) })),
    trial: groupGrid(trialBits, values),
  };
}

/** "Q2_K,Q4_K" as types, the smallest first. @throws {UsageError} on types that nothing is rounded to */
export function parseTypes(names: readonly string[]): QuantisationType[] {
  const wrong = names.find((name) => !ggufGrids.includes(name));
  if (wrong !== undefined) {
    throw new UsageError(`allocate: --types takes types of GGUF (${ggufGrids.join(", ")}), not ${quoted(wrong)}`, {
      option: "--types",
    });
  }
  return [...new Set(names)].map(quantisationTypeNamed).sort((a, b) => bitsIn(a) - bitsIn(b));
}

/** Blocks of GGUF: each type, or its fallback where rows are no whole blocks. */
export function typeChoices(names: readonly string[]): StorageChoices {
  const types = parseTypes(names);
  return {
    of({ rows, columns }) {
      const fitting = types.map(({ name }) => fittingType(name, columns));
      // rows that no blocks hold
      if (at(fitting, 0).plain !== undefined) return [];
      const choices = fitting.map((type) => {
        const grid = { kind: "blocks", type: type.name } as const;
        return { name: type.name, grid, size: rows * columns * bitsIn(type) };
      });
      return choices.sort((a, b) => a.size - b.size);
    },
    trial: groupGrid(trialBits, { groupSize: trialGroup, symmetric: false }),
  };
}
