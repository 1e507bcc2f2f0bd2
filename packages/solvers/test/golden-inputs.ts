import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Blas, Factor } from "@mbs/contracts";
import { inverseFactor, permuteSymmetric } from "@mbs/numbers";

/** How the inputs of a golden case are made; the same as tools/golden/solvers/inputs.py. */
export interface InputSpec {
  readonly seed: number;
  readonly rows: number;
  readonly columns: number;
  readonly tokens: number;
  readonly dead: readonly number[];
}

export interface GoldenCase {
  readonly name: string;
  readonly solver?: string;
  readonly input: InputSpec;
  readonly options: Readonly<Record<string, unknown>>;
  readonly order?: string;
  /** Base64, one byte a weight. */
  readonly codes?: string;
  /** Base64, one bit a weight, 1 where it is kept. */
  readonly mask?: string;
  /** tr(ΔW·H·ΔWᵀ), a token. */
  readonly error: number;
}

export interface GoldenInputs {
  readonly weights: Float32Array;
  /** E[x xᵀ], exact before its rounding to float32. */
  readonly gram: Float32Array;
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

export function makeInputs({ seed, rows, columns, tokens, dead }: InputSpec): GoldenInputs {
  const numbers = xorshift(seed);
  const next = (): number => numbers.next().value;
  const weights = Float32Array.from({ length: rows * columns }, () => {
    const raw = next();
    return ((raw >>> 8) - 2 ** 23) * 2 ** (-23 - (raw & 7));
  });
  const noise = Float64Array.from({ length: tokens * columns }, () => (next() >>> 24) - 128);
  const sizes = Float64Array.from({ length: columns }, () => 1 << (next() >>> 30));
  const own = noise.map((value, index) => value * sizes[index % columns]);
  const inputs = own.map((value, index) => {
    const column = index % columns;
    const shifted = [1, 5].map((shift) => (column >= shift ? Math.floor(own[index - shift] / 2) : 0));
    return dead.includes(column) ? 0 : value + shifted[0] + shifted[1];
  });
  const gram = new Float64Array(columns * columns);
  for (let token = 0; token < tokens; token += 1) {
    const x = inputs.subarray(token * columns, (token + 1) * columns);
    for (let i = 0; i < columns; i += 1) {
      for (let j = i; j < columns; j += 1) gram[i * columns + j] += x[i] * x[j];
    }
  }
  for (let i = 0; i < columns; i += 1) {
    for (let j = 0; j < i; j += 1) gram[i * columns + j] = gram[j * columns + i];
  }
  return { weights, gram: Float32Array.from(gram, (value) => value / tokens) };
}

/** Groups by their largest diagonal, columns of a group by their own; a short last group stays last. */
function groupAware(columns: Int32Array, size: number, compare: (a: number, b: number) => number): number[] {
  const whole = Math.floor(columns.length / size);
  const groups = Array.from({ length: whole }, (_, group) => columns.slice(group * size, (group + 1) * size).sort(compare));
  return [
    ...groups.sort((a, b) => compare(a[0], b[0])).flatMap((group) => [...group]),
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
  const diagonal = Float32Array.from({ length: columns }, (_, column) => hessian[column * (columns + 1)]);
  const order = Int32Array.from(diagonal.keys());
  const byDiagonal = (a: number, b: number) => diagonal[b] - diagonal[a] || a - b;
  if (orderName === "activation") order.sort(byDiagonal);
  if (orderName.startsWith("group-aware:")) order.set(groupAware(order, Number(orderName.slice(12)), byDiagonal));
  const damping = 0.01;
  const added = damping * (diagonal.reduce((sum, value) => sum + value, 0) / columns);
  for (let column = 0; column < columns; column += 1) hessian[column * (columns + 1)] += added;
  const upper = await inverseFactor(blas, permuteSymmetric(hessian, order), columns);
  return { order, orderName, upper, dead, damping };
}
