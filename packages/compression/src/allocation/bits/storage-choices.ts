import { at, InternalError, quoted, UsageError } from "@mbs/contracts";
import { blockGrids, blockTypeNamed, fittingType, type BlockType } from "@mbs/gguf";
import { bitLimits, codeBits } from "@mbs/numbers";
import { isSymmetricAt } from "@mbs/solvers";
import { storedBits, type CodeGrid } from "./bit-budget.ts";

/** What a tensor can be stored as, with what it takes. */
export interface SizedChoice {
  /** Bits of a code, "3", or the block type that rows of this width get, "Q4_K". */
  readonly name: string;
  /** All bits of the tensor, scales and zero points included. */
  readonly size: number;
}

/** What a tensor is stored as. */
export interface Storage {
  /** Of each code; 0 for a type. */
  readonly bits: number;
  /** The block type of GGUF; absent for codes in groups. */
  readonly type?: string;
  /** With which a solver rounds to it. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** What tensors can be stored as. */
export interface StorageChoices {
  /**
   * For a tensor of some shape, from the smallest on, one for each that was asked for: two may be the same type where rows are no
   * whole blocks. None where it stays as it is.
   */
  readonly of: (shape: { readonly rows: number; readonly columns: number }) => readonly SizedChoice[];
  readonly named: (name: string) => Storage;
  /** Options of a rounding of about the size that is chosen between, the same for all tensors. */
  readonly trial: Readonly<Record<string, unknown>>;
}

/** The names of some choices, each once. */
export const namesOf = (choices: readonly SizedChoice[]): string[] => [...new Set(choices.map(({ name }) => name))];

/** What the choice of this name takes. @throws {InternalError} where there is none */
export function sizeOf(choices: readonly SizedChoice[], name: string): number {
  const found = choices.find((choice) => choice.name === name);
  if (found === undefined) throw new InternalError(`no choice ${name} among ${namesOf(choices).join(", ")}`);
  return found.size;
}

/** Bits of a trial. */
const trialBits = 3;

/** Columns of a group in a trial for block types, whose sub-blocks have 16 or 32. */
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

/** Codes of some numbers of bits on grids of groups. */
export function bitChoices(
  texts: readonly string[],
  {
    groupSize,
    symmetric,
    minZeroPoint,
  }: Partial<CodeGrid> & { readonly groupSize: number; readonly minZeroPoint?: number | undefined },
): StorageChoices {
  const allBits = parseBits(texts);
  const gridOf = (bits: number) => ({ groupSize, symmetric: symmetric ?? isSymmetricAt(bits), minZeroPoint });
  return {
    of: (shape) => allBits.map((bits) => ({ name: String(bits), size: storedBits(shape, bits, gridOf(bits)) })),
    named: (name) => ({ bits: Number(name), options: { ...gridOf(Number(name)), bits: Number(name) } }),
    trial: { ...gridOf(trialBits), bits: trialBits },
  };
}

const bitsOf = ({ bytes, values }: BlockType): number => (bytes * 8) / values;

/** "Q2_K,Q4_K" as types, the smallest first. @throws {UsageError} on types that nothing is rounded to */
export function parseTypes(names: readonly string[]): BlockType[] {
  const wrong = names.find((name) => !blockGrids.has(name));
  if (wrong !== undefined) {
    throw new UsageError(`allocate: --types takes types of GGUF (${[...blockGrids.keys()].join(", ")}), not ${quoted(wrong)}`, {
      option: "--types",
    });
  }
  return [...new Set(names)].map(blockTypeNamed).sort((a, b) => bitsOf(a) - bitsOf(b));
}

/** Blocks of GGUF: each type, or its fallback where rows are no whole blocks. */
export function typeChoices(names: readonly string[]): StorageChoices {
  const types = parseTypes(names);
  return {
    of({ rows, columns }) {
      const fitting = types.map(({ name }) => fittingType(name, columns));
      // rows that no blocks hold
      if (at(fitting, 0).plain !== undefined) return [];
      return fitting.map((type) => ({ name: type.name, size: rows * columns * bitsOf(type) })).sort((a, b) => a.size - b.size);
    },
    named: (name) => ({ bits: 0, type: name, options: { grid: name } }),
    trial: { bits: trialBits, groupSize: trialGroup, symmetric: false },
  };
}
