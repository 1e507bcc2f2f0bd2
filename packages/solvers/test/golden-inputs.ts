import { readFileSync } from "node:fs";
import { join } from "node:path";
import { at } from "@mbs/contracts";
import type { Blas, Factor, LanguageDiagonal } from "@mbs/contracts";
import { inverseFactor, permuteSymmetric } from "@mbs/numbers";

/** How the inputs of a golden case are made; the same as tools/golden/solvers/inputs.py. */
export interface InputSpec {
  readonly seed: number;
  readonly rows: number;
  readonly columns: number;
  readonly tokens: number;
  readonly dead: readonly number[];
  /** One size a column, only the sign varies, so that E|x| is √E[x²]. */
  readonly signs?: boolean;
  /** Languages that the tokens are split between; default one. */
  readonly languages?: number;
}

export interface GoldenCase {
  readonly name: string;
  readonly solver?: string;
  readonly input: InputSpec;
  readonly options: Readonly<Record<string, unknown>>;
  readonly order?: string;
  /** Whether the input can be scaled; default true. */
  readonly scalable?: boolean;
  /** Base64, one byte a weight. */
  readonly codes?: string;
  /** Base64, float32: scale and offset of each sub-block of a GGUF type, [rows, sub-blocks]. */
  readonly scales?: string;
  readonly offsets?: string;
  /** Base64, one bit a weight, 1 where it is kept. */
  readonly mask?: string;
  /** tr(ΔW·H·ΔWᵀ), a token. */
  readonly error: number;
  /** Base64, float32: the scales of the input's channels. */
  readonly inputScale?: string;
  /** Mean squared difference between outputs and those of the weights as they were on the dense inputs, a token. */
  readonly asymmetricError?: number;
}

export interface GoldenInputs {
  readonly weights: Float32Array;
  /** E[x xᵀ], exact before its rounding to float32. */
  readonly gram: Float32Array;
  /** E[(x̃ - x) xᵀ], exact before its rounding to float32. */
  readonly crossMoment: Float32Array;
  /** E[(x̃ - x) (x̃ - x)ᵀ]. */
  readonly shiftMoment: Float32Array;
  readonly languageDiagonals: readonly LanguageDiagonal[];
}

export const readGolden = (file: string): readonly GoldenCase[] =>
  (JSON.parse(readFileSync(join(import.meta.dirname, "fixtures", file), "utf8")) as { cases: GoldenCase[] }).cases;

export const decodeBytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));

function* xorshift(seed: number): Generator<number, never> {
  let state = (seed * 2654435761 + 1) >>> 0;
  for (;;) {
    state = (state ^ (state << 13)) >>> 0;
    state = (state ^ (state >>> 17)) >>> 0;
    state = (state ^ (state << 5)) >>> 0;
    yield state;
  }
}

export function makeInputs({ seed, rows, columns, tokens, dead, signs = false, languages = 1 }: InputSpec): GoldenInputs {
  const numbers = xorshift(seed);
  const next = (): number => numbers.next().value;
  const weights = Float32Array.from({ length: rows * columns }, () => {
    const raw = next();
    return ((raw >>> 8) - 2 ** 23) * 2 ** (-23 - (raw & 7));
  });
  const noise = Float64Array.from({ length: tokens * columns }, () => (next() >>> 24) - 128);
  const sizes = Float64Array.from({ length: columns }, () => 1 << (next() >>> 30));
  const languageOf = (token: number): number => Math.floor((token * languages) / tokens);
  const own = noise.map((value, index) => value * at(sizes, index % columns));
  const inputs = own.map((value, index) => {
    const column = index % columns;
    const shifted = [1, 5].map((shift) => (column >= shift ? Math.floor(at(own, index - shift) / 2) : 0));
    const size = languages > 1 && column % languages === languageOf(Math.floor(index / columns)) ? 4 : 1;
    const mixed = size * (value + at(shifted, 0) + at(shifted, 1));
    if (dead.includes(column)) return 0;
    return signs ? (mixed < 0 ? -at(sizes, column) : at(sizes, column)) : mixed;
  });
  // what compression of earlier layers changed: noise, and an eighth of the third next column
  const shift = inputs.map((_, index) => {
    const column = index % columns;
    return (next() >>> 28) - 8 + Math.floor(at(inputs, index - column + ((column + 3) % columns)) / 8);
  });
  const squares = Array.from({ length: languages }, () => new Float64Array(columns));
  for (const [index, x] of inputs.entries()) {
    const sums = at(squares, languageOf(Math.floor(index / columns)));
    sums[index % columns] = at(sums, index % columns) + x * x;
  }
  const languageDiagonals = squares.map((sums, language) => ({
    language: String(language),
    weight: 1 / languages,
    values: Float32Array.from(sums, (total) => (total * languages) / tokens),
  }));
  const [gram, crossMoment, shiftMoment] = [
    remembered(() => meanProduct(inputs, inputs, columns)),
    remembered(() => meanProduct(shift, inputs, columns)),
    remembered(() => meanProduct(shift, shift, columns)),
  ];
  return {
    weights,
    languageDiagonals,
    get gram() {
      return gram();
    },
    get crossMoment() {
      return crossMoment();
    },
    get shiftMoment() {
      return shiftMoment();
    },
  };
}

