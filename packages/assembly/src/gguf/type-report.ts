import { groupBy } from "@mbs/contracts";
import { bytesIn, fittingType, replacedBy, staysInFloat32 } from "@mbs/gguf";
import type { QuantisationType, TypedShape } from "@mbs/gguf";
import { withPlaces } from "../card/storage-counts.ts";
import type { TensorPlace } from "../card/storage-counts.ts";

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
export function bitsAWeight(tensors: readonly TypedShape[], types: ReadonlyMap<string, QuantisationType>): number {
  const [bits, count] = tensors.reduce(
    ([bits, count], { name, shape }) => {
      const type = types.get(name);
      return type === undefined ? [bits, count] : [bits + 8 * bytesIn(type, shape), count + elements(shape)];
    },
    [0, 0],
  );
  return bits / count;
}

/** "attn_q of blocks 0-3, output" */
const kindsText = (tensors: readonly TensorPlace[]): string =>
  [...groupBy(tensors, ({ kind }) => kind)]
    .map(([kind, own]) => {
      const blocks = own.flatMap(({ layer }) => layer ?? []);
      return `${kind}${blocks.length === 0 ? "" : ` of blocks ${ranges(blocks)}`}`;
    })
    .join(", ");

/** What each type is for, in one line: "Q4_K for attn_q of blocks 0-3; Q6_K for output". @param names of tensors */
export function groupsByType(names: readonly string[], types: ReadonlyMap<string, QuantisationType>): string {
  const tensors = withPlaces(names.map((tensor) => ({ tensor, type: types.get(tensor)?.name ?? "" })));
  return [...groupBy(tensors, ({ type }) => type)].map(([type, own]) => `${type} for ${kindsText(own)}`).join("; ");
}

/** The types of all matrices and the bits that a weight takes, in one line. */
export function typeLine(tensors: readonly TypedShape[], types: ReadonlyMap<string, QuantisationType>): string {
  const matrices = tensors.filter(({ shape }) => shape.length > 1).map(({ name }) => name);
  return [
    groupsByType(matrices, types),
    "F32 for vectors",
    `${bitsAWeight(tensors, types).toFixed(2)} bits a weight, without the header`,
  ].join("; ");
}

/**
 * Which matrices have other types because of their rows, in one line; undefined where none has.
 *
 * @param base type that a file was asked for
 */
export function fallbackLine(
  tensors: readonly TypedShape[],
  types: ReadonlyMap<string, QuantisationType>,
  base: string,
): string | undefined {
  const fallen = tensors.flatMap(({ name, shape }) => {
    const columns = shape.at(-1) ?? 1;
    const type = types.get(name);
    return staysInFloat32({ name, shape }) || type === undefined || fittingType(base, columns).name === base
      ? []
      : [{ columns, type: type.name }];
  });
  if (fallen.length === 0) return undefined;
  const columns = [...new Set(fallen.map((each) => each.columns))].sort((a, b) => a - b).join(", ");
  const taken = [...new Set(fallen.map(({ type }) => type))].sort().map((type) => {
    const replaced = replacedBy(type);
    return replaced === "" ? type : `${type} in place of ${replaced}`;
  });
  return `${fallen.length} of ${tensors.filter((tensor) => !staysInFloat32(tensor)).length} matrices have rows of ${columns} columns, no whole blocks of ${base}; as in llama.cpp they take ${taken.join(", ")}`;
}

/**
 * How many matrices get about 2 bits by rounding alone, which llama-quantize refuses, in one line; undefined where none does.
 *
 * @param tensors that no solver has rounded
 */
export function blindLine(tensors: readonly TypedShape[], types: ReadonlyMap<string, QuantisationType>): string | undefined {
  const count = tensors.filter(({ name }) => types.get(name)?.name.startsWith("IQ2_") === true).length;
  if (count === 0) return undefined;
  return `${count} matrices of about 2 bits are rounded without a look at what they read, which leaves most models useless; compress them with gptq first, as mbs shrink does`;
}
