import { bytesIn, fittingType } from "@mbs/gguf";
import type { BlockType, TypedShape } from "@mbs/gguf";

/** Numbers in a list as ranges: 0, 1, 2, 5 → "0-2,5". */
function ranges(numbers: readonly number[]): string {
  const parts: [number, number][] = [];
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const last = parts.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else parts.push([number, number]);
  }
  return parts.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(",");
}

const elements = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);

/** Bits of a number of the whole file, without its header. */
export function bitsAWeight(tensors: readonly TypedShape[], types: ReadonlyMap<string, BlockType>): number {
  const [bits, count] = tensors.reduce(
    ([bits, count], { name, shape }) => {
      const type = types.get(name);
      return type === undefined ? [bits, count] : [bits + 8 * bytesIn(type, shape), count + elements(shape)];
    },
    [0, 0],
  );
  return bits / count;
}

/** What each type is for, in one line: tensors of the blocks by their names without them. */
function groupText(names: readonly string[]): string {
  const blocks = new Map<string, number[]>();
  for (const name of names) {
    const [, block, stem = name] = /^blk\.(\d+)\.(.*)$/.exec(name) ?? [];
    const own = blocks.get(stem) ?? [];
    if (block !== undefined) own.push(Number(block));
    blocks.set(stem, own);
  }
  return [...blocks]
    .map(([stem, own]) => `${stem.replace(/\.weight$/, "")}${own.length === 0 ? "" : ` of blocks ${ranges(own)}`}`)
    .join(", ");
}

/** What each type is for, in one line: "Q4_K for attn_q of blocks 0-3; Q6_K for output". @param names of tensors */
export function groupsByType(names: readonly string[], types: ReadonlyMap<string, BlockType>): string {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const type = types.get(name)?.name ?? "";
    groups.set(type, [...(groups.get(type) ?? []), name]);
  }
  return [...groups].map(([type, own]) => `${type} for ${groupText(own)}`).join("; ");
}

/** The types of all matrices and the bits that a weight takes, in one line. */
export function typeLine(tensors: readonly TypedShape[], types: ReadonlyMap<string, BlockType>): string {
  const matrices = tensors.filter(({ shape }) => shape.length > 1).map(({ name }) => name);
  return [
    groupsByType(matrices, types),
    "F32 for vectors",
    `${bitsAWeight(tensors, types).toFixed(2)} bits a weight of the whole file`,
  ].join("; ");
}

/** How many matrices have rows that are no whole blocks of the base type, and so another type. */
export const countFallbacks = (tensors: readonly TypedShape[], base: string): number =>
  tensors.filter(({ shape }) => shape.length > 1 && fittingType(base, shape.at(-1) ?? 1).name !== base).length;
