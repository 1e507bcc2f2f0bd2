import { UsageError, type StageOptions } from "@mbs/contracts";
import { largestSparsity } from "@mbs/numbers";

/** Of every `of` neighbouring columns at most `kept` are not zero. */
export interface Pattern {
  readonly kept: number;
  readonly of: number;
}

/** The options of every solver that prunes. */
export const sparsityOptions = {
  sparsity: {
    kind: "share",
    description: "share of the weights to set to zero",
    default: 0.5,
    optional: true,
    maximum: largestSparsity,
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

/**
 * How a recipe spreads the sparsity of a solver with QEP: by measured damage, with which `alps` lost 14 to 34% less than with one
 * sparsity everywhere on every model that was measured (docs/measured/multilingual-pruning.md). Without QEP, the papers' form, it is the
 * same everywhere.
 */
export const allocationByDamage = ({
  sparsity = 0,
  pattern,
  qep = 0,
}: {
  readonly sparsity?: number | undefined;
  readonly pattern?: string | undefined;
  readonly qep?: number | undefined;
}): StageOptions | undefined => (pattern === undefined && sparsity > 0 && qep > 0 ? { method: "pruning-damage" } : undefined);

/** A pruning method makes no codes. @throws {UsageError} as parsePattern */
export function noCodes({ pattern }: { readonly pattern?: string | undefined }): "none" {
  if (pattern !== undefined) parsePattern(pattern);
  return "none";
}
