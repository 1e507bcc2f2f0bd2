import { at, InternalError } from "@mbs/contracts";
import { quantisationTypeNamed, type QuantisationType } from "./blocks/quantisation-types.ts";
import { fittingType } from "./blocks/fitting-type.ts";

/** What `--type` takes: a type for most tensors, and llama.cpp's rules for the others. */
export interface TypeMix {
  readonly name: string;
  /** Name of the type that most tensors get. */
  readonly base: string;
  /** `llama_ftype`, which files name as general.file_type. */
  readonly fileType: number;
}

const typeMix = (name: string, fileType: number, base = name): TypeMix => ({ name, base, fileType });

/** The type mixes by name, as llama-quantize calls them. */
export const typeMixes: ReadonlyMap<string, TypeMix> = new Map(
  [
    typeMix("IQ2_XXS", 19),
    typeMix("IQ2_XS", 20),
    typeMix("IQ2_S", 28, "IQ2_XS"),
    typeMix("IQ2_M", 29, "IQ2_S"),
    typeMix("Q2_K", 10),
    typeMix("IQ3_XXS", 23),
    typeMix("IQ3_XS", 22, "IQ3_S"),
    typeMix("IQ3_S", 26),
    typeMix("IQ3_M", 27, "IQ3_S"),
    typeMix("Q3_K_S", 11, "Q3_K"),
    typeMix("Q3_K_M", 12, "Q3_K"),
    typeMix("Q3_K_L", 13, "Q3_K"),
    typeMix("IQ4_XS", 30),
    typeMix("IQ4_NL", 25),
    typeMix("Q4_0", 2),
    typeMix("Q4_1", 3),
    typeMix("Q4_K_S", 14, "Q4_K"),
    typeMix("Q4_K_M", 15, "Q4_K"),
    typeMix("Q5_0", 8),
    typeMix("Q5_1", 9),
    typeMix("Q5_K_S", 16, "Q5_K"),
    typeMix("Q5_K_M", 17, "Q5_K"),
    typeMix("Q6_K", 18),
    typeMix("Q8_0", 7),
    typeMix("F16", 1),
    typeMix("BF16", 32),
    typeMix("F32", 0),
  ].map((entry) => [entry.name, entry]),
);

/** The type mix that llama-quantize calls `name`, one of `typeMixes`. */
export function typeMixNamed(name: string): TypeMix {
  const found = typeMixes.get(name);
  if (found === undefined) throw new InternalError(`no type mix ${name}`);
  return found;
}

/** Whether a type mix's types are plain numbers (F16, BF16, F32); false for a name that is no type mix's. */
export function roundsNothing(name: string): boolean {
  const base = typeMixes.get(name)?.base;
  return base !== undefined && quantisationTypeNamed(base).plain !== undefined;
}

/** A tensor of a GGUF file, as far as its type depends on it. */
export interface TypedShape {
  readonly name: string;
  /** Rows before columns. */
  readonly shape: readonly number[];
}

/** What the types of tensors depend on beside their names and shapes. */
export interface TypeMixFacts {
  readonly architecture: string;
  readonly blocks: number;
  /** Heads of queries for each head of keys. */
  readonly groupedHeads: number;
  /** 0 where there are none. */
  readonly experts: number;
}

/** Tensors that llama.cpp's quantiser leaves in float32, as its converter writes them. */
export const staysInFloat32 = ({ name, shape }: TypedShape): boolean => {
  const sides = shape.slice(
    Math.max(
      0,
      shape.findIndex((side) => side !== 1),
    ),
  ).length;
  return (
    sides < 2 ||
    !name.endsWith(".weight") ||
    /_norm\.weight$|(ffn_gate_inp|ssm_conv1d|shortconv\.conv)\.weight$|^(position_embd|token_types)\./.test(name)
  );
};

/** Whether llama.cpp gives a block more bits: the first and last eighth, and every third between them. */
const hasMoreBits = (block: number, blocks: number): boolean => {
  const eighth = Math.floor(blocks / 8);
  return block < eighth || block >= Math.floor((7 * blocks) / 8) || (block - eighth) % 3 === 2;
};

/** Whether llama.cpp calls a type mix one of very few bits, which has rules of its own. */
const isSmallest = ({ name }: TypeMix): boolean => name.startsWith("IQ2_");

/** The type that the smallest mixes give tensors that need more bits. */
const largerType = ({ name }: TypeMix): string => (name === "IQ2_S" || name === "IQ2_M" ? "IQ3_S" : "Q2_K");

/** Values, or query, key and value in one. @param index which of these tensors it is */
function valueType(typeMix: TypeMix, facts: TypeMixFacts, index: number, count: number): string {
  const { name, base } = typeMix;
  const { groupedHeads, experts, blocks, architecture } = facts;
  const isGrouped = groupedHeads >= 4;
  if (isSmallest(typeMix)) return isGrouped || experts >= 4 ? "Q4_K" : largerType(typeMix);
  const chosen = ((): string => {
    switch (name) {
      case "Q2_K":
        return isGrouped ? "Q4_K" : "Q3_K";
      case "Q3_K_M":
        return index < 2 ? "Q5_K" : "Q4_K";
      case "Q3_K_L":
        return "Q5_K";
      case "IQ3_XXS":
      case "IQ3_XS":
      case "IQ3_S":
        return isGrouped ? "Q4_K" : base;
      case "IQ3_M":
        return "Q4_K";
      case "IQ4_NL":
      case "IQ4_XS":
        return isGrouped ? "Q5_K" : base;
      case "Q4_K_M":
      case "Q5_K_M":
        return hasMoreBits(index, count) ? "Q6_K" : base;
      case "Q4_K_S":
        return index < 4 ? "Q5_K" : base;
      default:
        return base;
    }
  })();
  if (experts === 8) return "Q8_0";
  // the models that llama.cpp calls 70B have one head of values for eight of queries
  const isLarge = blocks === 80 && (architecture === "llama" || architecture === "qwen2");
  return isLarge && (chosen === "Q3_K" || chosen === "Q4_K") ? "Q5_K" : chosen;
}

