import { UsageError } from "@mbs/contracts";

/** Of every `of` neighbouring columns at most `kept` are not zero. */
export interface Pattern {
  readonly kept: number;
  readonly of: number;
}

/** The options of every solver that prunes. */
export const sparsityOptions = {
  sparsity: {
    kind: "number",
    description: "share of the weights set to zero",
    default: 0.5,
    optional: true,
    minimum: 0,
    maximum: 0.999,
  },
  pattern: {
    kind: "text",
    placeholder: "N:M",
    description: "keep at most N of every M neighbouring weights, such as 2:4",
    optional: true,
    excludes: ["sparsity"],
    check: (text: string) => parsePattern(text),
  },
} as const;

/** For TypeScript alone: with the options above, a sparsity is absent only where there is a pattern. */
export const defaultSparsity = sparsityOptions.sparsity.default;

const largestGroup = 64;

/**
 * Parses an n:m pattern.
 *
 * @throws {UsageError} when it is not N:M with 1 ≤ N < M ≤ 64
 */
export function parsePattern(text: string): Pattern {
  const match = /^(\d+):(\d+)$/.exec(text);
  const kept = Number(match?.[1]);
  const of = Number(match?.[2]);
  if (match && kept >= 1 && kept < of && of <= largestGroup) return { kept, of };
  throw new UsageError(
    `--pattern takes N:M, N of M weights kept, with 1 ≤ N < M ≤ ${largestGroup}, such as 2:4, not ${JSON.stringify(text)}`,
    { option: "--pattern" },
  );
}

/** A pruning method makes no codes. @throws {UsageError} as parsePattern */
export function noCodes({ pattern }: { readonly pattern?: string | undefined }): "none" {
  if (pattern !== undefined) parsePattern(pattern);
  return "none";
}

/** How many of `columns` neighbours go; a shorter last group keeps the same share, rounded in favour of keeping. */
export const droppedOf = ({ kept, of }: Pattern, columns: number): number => Math.floor(((of - kept) * columns) / of);

/** Neighbouring columns of one row inside a larger array. */
interface Run {
  readonly start: number;
  /** Distance between neighbours. */
  readonly stride: number;
  readonly columns: number;
}

/**
 * Drops the smallest scores of one group of neighbours, the first of equal ones first.
 *
 * @param scores not negative
 * @param kept 1 where a weight is kept; the group's dropped ones are set to 0
 */
export function dropInGroup(scores: Float32Array, kept: Uint8Array, { start, stride, columns }: Run, pattern: Pattern): void {
  const end = start + columns * stride;
  for (let dropped = droppedOf(pattern, columns); dropped > 0; dropped -= 1) {
    let smallest = -1;
    for (let index = start; index < end; index += stride) {
      if (kept[index] === 1 && (smallest < 0 || scores[index] < scores[smallest])) smallest = index;
    }
    kept[smallest] = 0;
  }
}

/**
 * The n:m mask of a row-major matrix: groups are neighbours in a row.
 *
 * @param scores [rows, columns], not negative
 * @returns 1 where a weight is kept
 */
export function patternMask(scores: Float32Array, columns: number, pattern: Pattern): Uint8Array {
  const kept = new Uint8Array(scores.length).fill(1);
  for (let row = 0; row < scores.length; row += columns) {
    for (let column = 0; column < columns; column += pattern.of) {
      const run = { start: row + column, stride: 1, columns: Math.min(pattern.of, columns - column) };
      dropInGroup(scores, kept, run, pattern);
    }
  }
  return kept;
}