/** A value that is made when it is first read: most cases read one moment of three. */
function remembered<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** E[a bᵀ] over tokens, summed in double precision. @param a and b [tokens, columns] */
function meanProduct(a: Float64Array, b: Float64Array, columns: number): Float32Array {
  const product = new Float64Array(columns * columns);
  const tokens = a.length / columns;
  const isSymmetric = a === b;
  for (let token = 0; token < tokens; token += 1) {
    const start = token * columns;
    for (let i = 0; i < columns; i += 1) {
      const value = at(a, start + i);
      const sum = i * columns;
      // plain reads: the largest case has 1.3 billion products
      for (let j = isSymmetric ? i : 0; j < columns; j += 1)
        product[sum + j] = (product[sum + j] ?? 0) + value * (b[start + j] ?? 0);
    }
  }
  const mean = Float32Array.from(product, (value) => value / tokens);
  if (isSymmetric) {
    for (let i = 0; i < columns; i += 1) for (let j = 0; j < i; j += 1) mean[i * columns + j] = at(mean, j * columns + i);
  }
  return mean;
}

/** Groups by their largest diagonal, columns of a group by their own; a short last group stays last. */
function groupAware(columns: Int32Array, size: number, compare: (a: number, b: number) => number): number[] {
  const whole = Math.floor(columns.length / size);
  const groups = Array.from({ length: whole }, (_, group) => columns.slice(group * size, (group + 1) * size).sort(compare));
  return [
    ...groups.sort((a, b) => compare(at(a, 0), at(b, 0))).flatMap((group) => [...group]),
    ...columns.slice(whole * size).sort(compare),
  ];
}

/** The factor as the reference programs make it: 2·tokens·E[x xᵀ], dead diagonals 1, 1% damping of the mean diagonal. */
export async function referenceFactor(blas: Blas, gram: Float32Array, tokens: number, orderName: string): Promise<Factor> {
  const columns = Math.sqrt(gram.length);
  const hessian = gram.map((value) => value * 2 * tokens);
  const dead: number[] = [];
  for (let column = 0; column < columns; column += 1) {
    if (hessian[column * (columns + 1)] !== 0) continue;
    hessian[column * (columns + 1)] = 1;
    dead.push(column);
  }
  const diagonal = Float32Array.from({ length: columns }, (_, column) => at(hessian, column * (columns + 1)));
  const order = Int32Array.from(diagonal.keys());
  const byDiagonal = (a: number, b: number) => at(diagonal, b) - at(diagonal, a) || a - b;
  if (orderName === "activation") order.sort(byDiagonal);
  if (orderName.startsWith("group-aware:")) order.set(groupAware(order, Number(orderName.slice(12)), byDiagonal));
  const damping = 0.01;
  const added = damping * (diagonal.reduce((sum, value) => sum + value, 0) / columns);
  for (const [column, value] of diagonal.entries()) hessian[column * (columns + 1)] = value + added;
  const upper = await inverseFactor(blas, permuteSymmetric(hessian, order), columns);
  return { order, orderName, upper, dead, damping };
}