/** @param index which of these tensors it is: of a block with experts beside an MLP, or with a shared one, there are two */
function downType(typeMix: TypeMix, block: number, index: number, { blocks, experts }: TypeMixFacts): string {
  const { name, base } = typeMix;
  const first = Math.floor(blocks / 8);
  if (isSmallest(typeMix)) return index < first ? largerType(typeMix) : base;
  const isFirst = block < first;
  switch (name) {
    case "Q2_K":
      return "Q3_K";
    case "Q3_K_M":
      return block < Math.floor(blocks / 16) ? "Q5_K" : "Q4_K";
    case "Q3_K_L":
      return "Q5_K";
    case "IQ3_M":
      return isFirst || (experts === 8 && hasMoreBits(block, blocks)) ? "Q4_K" : base;
    case "Q4_K_M":
    case "Q5_K_M":
      return hasMoreBits(block, blocks) ? "Q6_K" : base;
    case "Q4_K_S":
    case "IQ4_NL":
    case "IQ4_XS":
      return isFirst ? "Q5_K" : base;
    default:
      return base;
  }
}

const outputTypes: Readonly<Record<string, string>> = {
  IQ2_S: "IQ3_S",
  IQ2_M: "IQ3_S",
  Q2_K: "Q3_K",
  IQ3_XXS: "IQ3_S",
  IQ3_M: "Q4_K",
  Q3_K_M: "Q4_K",
  Q3_K_L: "Q5_K",
};
const expertOutput = /^(?:IQ2_.*|Q2_K|IQ3_.*|Q3_K_[SM]|IQ4_.*|Q4_K_[SM])$/;

/** Of an embedding that is not the head too. */
const embeddingTypes: Readonly<Record<string, string>> = {
  IQ2_XXS: "Q2_K",
  IQ2_XS: "Q2_K",
  IQ2_S: "IQ3_S",
  IQ2_M: "IQ3_S",
  IQ3_XXS: "IQ3_S",
};

/** The type of the head, which an embedding has too that is one. */
function headType(typeMix: TypeMix, columns: number): string {
  const { name, base } = typeMix;
  if (columns % quantisationTypeNamed(base).values !== 0 || base === "Q8_0") return "Q8_0";
  return isSmallest(typeMix) || name === "IQ3_XXS" ? "Q5_K" : "Q6_K";
}

/** Gates and the matrices beside them. */
const innerType = ({ name, base }: TypeMix, block: number, { blocks }: TypeMixFacts): string =>
  name === "IQ3_XS" && block >= Math.floor(blocks / 8) && block < Math.floor((7 * blocks) / 8) ? "IQ3_XXS" : base;

/** Queries and keys. */
const matchedType = ({ name, base }: TypeMix): string => (name === "IQ3_XS" ? "IQ3_XXS" : name === "IQ3_XXS" ? "IQ2_S" : base);

const isValues = (name: string): boolean => /\.attn_(v|qkv)\.weight$/.test(name);

/**
 * The types of a model's tensors: what llama-quantize of llama.cpp v0.5.0 chooses without an importance matrix; for IQ2 and IQ3
 * with one, which it demands for most of them.
 *
 * @param tensors all of the file, each block's before the next one's
 * @returns by name
 */
export function chooseTypes(
  typeMix: TypeMix,
  tensors: readonly TypedShape[],
  facts: TypeMixFacts,
): ReadonlyMap<string, QuantisationType> {
  const { base } = typeMix;
  const isPlain = quantisationTypeNamed(base).plain !== undefined;
  const isTied = !tensors.some(({ name }) => name === "output.weight");
  const count = tensors.filter(({ name }) => isValues(name)).length;
  let [values, downs] = [0, 0];
  const typeOf = ({ name, shape }: TypedShape): string => {
    if (isPlain) return base;
    // which its quantiser does not round either
    if (name === "per_layer_model_proj.weight") return "F32";
    // of linear attention, with a row a head: its quantiser rounds them, and here they stay in every format
    if (/\.ssm_(alpha|beta)\.weight$/.test(name)) return "F32";
    if (name === "output.weight" || (isTied && /^(?:per_layer_)?token_embd\./.test(name)))
      return headType(typeMix, shape.at(-1) ?? 1);
    if (/^(?:per_layer_)?token_embd\./.test(name)) return embeddingTypes[typeMix.name] ?? base;
    if (isValues(name)) return valueType(typeMix, facts, values++, count);
    if (name.endsWith(".attn_k.weight") && facts.experts === 8) return isSmallest(typeMix) ? "Q4_K" : "Q8_0";
    if (/\.attn_[qk]\.weight$/.test(name)) return matchedType(typeMix);
    const block = Number(/^blk\.(\d+)\./.exec(name)?.[1]);
    if (/\.ffn_down/.test(name)) return downType(typeMix, block, downs++, facts);
    if (/\.ffn_(?:gate|up)/.test(name)) return innerType(typeMix, block, facts);
    if (!name.endsWith(".attn_output.weight")) return base;
    if (facts.experts === 8) return expertOutput.test(typeMix.name) ? "Q5_K" : base;
    return outputTypes[typeMix.name] ?? base;
  };
  return new Map(
    tensors.map((tensor) => {
      const type = staysInFloat32(tensor) ? "F32" : typeOf(tensor);
      return [tensor.name, fittingType(type, at(tensor.shape, tensor.shape.length - 1))];
    }),
  );
}
